"""histpred encoders: published encoders, getting their weights, checking them."""

from __future__ import annotations

import logging
from pathlib import Path

import click

logger = logging.getLogger(__name__)

folder_type = click.Path(file_okay=False, path_type=Path)


@click.group()
def encoders() -> None:
    """List, get or verify published encoders."""


@encoders.command("list")
def list_encoders() -> None:
    """The published encoders that histpred can load, and whether they are on this machine."""
    from histpred.encoders.download import ABSENT, state_of
    from histpred.encoders.published import PUBLISHED, default_folder

    rows = [("NAME", "KIND", "NUMBERS", "WINDOWS", "STATE", "LICENCE", "NOTE")]
    places = []
    for encoder in PUBLISHED:
        folder = default_folder(encoder.name)
        state = state_of(encoder, folder)
        rows.append(
            (
                encoder.name,
                encoder.kind,
                str(encoder.dimension),
                encoder.window,
                state,
                encoder.licence,
                encoder.note,
            )
        )
        if state != ABSENT:
            places.append(f"{encoder.name} ({state}): {folder}")
    for line in aligned(rows):
        click.echo(line)
    click.echo(f"\nNUMBERS a window; 'histpred encoders get NAME' puts them in {folder.parent}")
    for line in places:
        click.echo(line)


@encoders.command()
@click.argument("name")
@click.option(
    "--to",
    "folder",
    type=folder_type,
    metavar="DIR",
    help="Folder for the files. [default: where --weights looks for them: "
    "$HISTPRED_ENCODERS/NAME, else histpred/encoders/NAME in ~/.local/share]",
)
@click.option(
    "--revision",
    metavar="COMMIT",
    help="Commit of the repository at huggingface.co. [default: the one that histpred knows]",
)
def get(name: str, folder: Path | None, revision: str | None) -> None:
    """Download the weights of the encoder NAME, and check their digests.

    Without a network it says what to download elsewhere and where to put it.
    """
    from histpred.encoders import download
    from histpred.encoders.published import default_folder, find

    encoder = find(name)
    folder = folder or default_folder(name)
    for path in download.get(encoder, folder, revision):
        click.echo(path)
    logger.info("%s is in %s; licence: %s", name, folder, encoder.licence)


@encoders.command()
@click.argument("name")
@click.argument("path", required=False, type=click.Path(path_type=Path))
def verify(name: str, path: Path | None) -> None:
    """Check the digests of the encoder NAME's files, load it and run it on a made-up sequence.

    PATH: their folder, if it is not the usual one (or the one file).
    """
    from histpred.core.errors import WeightsError, first_few
    from histpred.encoders import download
    from histpred.encoders.published import default_folder, find

    encoder = find(name)
    path = path or default_folder(name)
    compared = download.compare(encoder, path)
    said = {
        download.RIGHT: "right: sha256 {0.found}",
        download.WRONG: "WRONG: sha256 {0.found}, {size:,} bytes\n"
        "  published: sha256 {0.file.sha256}, {0.file.size:,} bytes",
        download.UNKNOWN: "there: sha256 {0.found}, with none to compare it with",
        download.MISSING: "MISSING",
    }
    for one in compared:
        size = one.path.stat().st_size if one.found else 0
        click.echo(f"{one.path}: {said[one.state].format(one, size=size)}")

    hint = f"move them away and get them again: histpred encoders get {name}"
    missing = [one.path.name for one in compared if one.state == download.MISSING]
    if missing:
        raise WeightsError(f"{path}: lacks {first_few(missing)}", hint)
    for passed in download.try_out(encoder, path):
        click.echo(passed)
    wrong = [one.path.name for one in compared if one.state == download.WRONG]
    if wrong:
        raise WeightsError(f"{path}: not as published: {first_few(wrong)}", hint)


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows of a table as lines, its columns one under the other.

    >>> aligned([("a", "b"), ("long", "c")])
    ['a     b', 'long  c']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
