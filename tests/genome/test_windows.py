from __future__ import annotations

import pytest

from histpred.core.regions import KINDS, Feature
from histpred.genome.windows import WindowSpec, place, usual

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
