"""The command line as a process: its first moments, and streams that are closed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from histpred.core.interruption import AGAIN, INTERRUPTED
from support import write_bed, write_fasta
from support.command_line import FILES, Done, environment, process

EARLY = """
import importlib.abc, os, signal, sys
module, number = sys.argv[1], int(sys.argv[2])
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == module:
            os.kill(os.getpid(), number)
sys.meta_path.insert(0, Finder())
from histpred.__main__ import main
sys.argv[1:] = ["bundle", "list"]
sys.exit(main())
"""


@pytest.mark.parametrize("number", [2, 15], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("module", ["histpred.cli", "click", "histpred.commands.bundle"])
def test_a_signal_while_modules_are_imported_is_an_interruption(module, number):
    done = subprocess.run(
        [sys.executable, "-c", EARLY, module, str(number)],
        capture_output=True,
        encoding="utf-8",
        env=environment(),
        check=False,
    )
    assert done.returncode == 130
    assert done.stdout == ""
    assert done.stderr.strip().startswith(f"error: {INTERRUPTED}\n  {AGAIN}")


LATE = """
import os, sys
from histpred.__main__ import main
class Last:
    def __del__(self, kill=os.kill, pid=os.getpid(), number=int(sys.argv[1])):
        kill(pid, number)
last = Last()
sys.argv[1:] = ["bundle", "list"]
sys.exit(main())
"""


@pytest.mark.parametrize("number", [2, 15], ids=["SIGINT", "SIGTERM"])
def test_a_signal_while_python_ends_does_not_change_the_exit_code(number):
    done = subprocess.run(
        [sys.executable, "-c", LATE, str(number)],
        capture_output=True,
        encoding="utf-8",
        env=environment(),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "human-promoter" in done.stdout


def closed(streams: str, *arguments: str | Path) -> Done:
    """Run histpred with closed streams, such as '<&- 2>&-'."""
    return process(*arguments, prefix=["sh", "-c", f'exec "$@" {streams}', "sh"])


@pytest.fixture
def inputs(tmp_path) -> tuple[Path, Path]:
    genome = write_fasta(tmp_path / "genome.fa", {"chr1": "ACGTTGCA" * 200})
    return write_bed(tmp_path / "rows.bed", [("chr1", 100, 900, "a", 0, "+")]), genome


@pytest.mark.parametrize("streams", ["2>&-", "<&- 2>&-", "<&- >&- 2>&-", ">&-"])
def test_a_run_does_its_work_without_the_streams_that_it_does_not_need(streams, inputs, tmp_path):
    done = closed(streams, "predict", *inputs, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert {path.name for path in (tmp_path / "out").iterdir()} >= FILES
    again = process("predict", *inputs, "-o", tmp_path / "out")
    assert "nothing to do" in again.err  # no message went into a file that took a stream's number


def test_what_cannot_be_printed_is_an_error():
    done = closed(">&-", "bundle", "list")
    assert (done.code, done.err) == (1, "error: [Errno 9] Bad file descriptor\n")
    assert closed(">&- 2>&-", "bundle", "list").code == 1
    assert closed(">/dev/full", "bundle", "list").code == 75


def test_a_closed_standard_input_is_no_empty_annotation(inputs, tmp_path):
    done = closed("<&-", "windows", "-", inputs[1], "-o", tmp_path / "out.tsv")
    assert done.code == 1
    assert done.err == "error: <stdin>: standard input is closed\n  pipe the rows into it\n"
    assert not (tmp_path / "out.tsv").exists()
