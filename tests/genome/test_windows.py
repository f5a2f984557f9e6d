from __future__ import annotations

import random

import pytest

from histpred.core.errors import UsageError
from histpred.genome.reference import Reference
from histpred.genome.regions import KINDS, Feature
from histpred.genome.table import read_windows, table_row
from histpred.genome.windows import (
    WindowSpec,
    known_fraction,
    parse_window,
    place,
    place_unchanged,
    reads_around,
    row_of,
    usual,
    whole_tiles,
    window_n_fraction,
    window_sequence,
)
from support import reverse_complement, write_fasta

LENGTH = 100
EXONS = ((20, 30), (50, 60))


def placed(kind, start=20, end=60, strand="+", upstream=10, downstream=5, **of_feature):
    feature = Feature(1, "1", start, end, strand, "name", "gene", "lncRNA", **of_feature)
    return place(feature, "chr1", LENGTH, WindowSpec(kind, upstream, downstream, 0.5))


@pytest.mark.parametrize(
    ("kind", "strand", "expected"),
    [
        ("context", "+", (10, 60)),
        ("context", "-", (20, 70)),
        ("body", "+", (20, 60)),
        ("body", "-", (20, 60)),
        ("promoter", "+", (10, 25)),
        ("promoter", "-", (55, 70)),
        ("spliced", "+", (20, 60)),
        ("spliced", "-", (20, 60)),
        ("interval", "-", (20, 60)),
        ("interval", ".", (20, 60)),
    ],
)
def test_inside_the_contig(kind, strand, expected):
    window, reason, note = placed(kind, strand=strand, exons=EXONS)
    assert window[:4] == ("chr1", *expected, strand)
    assert (window.name, window.gene_id, window.biotype, window.line) == (
        "name",
        "gene",
        "lncRNA",
        1,
    )
    assert window.blocks == (EXONS if kind == "spliced" else None)
    assert (reason, note) == ("", "")


@pytest.mark.parametrize(
    ("kind", "start", "end", "strand", "expected", "lost"),
    [
        ("context", 4, 50, "+", (0, 50), 6),
        ("context", 50, 96, "-", (50, 100), 6),
        ("context", 0, 100, "+", (0, 100), 10),
        ("context", 0, 50, "-", (0, 60), 0),
        ("promoter", 0, 1, "+", (0, 5), 10),
        ("promoter", 99, 100, "-", (95, 100), 10),
        ("promoter", 98, 100, "+", (88, 100), 3),
        ("promoter", 0, 2, "-", (0, 12), 3),
        ("promoter", 0, 100, "-", (95, 100), 10),
        ("body", 90, 110, "+", (90, 100), 10),
        ("interval", 99, 100, "+", (99, 100), 0),
        ("interval", 99, 101, "-", (99, 100), 1),
    ],
)
def test_clipped_at_the_ends_of_the_contig_and_said_so(kind, start, end, strand, expected, lost):
    window, _, note = placed(kind, start, end, strand)
    assert (window.start, window.end) == expected
    assert note == (f"clipped by {lost} bp at the contig's end" if lost else "")


def test_exons_past_the_end_of_the_contig_are_clipped():
    exons = ((80, 85), (95, 105), (110, 120))
    window, _, note = placed("spliced", 80, 120, exons=exons)
    assert (window.start, window.end, window.blocks) == (80, 100, ((80, 85), (95, 100)))
    assert "clipped by 20 bp" in note


@pytest.mark.parametrize(
    ("kind", "feature", "reason"),
    [
        ("body", {"problem": "zero-length"}, "zero-length"),
        ("body", {"start": 100, "end": 110}, "outside-the-contig"),
        ("promoter", {"start": 300, "end": 310, "strand": "-"}, "outside-the-contig"),
        ("spliced", {}, "no-exon-lines"),
        *((kind, {"strand": "?", "exons": EXONS}, "unknown-strand") for kind in KINDS[:4]),
    ],
)
def test_without_a_window_there_is_a_reason(kind, feature, reason):
    window, found, _ = placed(kind, **feature)
    assert window is None
    assert found == reason


def test_an_unknown_contig():
    feature = Feature(1, "chrZ", 0, 10, "+", "a")
    assert place(feature, None, 0, usual("body")).reason == "unknown-contig"


def test_an_unknown_strand_does_not_matter_for_an_interval():
    window, reason, _ = placed("interval", strand="?")
    assert (window.start, window.end, reason) == (20, 60, "")


def test_what_the_reader_changed_stays_in_the_note():
    assert placed("body", note="read so").note == "read so"
    assert placed("context", 4, 9, note="read so").note.startswith("read so; clipped by 6")


def test_usual_reaches():
    assert {kind: usual(kind)[1:3] for kind in KINDS} == {
        "context": (30_000, 0),
        "body": (0, 0),
        "promoter": (1_000, 1_000),
        "spliced": (0, 0),
        "interval": (0, 0),
    }


# Read with what is around


@pytest.mark.parametrize("strand", "+-")
@pytest.mark.parametrize(("kind", "up", "down"), [("promoter", 30, 50), ("interval", 40, 25)])
def test_whole_windows_are_read_in_full_length_with_n_beyond_the_contig(
    kind, up, down, strand, tmp_path
):
    rng = random.Random(4)
    contig = "".join(rng.choices("ACGT", k=LENGTH))
    padded = "N" * LENGTH + contig + "N" * LENGTH
    spec = WindowSpec(kind, up, down, 0.5, whole=True)
    with Reference(write_fasta(tmp_path / "genome.fa", {"chr1": contig}), tmp_path) as reference:
        for start, end in [(0, 1), (0, 100), (3, 10), (20, 60), (45, 46), (70, 100), (99, 100)]:
            feature = Feature(1, "1", start, end, strand, "name")
            window, _, note = place(feature, "chr1", LENGTH, spec)
            if kind == "interval":
                assert (window.start, window.end) == (start, end)
                point = (start + end) // 2
            else:
                point = start if strand == "+" else end
            first, last = (
                (point - up, point + down) if strand == "+" else (point - down, point + up)
            )
            expected = padded[LENGTH + first : LENGTH + last]
            expected = reverse_complement(expected) if strand == "-" else expected
            assert window_sequence(window, reference).decode() == expected
            missing = max(-first, 0) + max(last - LENGTH, 0)
            beyond = f"clipped by {missing} bp at the contig's end"
            assert note == (beyond if missing and kind == "promoter" else "")
            if kind == "promoter":
                assert (window.start, window.end) == (max(first, 0), min(last, LENGTH))
                assert reads_around(window) == (missing > 0)


@pytest.mark.parametrize("strand", "+-")
def test_a_promoter_may_show_less_than_is_read(strand):
    spec = WindowSpec("promoter", 40, 40, 0.5, whole=True, shown=8)
    for start, end in [(0, 1), (3, 60), (50, 60), (95, 100)]:
        window = place(Feature(1, "1", start, end, strand, "a"), "chr1", LENGTH, spec).window
        point = start if strand == "+" else end
        assert (window.start, window.end) == (max(point - 8, 0), min(point + 8, LENGTH))
        assert window.blocks == ((point - 40, point + 40),)
        assert reads_around(window)


def test_n_counts_where_it_lies_in_the_window_itself(tmp_path):
    contig = "N" * 30 + "ACGT" * 10 + "N" * 30
    fasta = write_fasta(tmp_path / "genome.fa", {"chr1": contig})
    with Reference(fasta, tmp_path) as reference:
        for spec, start, end, expected in [
            (WindowSpec("interval", 50, 50, 0.5, whole=True), 30, 70, 0),
            (WindowSpec("interval", 50, 50, 0.5, whole=True), 20, 40, 0.5),
            (WindowSpec("interval", 5, 5, 0.5, whole=True), 20, 60, 0),
            (WindowSpec("interval", 0, 0, 0.5), 20, 40, 0.5),
            (WindowSpec("promoter", 50, 10, 0.5, whole=True), 40, 60, 0.6),
            (WindowSpec("promoter", 50, 10, 0.5), 40, 60, 0.6),
        ]:
            window = place(Feature(1, "1", start, end, "+", "a"), "chr1", LENGTH, spec).window
            sequence = window_sequence(window, reference)
            assert window_n_fraction(window, sequence, reference) == pytest.approx(expected)


@pytest.mark.parametrize("row", [(0, 1), (0, 200), (199, 201), (200, 400), (350, 990), (0, 990)])
def test_tiles_are_those_of_the_contig_that_a_row_touches(row):
    whole = [(start, min(start + 200, 990)) for start in range(0, 990, 200)]
    touched = [tile for tile in whole if tile[0] < row[1] and row[0] < tile[1]]
    assert whole_tiles(*row, 990, 200) == (touched[0][0], touched[-1][1])


@pytest.mark.parametrize(
    "text", ["context:5", "promoter:3:0", "interval:15100:15100", "interval", "body", "spliced"]
)
def test_a_window_reads_as_it_is_written(text):
    assert str(parse_window(text)) == text


def test_an_interval_with_a_reach_is_whole():
    assert parse_window("interval:10:20") == WindowSpec("interval", 10, 20, 0.5, whole=True)
    assert not parse_window("interval").whole


@pytest.mark.parametrize(
    "text", ["context:10000001", "promoter:1:99999999", "context:" + "9" * 5000]
)
def test_a_window_without_end_is_refused(text):
    """With N outside the contig, each window takes the memory that its reach says."""
    with pytest.raises(UsageError, match="to one side") as caught:
        parse_window(text)
    assert caught.value.hint == "give at most 10,000,000 bp upstream and downstream"
    assert len(str(caught.value)) < 300


KNOWN = [
    # kind, start, end, strand, reach, whole, shown, share of the bases to be read that are known
    ("context", 40, 60, "+", (40, 0), False, 0, 40 / 60),  # 0-60, of which 0-20 are N
    ("context", 40, 60, "+", (80, 0), False, 0, 40 / 100),  # and 40 bp before the contig
    ("context", 40, 60, "-", (80, 0), False, 0, 60 / 100),  # 40 bp behind it
    ("body", 10, 30, "+", (0, 0), False, 0, 0.5),
    ("body", 90, 110, "+", (0, 0), False, 0, 0.5),
    ("promoter", 10, 30, "+", (30, 30), False, 0, 20 / 60),
    ("promoter", 10, 30, "+", (30, 30), True, 0, 20 / 60),
    ("promoter", 10, 30, "+", (30, 30), True, 5, 20 / 60),
    ("promoter", 50, 60, "-", (10, 10), True, 0, 1),
    ("interval", 40, 60, ".", (0, 0), False, 0, 1),
    ("interval", 40, 60, ".", (50, 150), True, 0, 80 / 200),
    ("spliced", 10, 130, "-", (0, 0), False, 0, 30 / 60),  # exons 10-30, 80-100, 110-130
]


@pytest.mark.parametrize("row", KNOWN, ids=lambda row: f"{row[0]} {row[1]}-{row[2]} {row[4]}")
def test_known_is_what_lies_on_the_contig_and_is_not_n(row, tmp_path):
    """Also after a table of windows was written and read again."""
    kind, start, end, strand, reach, whole, shown, expected = row
    fasta = write_fasta(tmp_path / "genome.fa", {"chr1": "N" * 20 + "ACGT" * 20})
    spec = WindowSpec(kind, *reach, 1.0, whole, shown)
    exons = ((10, 30), (80, 100), (110, 130)) if kind == "spliced" else None
    feature = Feature(1, "1", start, end, strand, "a", exons=exons)
    with Reference(fasta, tmp_path) as reference:
        window = place(feature, "chr1", LENGTH, spec).window
        sequence = window_sequence(window, reference)
        assert known_fraction(window, sequence) == pytest.approx(expected)
        line = table_row(row_of(window, sequence, 0))
        (again,) = read_windows("x.tsv", [(2, line.rstrip("\n"))])
        assert place_unchanged(again, "chr1", LENGTH).window._replace(line=1) == window
