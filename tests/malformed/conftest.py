from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from support import random_genome, write_fasta
from support.command_line import FILES, Done, histpred, place, read_scores, said_well, tree
from support.extraction import read_ledger

LENGTHS = {"chr1": 3000, "chr2": 2000}


@pytest.fixture(scope="session")
def genome() -> dict[str, str]:
    """Two contigs of 3,000 and 2,000 bp."""
    return random_genome(random.Random(4), LENGTHS)


@pytest.fixture
def folder(tmp_path, genome, monkeypatch) -> Path:
    """A folder with `genome.fa` inside `input`; it is where temporary files would go, too."""
    (tmp_path / "input").mkdir()
    (tmp_path / "scratch").mkdir()
    write_fasta(tmp_path / "input" / "genome.fa", genome)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    return tmp_path


Refused = Callable[..., Done]


@pytest.fixture
def refused(folder) -> Refused:
    """Run a command that must fail: with this code and these words, leaving nothing behind."""

    def run(*arguments: str | Path, code: int = 1, words: tuple[str, ...] = (), **options) -> Done:
        before = tree(folder)
        done = histpred(*arguments, **options)
        assert done.code == code, done.err
        for word in words:
            assert word in done.err
        assert said_well(done.err), done.err
        assert done.out == ""
        assert tree(folder) == before
        return done

    return run


@pytest.fixture
def predicted(folder) -> Callable[..., list[str]]:
    """Run a prediction that must work; returns what it scored and skipped, row by row.

    A row is `chrom:start-end(strand) name` if it is scored (as in scores.tsv.gz), `reason name` if
    it is skipped (as in ledger.tsv).
    """

    def run(*arguments: str | Path, words: tuple[str, ...] = (), **options) -> list[str]:
        before, out = tree(folder), folder / "out"
        done = histpred("predict", *arguments, "-o", out, **options)
        assert done.code == 0, done.err
        for word in words:
            assert word in done.err
        assert done.out == ""
        return outcome(out, before)

    def outcome(out: Path, before: dict) -> list[str]:
        after = tree(folder)
        assert {name for name in after if name not in before} - {"out"} == {
            f"out/{name}" for name in FILES
        }
        assert {name: after[name] for name in before} == before
        scores, ledger = read_scores(out / "scores.tsv.gz"), read_ledger(out / "ledger.tsv")
        assert all(0 <= float(row[mark]) <= 1 for row in scores.rows for mark in scores.marks)
        skipped = [row for row in ledger if row["status"] == "skipped"]
        assert len(scores.rows) == len(ledger) - len(skipped)
        return [place(row) for row in scores.rows] + [
            f"{row['reason']} {row['name']}" for row in skipped
        ]

    return run
