"""What verbs share: -o with standard output, and inputs from a pipe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.command_line import environment, histpred, process


@pytest.fixture
def rows(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "rows.bed").write_text("chr1\t20000\t20050\ta\t0\t+\n")
    (tmp_path / "genome.fa").write_text(">chr1\n" + "ACGTTGCA" * 5000 + "\n")
    return tmp_path / "rows.bed", tmp_path / "genome.fa"


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["predict", "a.bed", "g.fa"], "predict writes a folder"),
        (["scatter", "a.bed", "g.fa", "--encoder", "kmer"], "scatter writes a folder"),
        (["gather", ".", "."], "gather writes a folder"),
        (["demo"], "demo writes a folder"),
        (["train", "a.bed", "g.fa", "."], "train writes a folder"),
        (["evaluate", "yeast", "a.bed", "g.fa", "."], "evaluate writes a folder"),
        (["tracks", ".", "g.fa"], "tracks writes a folder"),
        (["summary", "."], "summary writes a folder"),
        (["report", "."], "report writes an HTML file"),
        (["convert", "."], "convert writes a file of AnnData or Parquet"),
        (["embed", "a.bed", "g.fa", "--store", "store"], "embed writes a Parquet file"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cannot_go_to_standard_output_is_refused(
    arguments: list[str], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It made a folder that is called '-'."""
    monkeypatch.chdir(tmp_path)
    done = histpred(*arguments, "-o", "-")
    assert done.code == 2
    assert f"{what}, which cannot go to standard output" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("to", "suffix"), [("-", "tsv"), ("-.bed", "bed"), ("-.fa", "fa")])
def test_windows_go_to_standard_output(to: str, suffix: str, rows, tmp_path: Path) -> None:
    file = tmp_path / "out" / f"windows.{suffix}"
    file.parent.mkdir()
    assert histpred("windows", *rows, "-o", file).code == 0
    (tmp_path / "here").mkdir()
    done = process("windows", *rows, "-o", to, cwd=tmp_path / "here")
    assert (done.code, done.out) == (0, file.read_text())
    assert done.err.splitlines()[-1] == "standard output: 1 window of 1 row"
    assert list((tmp_path / "here").iterdir()) == []


def test_windows_of_an_error_leave_standard_output_empty(rows, tmp_path: Path) -> None:
    rows[0].write_text("chr1\t20000\t20050\ta\t0\t+\nchr1\t9\t1\tb\t0\t+\n")
    done = process("windows", *rows, "-o", "-", cwd=tmp_path)
    assert (done.code, done.out) == (1, "")


def test_another_suffix_is_refused_by_its_name(rows, tmp_path: Path) -> None:
    done = process("windows", *rows, "-o", "-.gtf", cwd=tmp_path)
    assert done.code == 2
    assert done.err.startswith("error: -.gtf: windows are written as .tsv, .bed, .fa, .fasta\n")


def test_a_reader_who_leaves_is_no_error(rows) -> None:
    rows[0].write_text("".join(f"chr1\t{20000 + i}\t30000\ta\t0\t+\n" for i in range(2000)))
    command = [sys.executable, "-m", "histpred", "windows", *rows, "--window", "body", "-o", "-.fa"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.read(10)
        running.stdout.close()
        assert b"Traceback" not in running.stderr.read()


@pytest.mark.parametrize("fasta", ["-", "/dev/stdin"])
def test_a_fasta_from_a_pipe_is_explained(fasta: str, rows, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "histpred", "predict", rows[0], fasta, "-o", tmp_path / "out"]
    content = rows[1].read_bytes()
    done = subprocess.run(
        command, input=content, capture_output=True, check=False, env=environment()
    )
    assert done.returncode == 1
    assert b"a FASTA is read at many places, which a pipe cannot do" in done.stderr
    assert b"it may be compressed" in done.stderr
