"""bigBed and bigWig files, read back by two libraries that share no code with the writer."""

from __future__ import annotations

import random

import numpy as np
import pytest

from histpred.tracks import bbi
from histpred.tracks.binary import WINDOW_FIELDS

pyBigWig = pytest.importorskip("pyBigWig", reason="needs pyBigWig")
pybigtools = pytest.importorskip("pybigtools", reason="needs pybigtools")

REST = "g{}\t500\t+\t1\t2\t1,2,3\t0.5\tG1"


def random_rows(lengths: dict[str, int], each: int) -> list[tuple[str, int, int, str]]:
    rng = random.Random(4)
    rows = []
    for contig, length in lengths.items():
        for start in sorted(rng.randrange(length - 10) for _ in range(each)):
            end = min(length, start + rng.randrange(1, 5_000))
            rows.append((contig, start, end, REST.format(start)))
    return rows


@pytest.mark.parametrize(("contigs", "each"), [(1, 1), (3, 3_000), (300, 2), (70_000, 1)])
def test_rows_on_any_number_of_contigs_come_back(contigs, each, tmp_path):
    """A tree of one node, as some writers make, cannot name 70,000 contigs."""
    lengths = {f"s{number}": 3_000 * each for number in range(contigs)}
    rows = random_rows(lengths, each)
    bbi.write(tmp_path / "a.bb", lengths, bbi.batches_of(rows, lengths), WINDOW_FIELDS)
    first, second = pyBigWig.open(str(tmp_path / "a.bb")), pybigtools.open(str(tmp_path / "a.bb"))
    assert first.chroms() == lengths == second.chroms()
    some = [*list(lengths)[:20], *list(lengths)[-20:]]
    expected = {contig: [] for contig in some}
    for contig, *row in rows:
        if contig in expected:
            expected[contig].append(tuple(row))
    for contig, wanted in expected.items():
        assert sorted(first.entries(contig, 0, lengths[contig])) == sorted(wanted)
        found = second.records(contig)
        assert sorted((a, b, "\t".join(rest)) for a, b, *rest in found) == sorted(wanted)


def test_zoom_levels_are_the_depth_of_coverage(tmp_path):
    lengths = {"b": 3_000_000, "a": 1_000_000}
    rows = random_rows(lengths, 2_000)
    bbi.write(tmp_path / "a.bb", lengths, bbi.batches_of(rows, lengths), WINDOW_FIELDS)
    depths = {contig: np.zeros(length) for contig, length in lengths.items()}
    for contig, start, end, _ in rows:
        depths[contig][start:end] += 1
    track = pybigtools.open(str(tmp_path / "a.bb"))
    assert len(track.zooms()) > 2
    for contig, depth in depths.items():
        summary = {"bins": 1, "exact": False, "fillna": None}
        length = lengths[contig]
        (most,) = track.values(contig, 0, length, summary="max", **summary)
        (mean,) = track.values(contig, 0, length, summary="mean", **summary)
        assert most == depth.max()
        assert mean == pytest.approx(depth[depth > 0].mean(), rel=1e-4)
    whole = np.concatenate([depth[depth > 0] for depth in depths.values()])
    head = pyBigWig.open(str(tmp_path / "a.bb")).header()
    assert (head["nBasesCovered"], head["sumData"]) == (len(whole), whole.sum())


def test_a_signal_has_its_values_and_their_summary(tmp_path):
    lengths = {f"s{number}": 40_000 for number in range(500)}
    rng = np.random.default_rng(2)
    values = rng.random((500, 200)).astype(np.float32)
    rows = (
        (contig, 200 * place, 200 * place + 200, value)
        for contig, line in zip(lengths, values.tolist(), strict=True)
        for place, value in enumerate(line)
    )
    bbi.write(tmp_path / "a.bw", lengths, bbi.batches_of(rows, lengths))
    reader = pyBigWig.open(str(tmp_path / "a.bw"))
    assert reader.isBigWig()
    assert reader.chroms() == lengths
    for number in (0, 1, 250, 499):
        found = reader.intervals(f"s{number}")
        assert [value for _, _, value in found] == values[number].tolist()
        (mean,) = reader.stats(f"s{number}", type="mean", exact=False)
        assert mean == pytest.approx(values[number].mean(), rel=1e-5)
    second = pybigtools.open(str(tmp_path / "a.bw"))
    assert [row[2] for row in second.records("s499")] == values[499].tolist()


def test_no_rows_are_a_file_without_contigs(tmp_path):
    bbi.write(tmp_path / "a.bb", {}, [], WINDOW_FIELDS)
    assert (tmp_path / "a.bb").stat().st_size > 0
