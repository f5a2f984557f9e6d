"""histpred encoders: lists encoders, downloads their weights and verifies them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from histpred.commands import completers, options
from histpred.commands.help_pages import VerbGroup
from histpred.core.errors import UsageError, WeightsError, first_few
from histpred.core.log import logger
from histpred.core.text import say

_name = click.argument("name", shell_complete=completers.encoders)


@click.group(cls=VerbGroup)
def encoders() -> None:
    """List, get or verify encoders."""


@encoders.command(
    "list",
    examples=[
        ("See what can be downloaded, and what is here", "histpred encoders list"),
    ],
)
def list_encoders() -> None:
    """List the published encoders, and show which of them are on this machine."""
    from histpred.encoders.installed import ABSENT, state_of
    from histpred.encoders.published import PUBLISHED, default_folder

    rows = [("NAME", "KIND", "NUMBERS", "WINDOWS", "STATE", "LICENCE", "NOTE")]
    places = []
    for encoder in PUBLISHED:
        folder = default_folder(encoder.name)
        state = state_of(encoder, folder)
        shape = (encoder.kind, str(encoder.dimension), encoder.window)
        rows.append((encoder.name, *shape, state, encoder.licence, encoder.note))
        if state != ABSENT:
            places.append(f"{encoder.name} ({state}): {folder}")
    for line in aligned(rows):
        say(line)
    say(f"\nNUMBERS a window; 'histpred encoders get NAME' puts them in {folder.parent}")
    for line in places:
        say(line)


@encoders.command(
    examples=[
        ("Download DNABERT-2", "histpred encoders get dnabert2"),
    ],
)
@_name
@click.option(
    "--to",
    "folder",
    type=options.FOLDER,
    metavar="DIR",
    help="Folder for the files. [default: where --weights looks for them: "
    "$HISTPRED_ENCODERS/NAME, else histpred/encoders/NAME in ~/.local/share]",
)
@click.option(
    "--revision",
    metavar="COMMIT",
    help="Commit of the repository at huggingface.co. [default: the known one]",
)
def get(name: str, folder: Path | None, revision: str | None) -> None:
    """Download the weights of the encoder NAME and check their digests.

    Without a network, it shows what to download elsewhere and where to put the files.
    """
    from histpred.encoders import download
    from histpred.encoders.published import default_folder, find

    encoder = find(name)
    folder = folder or default_folder(name)
    for path in download.get(encoder, folder, revision):
        say(path)
    logger.info(f"{name} is in {folder}; licence: {encoder.licence}")


@encoders.command(
    examples=[
        ("Check a download", "histpred encoders verify dnabert2"),
    ],
)
@_name
@click.argument("path", required=False, type=options.PATH)
@options.threads
def verify(name: str, path: Path | None) -> None:
    """Check the files of the encoder NAME, load it and run it on a made-up sequence.

    NAME is a published encoder or a kind of encoder. PATH is the folder of its files, or its one
    file. [default: the folder of 'histpred encoders get'; a kind with weights needs PATH]
    """
    from histpred.encoders import ENCODERS
    from histpred.encoders import installed as files
    from histpred.encoders.published import default_folder, find, is_published

    if name in ENCODERS and not is_published(name):
        kind = ENCODERS[name]
        if kind.needs_weights and path is None:
            raise UsageError(
                f"{name!r} is a kind of encoder: it has no folder of its own",
                f"give the weights: histpred encoders verify {name} PATH",
            )
        for passed in files.try_out(kind, path or Path()):
            say(passed)
        return

    encoder = find(name)
    path = path or default_folder(name)
    compared = files.compare(encoder, path)
    messages = {
        files.RIGHT: "right: sha256 {0.found}",
        files.WRONG: "WRONG: sha256 {0.found}, {size:,} bytes\n"
        "  published: sha256 {0.file.sha256}, {0.file.size:,} bytes",
        files.UNKNOWN: "there: sha256 {0.found}, with none to compare it with",
        files.MISSING: "MISSING",
    }
    for one in compared:
        size = one.path.stat().st_size if one.found else 0
        say(f"{one.path}: {messages[one.state].format(one, size=size)}")

    hint = f"move them away and get them again: histpred encoders get {name}"
    missing = [one.path.name for one in compared if one.state == files.MISSING]
    if missing:
        raise WeightsError(f"{path}: lacks {first_few(missing)}", hint)
    for passed in files.try_out(encoder, path):
        say(passed)
    wrong = [one.path.name for one in compared if one.state == files.WRONG]
    if wrong:
        raise WeightsError(f"{path}: not as published: {first_few(wrong)}", hint)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table with aligned columns.

    >>> aligned([("a", "b"), ("long", "c")])
    ['a     b', 'long  c']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
