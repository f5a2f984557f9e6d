"""What the exons of one ID make without a line of a transcript."""

from __future__ import annotations

import pytest

from histpred.genome.loci import FAR, Run, loci


def run(line, *blocks, chrom="1", strand="+", source="A", numbers=()) -> Run:
    return Run(line, chrom, strand, source, blocks, numbers)


def made(*runs):
    return [(f.chrom, f.strand, f.start, f.end, f.problem, f.note) for f in loci(runs)]


def test_two_contigs_and_two_strands_are_separate_loci():
    note = "one of 3 loci with its ID"
    assert made(run(1, (0, 68)), run(2, (100, 168), strand="-"), run(3, (0, 68), chrom="2")) == [
        ("1", "+", 0, 68, "", note),
        ("1", "-", 100, 168, "", note),
        ("2", "+", 0, 68, "", note),
    ]


@pytest.mark.parametrize(
    ("numbers", "spans"),
    [
        ((1, 1, 1, 1), [(0, 9), (20, 29), (40, 49), (60, 69)]),
        ((1, 2, 1, 2), [(0, 29), (40, 69)]),
        ((2, 1, 2, 1), [(0, 29), (40, 69)]),
        ((1, 2, 3, 1), [(0, 49), (60, 69)]),
        ((1, 2, 3, 4), [(0, 69)]),
        ((0, 0, 0, 0), [(0, 69)]),
        ((1, 0, 1, 0), [(0, 69)]),
    ],
)
@pytest.mark.parametrize("turn", [1, -1])
def test_an_exon_number_that_starts_again_is_another_locus(numbers, spans, turn):
    blocks = ((0, 9), (20, 29), (40, 49), (60, 69))
    found = made(run(1, *blocks[::turn], numbers=numbers[::turn]))
    assert [row[2:4] for row in found] == spans
    assert {row[4] for row in found} == {""}


@pytest.mark.parametrize("numbers", [(1, 1, 2, 2), (1, 2, 3, 2)])
def test_exon_numbers_that_repeat_without_order_are_not_guessed(numbers):
    ((*_, problem, note),) = made(run(1, (0, 9), (20, 29), (40, 49), (60, 69), numbers=numbers))
    assert problem == "ambiguous-id"
    assert "exon_number" in note


@pytest.mark.parametrize("elsewhere", [{"strand": "-"}, {"chrom": "2"}])
def test_an_exon_number_that_goes_on_elsewhere_is_trans_splicing(elsewhere):
    runs = run(1, (0, 9), (20, 29), numbers=(1, 2)), run(3, (500, 509), numbers=(3,), **elsewhere)
    ((chrom, strand, start, end, problem, _),) = made(*runs)
    assert (chrom, strand, start, end) == ("1", "+", 0, 29)
    assert problem == "exons-on-two-strands-or-contigs"


def test_strands_within_each_other_are_one_transcript():
    found = made(run(1, (0, 9), (90, 99)), run(2, (40, 49), strand="-"))
    assert [row[4] for row in found] == ["exons-on-two-strands-or-contigs"]


def test_exons_without_strand_join_the_others():
    assert made(run(1, (0, 9), strand="."), run(2, (40, 49), strand="-"))[0][:5] == (
        *("1", "-", 0, 49),
        "",
    )


def test_exons_far_apart_are_kept_and_named():
    near = run(1, (0, 10), (FAR + 9, FAR + 20))
    far = run(1, (0, 10), (FAR + 10, FAR + 20))
    numbered = run(1, (0, 10), (FAR + 10, FAR + 20), numbers=(1, 2))
    assert made(near)[0][5] == made(numbered)[0][5] == ""
    assert made(far) == [
        ("1", "+", 0, FAR + 20, "", "exons 10000 bp apart: an intron, or two loci")
    ]
