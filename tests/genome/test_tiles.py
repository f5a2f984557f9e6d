"""Tiles against an oracle that looks at each tile on its own."""

from __future__ import annotations

import random

import pytest

from histpred.core.errors import InputError
from histpred.genome.plan import open_windows, scorable
from histpred.genome.request import Request
from histpred.genome.table import TABLE_HEADER, table_row
from histpred.genome.tiles import tile_blocks
from histpred.genome.windows import WindowSpec
from support import random_genome, reverse_complement, write_bed, write_fasta
from support.extraction import read_ledger

TILE, REACH = 20, 70


def genome_of(seed: int) -> dict[str, str]:
    """Contigs with runs of N, one longer than a block of tiles, one shorter than a tile."""
    genome = random_genome(random.Random(seed), {"b": 6_330, "a": 2_570, "c": 13})
    for contig, start, end in [("b", 3_000, 3_190), ("b", 0, 31), ("a", 2_551, 2_570)]:
        sequence = genome[contig]
        genome[contig] = sequence[:start] + "N" * (end - start) + sequence[end:]
    return genome


def rows_of(rng: random.Random, genome: dict[str, str], count: int) -> list[tuple]:
    rows = []
    for number in range(count):
        contig = rng.choice(sorted(genome))
        start = rng.randrange(len(genome[contig]))
        end = min(len(genome[contig]), start + rng.choice([1, 30, 400, 3_000]))
        rows.append((contig, start, end, f"r{number % 7}", 0, rng.choice("+-.")))
    return rows


def expected_of(rows: list[tuple], genome: dict[str, str]) -> tuple[list[tuple], dict]:
    """The scored tiles in order, and what became of each tile of each row, by line."""
    found: dict[tuple, tuple] = {}
    for line, (contig, start, end, name, _, strand) in enumerate(rows, 1):
        for first in range(0, len(genome[contig]), TILE):
            last = min(first + TILE, len(genome[contig]))
            if first < end and start < last:
                owner = (strand, name, line)
                place = (contig, first, last)
                found[place] = min(owner, found.get(place, owner))
    scored, fates = [], {}
    for line, (contig, start, end, name, _, strand) in enumerate(rows, 1):
        for (on, first, last), owner in found.items():
            if on == contig and first < end and start < last:
                fate = "" if owner == (strand, name, line) else "tile-of-another-row"
                if not fate and genome[on][first:last].count("N") * 2 > last - first:
                    fate = "too-many-n"
                fates[line, first, last] = fate
                if not fate:
                    scored.append((on, first, last, name, strand, line))
    return sorted(scored), fates


def bases_read(genome: dict[str, str], contig: str, start: int, end: int, spec) -> str:
    if not spec.whole:
        return genome[contig][start:end]
    middle = (start + end) // 2
    padded = "N" * REACH + genome[contig] + "N" * REACH
    return padded[middle : middle + 2 * REACH]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_tiles_are_those_of_an_oracle(seed, whole, tmp_path):
    genome = genome_of(seed)
    rows = rows_of(random.Random(seed), genome, 12)
    fasta, annotation = write_fasta(tmp_path / "g.fa", genome), write_bed(tmp_path / "r.bed", rows)
    reach = REACH if whole else 0
    spec = WindowSpec("interval", reach, reach, 0.5, whole=whole, tile=TILE)
    with open_windows(Request(str(annotation), str(fasta)), spec, tmp_path) as opened:
        found = [row for batch in scorable(opened.ledger, opened.reference, spec) for row in batch]
        opened.ledger.write(tmp_path / "ledger.tsv")
        total = opened.ledger.rows, opened.ledger.queued, sum(opened.ledger.skipped.values())
    expected, fates = expected_of(rows, genome)
    places = [
        (*row.window[:3], row.window.name, row.window.strand, row.window.line) for row in found
    ]
    assert places == expected
    for row in found:
        contig, start, end, strand, *_ = row.window
        read = bases_read(genome, contig, start, end, spec)
        sequence = reverse_complement(read) if strand == "-" else read
        assert row.sequence.decode() == sequence
        *_, n_fraction, known = row.values
        assert n_fraction == pytest.approx(genome[contig][start:end].count("N") / (end - start))
        assert known == pytest.approx(1 - read.count("N") / len(read))
    runs = {}
    for run in read_ledger(tmp_path / "ledger.tsv"):
        contig, last = run["chrom"], int(run["end"])
        assert (run["status"] == "scored") == (run["reason"] == "")
        for first in range(int(run["start"]), last, TILE):
            end = min(first + TILE, len(genome[contig]))
            runs[int(run["line"]), first, end] = run["reason"]
    assert runs == fates
    assert total == (len(fates), len(fates), len(fates) - len(expected))


def test_a_block_reads_the_same_bases_whichever_tiles_are_wanted(tmp_path):
    genome = genome_of(9)
    fasta = write_fasta(tmp_path / "g.fa", genome)
    spec = WindowSpec("interval", REACH, REACH, 0.5, whole=True, tile=TILE)
    read = []
    for number, rows in enumerate(
        [[("b", 0, 6_330, "all", 0, "+")], [("b", 4_001, 4_002, "a", 0, "+")]]
    ):
        annotation = write_bed(tmp_path / f"{number}.bed", rows)
        with open_windows(Request(str(annotation), str(fasta)), spec, tmp_path) as opened:
            blocks = list(tile_blocks(opened.ledger, opened.reference, spec))
            read.append({block.first: block.along() for block in blocks})
    every, one = read
    assert len(every) == 3
    assert len(one) == 1
    assert one.items() <= every.items()


def test_tiles_longer_than_their_contig_need_no_more_memory_than_it(tmp_path):
    """A block held its 128 tiles with N beyond the contig: 256 GB of tiles of 2 Gbp."""
    genome = {"a": "ACGTN" * 100}
    fasta = write_fasta(tmp_path / "g.fa", genome)
    annotation = write_bed(tmp_path / "r.bed", [("a", 5, 9, "x", 0, "+")])
    spec = WindowSpec("interval", REACH, REACH, 0.5, whole=True, tile=2_000_000_000)
    with open_windows(Request(str(annotation), str(fasta)), spec, tmp_path) as opened:
        (block,) = tile_blocks(opened.ledger, opened.reference, spec)
        (row,) = block.rows()
    assert row.window[:3] == ("a", 0, 500)
    assert row.sequence.decode() == bases_read(genome, "a", 0, 500, spec)
    assert len(block.sequence) == 500 + 2 * REACH


def test_windows_of_a_table_are_tiles_or_refused(tmp_path):
    genome = genome_of(1)
    fasta = write_fasta(tmp_path / "g.fa", genome)
    spec = WindowSpec("interval", REACH, REACH, 0.5, whole=True, tile=TILE)
    annotation = write_bed(tmp_path / "r.bed", [("b", 400, 460, "a", 0, "-")])
    with open_windows(Request(str(annotation), str(fasta)), spec, tmp_path) as opened:
        (rows,) = scorable(opened.ledger, opened.reference, spec)
    table = tmp_path / "t.tsv"
    table.write_text(f"{TABLE_HEADER}\n" + "".join(map(table_row, rows)))
    with open_windows(Request(str(table), str(fasta)), spec, tmp_path) as opened:
        again = [row for batch in scorable(opened.ledger, opened.reference, spec) for row in batch]
    assert [(*row.window[:6], row.sequence, row.values) for row in again] == [
        (*row.window[:6], row.sequence, row.values) for row in rows
    ]
    wider = spec._replace(tile=50)
    with (
        pytest.raises(InputError, match=r"t\.tsv:2: a \(b:400-420\) is not made of tiles"),
        open_windows(Request(str(table), str(fasta)), wider, tmp_path),
    ):
        pass
