"""The command line as tests use it: in this process, or as a process of its own."""

from __future__ import annotations

import csv
import gzip
import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import click

from histpred.cli import histpred as cli
from histpred.cli import main
from histpred.core.errors import UsageError
from histpred.core.extras import need

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = (
    *("chrom", "start", "end", "name", "strand", "gene_id", "biotype"),
    *("n_fraction", "known_fraction"),
)
TABLES = ("scores.tsv.gz", "scores.tsv.gz.tbi", "calls.bed.gz", "calls.bed.gz.tbi", "ledger.tsv")
FILES = {*TABLES, "run.json"}
Argument = str | os.PathLike[str]
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
from histpred.cli import main
sys.exit(main(sys.argv[2:]))
"""


def lacks(extra: str) -> bool:
    """Return True if packages of this extra are missing here."""
    try:
        need(extra)
    except UsageError:
        return True
    return False


class Done(NamedTuple):
    """A finished command."""

    code: int
    out: str
    err: str


class Scores(NamedTuple):
    """scores.tsv.gz, read without histpred; `rows` by column name, as text."""

    marks: list[str]
    rows: list[dict[str, str]]

    def probability(self, row: int, mark: str) -> float:
        return float(self.rows[row][mark])


def words_of(arguments: Sequence[Argument], report: bool) -> list[str]:
    """Return a command line as text. Without `report`, predict and gather leave out theirs."""
    words = [os.fspath(argument) for argument in arguments]
    if report or words[:1] not in (["predict"], ["gather"]):
        return words
    return [words[0], "--no-report", *words[1:]]


def histpred(*arguments: Argument, stdin: bytes = b"", report: bool = False) -> Done:
    """Run histpred in this process; `report` as in `words_of`."""
    out, err = io.StringIO(), io.StringIO()
    with (
        redirect_stdout(out),
        redirect_stderr(err),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))),
    ):
        code = main(words_of(arguments, report))
    return Done(code, out.getvalue(), encodable(err.getvalue()))


def parse(*arguments: str) -> None:
    """Parse a command line as histpred does, without running it. Raise click.UsageError if wrong.

    Files that it names need not exist.
    """
    command: click.Command = cli
    words = list(arguments)
    context = click.Context(cli, **cli.context_settings)
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert name is not None
        assert found is not None
        command = found
    with mock.patch.object(click.Path, "convert", lambda self, value, param, ctx: Path(value)):
        command.make_context(name, words, parent=context)


def encodable(text: str) -> str:
    """Return `text` as a terminal gets it: bytes that are not UTF-8 are spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


def command(*arguments: Argument, report: bool = False) -> list[str]:
    """Return the command line of a new process; `report` as in `words_of`."""
    return [sys.executable, "-m", "histpred", *words_of(arguments, report)]


def environment(changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """Return the environment of a new process, with `changes`. None removes a variable."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    merged = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **(changes or {})}
    return {name: value for name, value in merged.items() if value is not None}


def process(
    *arguments: Argument,
    prefix: Sequence[str] = (),
    changes: Mapping[str, str | None] | None = None,
    **options: object,
) -> Done:
    """Run histpred in a new process, behind the command `prefix`."""
    done = subprocess.run(
        [*prefix, *command(*arguments)],
        capture_output=True,
        encoding="utf-8",
        env=environment(changes),
        timeout=100,
        check=False,
        **options,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def with_file_limit(size: int, *arguments: Argument) -> Done:
    """Run histpred with a limit on the size of files, which simulates a full disk."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(size), *words_of(arguments, report=False)],
        capture_output=True,
        encoding="utf-8",
        env=environment(),
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return modification time and content of everything in a folder (0 and b'' for folders)."""
    return {
        str(path.relative_to(folder)): (
            (path.stat().st_mtime_ns, path.read_bytes()) if path.is_file() else (0, b"")
        )
        for path in sorted(folder.rglob("*"))
    }


def contents(folder: Path) -> dict[str, bytes]:
    """Return `tree` without the times."""
    return {name: content for name, (_, content) in tree(folder).items()}


def tables(out: Path) -> dict[str, bytes]:
    """Return the files of a prediction whose bytes are promised: all but run.json."""
    return {name: (out / name).read_bytes() for name in TABLES}


def read_scores(path: Path) -> Scores:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        header = next(lines).rstrip("\n").removeprefix("#").split("\t")
        assert tuple(header[: len(COLUMNS)]) == COLUMNS
        rows = list(csv.DictReader(lines, header, delimiter="\t", quoting=csv.QUOTE_NONE))
    return Scores(header[len(COLUMNS) :], rows)


def place(row: Mapping[str, str]) -> str:
    """Return a row of scores or ledger as `chrom:start-end(strand) name`."""
    return f"{row['chrom']}:{row['start']}-{row['end']}({row['strand']}) {row['name']}"


def said_well(err: str) -> bool:
    """Return True if a failure's last message says what is wrong and what to do, in short."""
    *_, what, hint = ["", *err.splitlines()]
    return (
        what.startswith("error: ")
        and hint.startswith("  ")
        and "Traceback" not in err
        and "[E::" not in err  # htslib's own words
        and "fault of histpred" not in err
        and "bug in histpred" not in err
        and len(what) + len(hint) < 900
    )


def commands(
    command: click.Command = cli, words: tuple[str, ...] = ("histpred",)
) -> Iterator[tuple[str, click.Command]]:
    """Every command and group of commands with its words, such as 'histpred labels peaks'."""
    yield " ".join(words), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*words, name))
