"""Runs of tiles against an oracle that goes tile by tile."""

from __future__ import annotations

import random
from itertools import groupby
from pathlib import Path

import pytest

from histpred.genome.plan import open_windows
from histpred.genome.request import Request
from histpred.genome.runs import RunReader, TileRun, loaded, runs_in
from histpred.genome.tiles import tile_blocks
from histpred.genome.windows import WindowSpec
from support import random_genome, write_bed, write_fasta

TILE, REACH = 20, 70
Tile = tuple[tuple, int, int, float, float]  # of which row, start, end, N, bases known


def inputs(seed: int, folder: Path) -> Request:
    """Rows that overlap, on contigs with N: of more than two blocks, and shorter than a tile."""
    rng = random.Random(seed)
    genome = random_genome(rng, {"b": 6_330, "a": 2_570, "c": 13})
    genome["b"] = genome["b"][:3_000] + "N" * 190 + genome["b"][3_190:]
    rows = [("b", 0, 6_330, "all", 0, "+"), ("c", 0, 13, "short", 0, "-")]
    for number in range(8):
        contig = rng.choice("ab")
        start = rng.randrange(len(genome[contig]))
        end = min(len(genome[contig]), start + rng.choice([1, 30, 400, 3_000]))
        rows.append((contig, start, end, f"r{number % 5}", 0, rng.choice("+-.")))
    fasta, bed = write_fasta(folder / "g.fa", genome), write_bed(folder / "r.bed", rows)
    return Request(str(bed), str(fasta))


def merged(tiles: list[Tile], cut_after: set[int]) -> list[tuple]:
    """Runs of tiles as (row, start, end, tiles, share of N, share of known bases)."""
    groups: list[list[Tile]] = []
    for number, tile in enumerate(tiles):
        last = groups[-1][-1] if groups else None
        if last and last[0] == tile[0] and last[2] == tile[1] and number not in cut_after:
            groups[-1].append(tile)
        else:
            groups.append([tile])
    found = []
    for group in groups:
        start, end = group[0][1], group[-1][2]
        unknown, known = (sum(tile[i] for tile in group) for i in (3, 4))
        found.append((group[0][0], start, end, len(group), unknown / (end - start), known))
    return found


@pytest.mark.parametrize("size", [1, 3, 100, 128, 130, 10_000])
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_runs_are_tiles_of_a_row_side_by_side_cut_anywhere(seed, whole, size, tmp_path):
    reach = REACH if whole else 0
    spec = WindowSpec("interval", reach, reach, 0.5, whole=whole, tile=TILE)
    with open_windows(inputs(seed, tmp_path), spec, tmp_path) as opened:
        tiles: list[Tile] = []
        pieces: list[TileRun] = []
        for block in tile_blocks(opened.ledger, opened.reference, spec):
            pieces += map(loaded, [run.dumped() for run in runs_in(block)])
            for row in block.rows():
                window = row.window
                unknown = float(row.values[7]) * (window.end - window.start)
                known = sum(base in "ACGT" for base in row.sequence.decode())
                key = (window.chrom, *window[3:8])
                tiles.append((key, window.start, window.end, unknown, known))
        reader = RunReader(iter(pieces), opened.reference, spec)
        found: list[tuple] = []
        ends = [*range(size, len(tiles), size), len(tiles)]
        starts = [0, *ends[:-1]]
        runs = [list(reader.take(end - start)) for start, end in zip(starts, ends, strict=True)]
    for run in (run for shard in runs for run in shard):
        window = run.window
        *_, n_fraction, known_fraction = run.row().values
        read = 2 * REACH * run.tiles if whole else window.end - window.start
        assert run.read == read
        found.append(
            ((window.chrom, *window[3:8]), window.start, window.end, run.tiles, n_fraction,
             known_fraction * read)
        )  # fmt: skip
        assert window[8:] == (None, 0)
        assert run.row().sequence == b""
    expected = merged(tiles, set(starts))
    assert [run[:4] for run in found] == [run[:4] for run in expected]
    for run, other in zip(found, expected, strict=True):
        assert run[4:] == pytest.approx(other[4:])
    assert [sum(run.tiles for run in shard) for shard in runs] == [
        end - start for start, end in zip(starts, ends, strict=True)
    ]
    assert len(list(groupby(tiles, lambda tile: tile[0]))) > 4  # the control


def test_a_run_without_n_says_exactly_so(tmp_path):
    genome = {"a": "ACGTGCA" * 3_000}
    rows = [("a", 1_000, 19_000, "a", 0, "-")]
    fasta, bed = write_fasta(tmp_path / "g.fa", genome), write_bed(tmp_path / "r.bed", rows)
    spec = WindowSpec("interval", REACH, REACH, 0.5, whole=True, tile=TILE)
    with open_windows(Request(str(bed), str(fasta)), spec, tmp_path) as opened:
        pieces = (
            run
            for block in tile_blocks(opened.ledger, opened.reference, spec)
            for run in runs_in(block)
        )
        (run,) = RunReader(pieces, opened.reference, spec).take(900)
    assert run.row().values == ("a", 1_000, 19_000, "a", "-", ".", ".", 0.0, 1.0)
