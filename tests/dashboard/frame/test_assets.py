"""The browser's files: pinned, complete, undamaged, and never under version control."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from dashboard.frame import assets, static_urls
from dashboard.frame.assets import ICONS, AssetError

PROJECT = Path(__file__).parents[3]
TEMPLATES = sorted((PROJECT / "dashboard").rglob("*.html"))

needs_build = pytest.mark.skipif(
    not assets.is_built(),
    reason="static/vendor is not built: run `python -m dashboard.frame.assets`",
)


def test_no_minified_script_is_under_version_control() -> None:
    git = shutil.which("git")
    if git is None or not (PROJECT / ".git").exists():
        pytest.skip("this is not a git checkout")
    tracked = subprocess.run(
        [git, "ls-files"], cwd=PROJECT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert len(tracked) > 10
    assert [name for name in tracked if name.endswith((".min.js", ".min.css"))] == []
    assert [name for name in tracked if name.startswith("dashboard/static/vendor/")] == []


def test_the_lock_file_pins_every_package_and_names_no_registry() -> None:
    wanted = json.loads((PROJECT / "package.json").read_text())
    lock = json.loads((PROJECT / "package-lock.json").read_text())
    for name, version in (wanted["dependencies"] | wanted["devDependencies"]).items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} is not pinned exactly"
        entry = lock["packages"][f"node_modules/{name}"]
        assert entry["version"] == version
    for path, entry in lock["packages"].items():
        assert "resolved" not in entry, path
        assert path == "" or entry["integrity"].startswith("sha512-"), path


@needs_build
def test_every_built_file_is_in_the_manifest_with_its_version_and_digest() -> None:
    manifest = json.loads((assets.VENDOR / "MANIFEST.json").read_text())
    wanted = json.loads((PROJECT / "package.json").read_text())["dependencies"]
    assert set(manifest["files"]) == {*assets.COPIED, "icons.svg"}
    assert {path.name for path in assets.VENDOR.iterdir()} == {*manifest["files"], "MANIFEST.json"}
    for name, entry in manifest["files"].items():
        content = (assets.VENDOR / name).read_bytes()
        assert hashlib.sha384(content).hexdigest() == entry["sha384"], name
        assert entry["version"] == wanted[entry["package"]], name
        address = static_urls.asset(f"vendor/{name}")
        assert address == f"/static/vendor/{name}?v={entry['sha384'][:12]}"


@needs_build
def test_a_second_build_does_nothing_and_is_quick() -> None:
    before = (assets.VENDOR / "MANIFEST.json").stat().st_mtime_ns
    started = time.monotonic()
    assert assets.main() == 0
    assert time.monotonic() - started < 0.2
    assert (assets.VENDOR / "MANIFEST.json").stat().st_mtime_ns == before


def _packages(folder: Path) -> Path:
    for package, files in {
        "htmx.org": {"dist/htmx.min.js": "js", "LICENSE": "0BSD"},
        "lucide-static": {"LICENSE": "ISC"}
        | {f"icons/{name}.svg": f'<svg\n  id="x">\n<path d="M{len(name)}"/>\n</svg>'
           for name in ICONS},
    }.items():  # fmt: skip
        for name, content in (files | {"package.json": '{"version": "1.2.3"}'}).items():
            path = folder / package / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    return folder


@pytest.mark.parametrize("damage", ["edited", "deleted", "cut short", "other recipe"])
def test_a_damaged_build_is_seen_and_repaired(tmp_path: Path, damage: str) -> None:
    modules, vendor = _packages(tmp_path / "modules"), tmp_path / "vendor"
    assert not assets.is_built(vendor)
    assets.build(modules, vendor)
    assert assets.is_built(vendor)
    manifest = vendor / "MANIFEST.json"
    match damage:
        case "edited":
            (vendor / "htmx.min.js").write_text("another")
        case "deleted":
            (vendor / "icons.svg").unlink()
        case "cut short":
            manifest.write_text(manifest.read_text()[:40])
        case _:
            manifest.write_text(manifest.read_text().replace(assets.recipe(), "0"))
    assert not assets.is_built(vendor)
    assets.build(modules, vendor)
    assert assets.is_built(vendor)


def test_a_file_that_no_package_asked_for_does_not_stay(tmp_path: Path) -> None:
    vendor = tmp_path / "vendor"
    vendor.mkdir()
    (vendor / "left-over.js").write_text("old")
    assets.build(_packages(tmp_path / "modules"), vendor)
    assert not (vendor / "left-over.js").exists()


def test_a_missing_icon_is_named(tmp_path: Path) -> None:
    modules = _packages(tmp_path / "modules")
    (modules / "lucide-static/icons/inbox.svg").unlink()
    with pytest.raises(AssetError, match=r"inbox\.svg.*ICONS"):
        assets.build(modules, tmp_path / "vendor")


def test_without_npm_it_comes_from_pypi_by_uv(tmp_path: Path) -> None:
    if not (Path(sys.executable).parent / "uv").exists():
        pytest.skip("uv is not installed beside this Python")
    command = assets.npm_command(path=str(tmp_path))
    assert command[1:3] == ["tool", "run"]
    assert assets.NODE in command


def test_without_npm_and_uv_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(AssetError, match="pip install uv"):
        assets.npm_command(path=str(tmp_path))


def test_the_sprite_has_one_symbol_per_drawing_and_is_well_formed() -> None:
    drawn = assets.sprite({"a": '<svg x="1">\n <path d="M1"/>\n</svg>', "b": "<svg></svg>"})
    root = ET.fromstring(drawn)  # noqa: S314 -- our own output
    assert [symbol.get("id") for symbol in root] == ["i-a", "i-b"]


def test_the_sprite_has_the_icons_that_templates_name_and_no_others() -> None:
    sources = [path.read_text() for path in TEMPLATES]
    sources += [path.read_text() for path in (PROJECT / "dashboard").rglob("*.py")]
    named = set(re.findall(r"\bicon(?:=|\()\s*['\"]([a-z0-9-]+)['\"]", "\n".join(sources)))
    assert named == set(ICONS)


def test_an_unknown_icon_is_an_error_that_says_where_to_add_it() -> None:
    with pytest.raises(LookupError, match=r"'unicorn'.*dashboard/icons\.txt"):
        static_urls.icon("unicorn")


def test_a_missing_static_file_keeps_its_plain_address() -> None:
    assert static_urls.asset("nowhere.css") == "/static/nowhere.css"
