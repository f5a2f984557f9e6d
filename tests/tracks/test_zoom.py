from __future__ import annotations

from contextlib import ExitStack

import numpy as np

from histpred.tracks import zoom
from histpred.tracks.zoom import SUMMARY, Zoom


def random_stretches(count):
    """Values on stretches of three contigs, in order, with gaps between them."""
    rng = np.random.default_rng(0)
    contigs = np.sort(rng.integers(0, 3, count))
    steps = rng.integers(1, 400, (count, 2))
    ends = steps.sum(axis=1).cumsum()
    return contigs, ends - steps[:, 1], ends, rng.random(count)


def levels_of(stretches, batch, folder):
    """The rows of each level, by its width in bp, when `batch` stretches are added at a time."""
    with ExitStack() as stack:
        made = Zoom(folder, stack)
        for first in range(0, len(stretches[0]), batch):
            made.add([column[first : first + batch] for column in stretches], 1_000)
        levels = made.finish()
        found = {level.width: np.concatenate([*level.parts(7)]) for level in levels}
        assert [level.count for level in levels] == [len(rows) for rows in found.values()]
    return found


def by_hand(stretches, width):
    """Contig, start, end, count, least, most, sum and squares of each `width` bp, base by base."""
    places = {}
    for contig, start, end, value in zip(*stretches, strict=True):
        for base in range(start, end):
            places.setdefault((contig, base // width), []).append((base, value))
    rows = []
    for (contig, _), bases in places.items():
        values = np.array([value for _, value in bases])
        ends = bases[0][0], bases[-1][0] + 1
        figures = values.min(), values.max(), values.sum(), (values**2).sum()
        rows.append((contig, *ends, len(bases), *figures))
    return rows


def test_each_level_has_the_summaries_of_its_width(tmp_path):
    stretches = random_stretches(300)
    found = levels_of(stretches, 64, tmp_path)
    assert list(found) == [1_000, 4_000, 16_000, 64_000]
    for width, rows in found.items():
        expected = by_hand(stretches, width)
        np.testing.assert_allclose([row.tolist() for row in rows], expected, rtol=1e-5)


def test_the_rows_may_come_in_any_batches_and_go_to_files(tmp_path, monkeypatch):
    stretches = random_stretches(3_000)
    at_once = levels_of(stretches, 3_000, tmp_path)
    monkeypatch.setattr(zoom, "IN_MEMORY", 100)
    for batch in (1, 97):
        found = levels_of(stretches, batch, tmp_path)
        assert found.keys() == at_once.keys()
        for width, rows in found.items():
            for name in SUMMARY.names:
                np.testing.assert_allclose(rows[name], at_once[width][name], rtol=1e-5)
    assert not [*tmp_path.iterdir()]  # the files have no names


def test_no_rows_make_no_level(tmp_path):
    assert levels_of([np.empty(0, int)] * 4, 1, tmp_path) == {}
