"""The calls of rows, read in step with them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from histpred.core.errors import InputError
from histpred.scoring.called import called_rows
from histpred.scoring.tables import bed_name, printable_ascii

MARKS = ("H3K4me3", "H3K27ac", "mine")


def calls_file(path: Path, rows: list[tuple[str, ...]], called: np.ndarray) -> Path:
    lines = [
        f"{row[0]}\t{row[1]}\t{row[2]}\t{bed_name(printable_ascii(row[3]), MARKS[mark])}\t500\t"
        f"{row[4]}\t{row[1]}\t{row[2]}\t1,2,3\n"
        for row, marks in zip(rows, called, strict=True)
        for mark in marks.nonzero()[0]
    ]
    path.write_bytes(gzip.compress("".join(lines).encode()))
    return path


@pytest.mark.parametrize("seed", range(5))
def test_calls_come_back_for_their_rows(seed, tmp_path):
    """Names repeat, or repeat once they are cut or spelled in ASCII; places repeat too."""
    rng = np.random.default_rng(seed)
    names = ["a", "a|b", "x" * 300 + "1", "x" * 300 + "2", "é", "è"]
    starts = sorted(rng.integers(0, 5, 60).tolist())
    rows = [("chr1", str(at), str(at + 9), names[rng.integers(6)], "+-."[at % 3]) for at in starts]
    rows = list({(*row[:3], printable_ascii(row[3])[:240]): row for row in rows}.values())
    called = rng.random((len(rows), len(MARKS))) < 0.4
    with called_rows(calls_file(tmp_path / "calls.bed.gz", rows, called), MARKS) as reader:
        found = [reader.take(rows[first : first + 7]) for first in range(0, len(rows), 7)]
        reader.finish()
    assert np.array_equal(np.vstack(found), called)


def test_rows_that_repeat_have_their_own_calls(tmp_path):
    rows = [("chr1", "5", "9", "same", "+")] * 3
    called = np.array([[True, False, True], [True, False, True], [True, False, True]])
    with called_rows(calls_file(tmp_path / "calls.bed.gz", rows, called), MARKS) as reader:
        assert np.array_equal(reader.take(rows), called)
        reader.finish()


def test_a_call_of_no_row_is_an_error_with_its_line(tmp_path):
    rows = [("chr1", "5", "9", "one", "+"), ("chr1", "6", "9", "two", "+")]
    path = calls_file(tmp_path / "calls.bed.gz", rows, np.eye(2, 3, dtype=bool))
    with called_rows(path, MARKS) as reader:
        reader.take(rows[:1])
        with pytest.raises(InputError, match=r"calls.bed.gz:2: a call of no row"):
            reader.finish()
