"""`earshot policy`: upkeep of routing policies."""

from __future__ import annotations

from pathlib import Path

import click

from earshot import brand as brands_file
from earshot.settings import Settings
from earshot.yaml_source import OperatorError
from operations.cli.error_messages import in_words


@click.group()
def policy() -> None:
    """Routing policies: rewrite their conditions."""


@policy.command()
@click.argument("what", metavar="[FILE|BRAND]", default="")
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing; exit code 1 when a condition could be rewritten.",
)
@click.pass_obj
def convert(settings: Settings, what: str, check: bool) -> None:  # noqa: FBT001 -- click passes options by name
    """Rewrite conditions in CEL (`when:`) as structured ones (`if:`), where they say the same.

    Comments and order stay. Without FILE or BRAND: the policy of every brand. What structure
    can't say stays as it is, and is listed with the reason.
    """
    from operations.policies.rewrite import rewrite, summary

    with in_words(settings):
        rewritten = [
            (path, before, rewrite(before, str(path)))
            for path in _files(settings, what)
            for before in [_read(path)]
        ]
    for path, before, done in rewritten:
        if done.text != before and not check:
            _write(path, done.text)
        click.echo("\n".join(summary(done, str(path))))
    if check and any(done.changed for _, _, done in rewritten):
        raise click.exceptions.Exit(1)


def _files(settings: Settings, what: str) -> list[Path]:
    """The policy files meant by `what`. Raises OperatorError."""
    if Path(what).is_file():
        return [Path(what)]
    folder = settings.resolve(settings.brands)
    brands = brands_file.load(folder)
    if what and what not in brands:
        raise OperatorError(
            f"{what!r} is neither a file nor a brand; the brands are {', '.join(sorted(brands))}"
        )
    return [folder / slug / "routing.yaml" for slug in ([what] if what else sorted(brands))]


def _read(path: Path) -> str:
    """The file's text, its line ends as they are. Raises OperatorError."""
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}; create it or correct the path") from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error


def _write(path: Path, text: str) -> None:
    """Replace the file in one move, so that a role that starts now reads the old or the new."""
    target = path.resolve()
    beside = target.with_name(f".{target.name}.new")
    beside.write_bytes(text.encode())
    beside.chmod(target.stat().st_mode)
    beside.replace(target)
