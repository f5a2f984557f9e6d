"""Arrays in files against the same arrays in memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from histpred.evaluation import spooled
from histpred.evaluation.spooled import SpooledRows


@pytest.fixture(params=[1, 1_000, 1 << 22])
def at_once(request, monkeypatch):
    monkeypatch.setattr(spooled, "AT_ONCE", request.param)


@pytest.mark.parametrize(
    ("shape", "kind"), [((7,), np.float32), ((3, 2), np.uint8), ((), np.float64)]
)
def test_rows_are_read_as_they_were_appended(shape, kind, at_once, tmp_path):
    rng = np.random.default_rng(0)
    expected = rng.integers(0, 200, (500, *shape)).astype(kind)
    (tmp_path / "rows").write_text("left by another run")
    rows = SpooledRows(tmp_path / "rows")
    for part in np.split(expected, [1, 1, 130, 499]):
        rows.append(part)
    assert len(rows) == 500
    for numbers in (np.arange(500), np.arange(3, 500, 7), np.array([0, 499]), np.array([], int)):
        found = rows[numbers]
        assert found.dtype == kind
        np.testing.assert_array_equal(found, expected[numbers])
    mapped = rows.mapped()
    np.testing.assert_array_equal(mapped, expected)
    mapped[0] = expected[1]
    np.testing.assert_array_equal(rows[np.arange(2)], expected[:2])


def test_rows_of_another_shape_or_type_are_refused(tmp_path):
    rows = SpooledRows(tmp_path / "rows")
    assert rows.mapped().shape == (0,)
    rows.append(np.zeros((2, 3), np.float32))
    for other in (np.zeros((2, 4), np.float32), np.zeros((2, 3))):
        with pytest.raises(ValueError, match=r"rows of float.*, not float32 \(3,\)"):
            rows.append(other)


def test_rows_are_not_held_in_memory(tmp_path):
    """Several genomes were joined in memory, which needed room for all of them twice."""
    part = np.arange(1 << 20, dtype=np.float32).reshape(-1, 1_024)
    tracemalloc.start()
    try:
        rows = SpooledRows(tmp_path / "rows")
        for _ in range(16):
            rows.append(part)
        mapped = rows.mapped()
        assert mapped.nbytes == 16 * part.nbytes
        assert float(mapped[-1, -1]) == float(part[-1, -1])
        np.testing.assert_array_equal(rows[np.arange(3, len(rows), 4_096)], part[[3] * 4])
        assert tracemalloc.get_traced_memory()[1] < 2 * spooled.AT_ONCE
    finally:
        tracemalloc.stop()
