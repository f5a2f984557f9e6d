"""One ID at several places: whose the exons are."""

from __future__ import annotations

import pytest

from histpred.genome.exon_owners import Place, agree, share
from histpred.genome.loci import Run


def place(line, start, end, chrom="1", strand="+", source="A") -> Place:
    return Place(line, chrom, start, end, strand, source)


def run(line, *blocks, chrom="1", strand="+", source="A", numbers=()) -> Run:
    return Run(line, chrom, strand, source, blocks, numbers)


def shared(places, *runs):
    return [(found.blocks, found.problem) for found in share(places, runs)]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("+", "+", True), ("+", "-", False), (".", "-", True), ("+", "?", True), (".", "?", True)],
)
def test_an_unknown_strand_contradicts_none(one, other, expected):
    assert agree(one, other) == agree(other, one) == expected


def test_exons_go_to_the_transcript_of_their_source():
    places = [place(1, 0, 100), place(4, 0, 120, source="B")]
    assert shared(
        places,
        run(2, (0, 10), (90, 100)),
        run(5, (0, 10), (50, 60), (110, 120), source="B"),
    ) == [([(0, 10), (90, 100)], ""), ([(0, 10), (50, 60), (110, 120)], "")]


def test_exons_of_a_third_source_go_to_the_only_transcript_that_covers_them():
    places = [place(1, 0, 100), place(4, 500, 600)]
    exons = run(2, (0, 10), (500, 510), source="C")
    assert shared(places, exons) == [([(0, 10)], ""), ([(500, 510)], "")]


@pytest.mark.parametrize("source", ["A", "C"])
def test_exons_that_fit_two_transcripts_are_not_guessed(source):
    places = [place(1, 0, 100), place(4, 0, 120)]
    found = share(places, [run(2, (0, 10), (110, 120), source=source)])
    assert [portion.problem for portion in found] == ["ambiguous-id"] * 2
    assert found[0].note == "exon 0-10 fits lines 1, 4, which share an ID"


def test_an_exon_whose_source_and_place_disagree_is_not_guessed():
    places = [place(1, 0, 100), place(4, 0, 120, source="B")]
    found = shared(places, run(2, (0, 10), (90, 110)))
    assert [problem for _, problem in found] == ["ambiguous-id"] * 2


@pytest.mark.parametrize("strand", ["+", "-"])
def test_an_exon_outside_its_transcript_is_a_problem(strand):
    found = share(
        [place(2, 599, 1000, strand=strand)], [run(3, (899, 1000), (499, 600), strand=strand)]
    )
    assert [portion.problem for portion in found] == ["exons-outside-the-transcript"]
    assert found[0].note == "exon 499-600 is not within 599-1000"


def test_only_the_transcript_at_hand_loses_its_exons():
    places = [place(1, 0, 100), place(4, 500, 600)]
    found = shared(places, run(2, (90, 110)), run(5, (500, 510)))
    assert found == [([], "exons-outside-the-transcript"), ([(500, 510)], "")]


@pytest.mark.parametrize("elsewhere", [{"strand": "-"}, {"chrom": "2"}])
def test_exons_on_another_strand_or_contig(elsewhere):
    found = shared([place(1, 0, 100)], run(2, (0, 10)), run(3, (20, 30), **elsewhere))
    assert [problem for _, problem in found] == ["exons-on-two-strands-or-contigs"]


@pytest.mark.parametrize("times", [1, 2])
def test_a_file_that_repeats_itself(times):
    places = [place(1, 0, 100), place(9, 0, 100)]
    runs = [run(2, (0, 10), (90, 100)), run(10, (0, 10), (90, 100))][:times]
    assert shared(places, *runs) == [([(0, 10), (90, 100)], "")] * 2


def test_two_transcripts_at_one_place_with_different_exons_are_not_mixed():
    places = [place(1, 0, 100), place(9, 0, 100)]
    found = share(places, [run(2, (0, 10), (90, 100)), run(10, (0, 20), (80, 100))])
    assert [portion.problem for portion in found] == ["ambiguous-id"] * 2
    assert found[0].note == "lines 1, 9 have the same ID and place"


def test_a_note_names_three_lines_and_how_many_there_are():
    """The notes of 4,000 lines with one ID made a ledger of 94 MB."""
    places = [Place(line, "1", 0, 90, "+", "A") for line in range(1, 41)]
    alike = share(places, [Run(50, "1", "+", "A", ((0, 9), (5, 20)))])
    assert {one.note for one in alike} == {"lines 1, 2, 3 and 37 more have the same ID and place"}
    places[-1] = places[-1]._replace(end=95)
    (note,) = {one.note for one in share(places, [Run(50, "1", "+", "A", ((0, 9),))])}
    assert note == "exon 0-9 fits lines 1, 2, 3 and 37 more, which share an ID"


@pytest.mark.parametrize(
    ("own", "exons", "expected"),
    [("+", ".", "+"), ("-", "?", "-"), (".", "-", "-"), ("?", "+", "+"), (".", ".", ".")],
)
def test_exons_and_transcripts_without_a_strand(own, exons, expected):
    (found,) = share([place(1, 0, 100, strand=own)], [run(2, (0, 10), strand=exons)])
    assert (found.strand, found.blocks, found.problem) == (expected, [(0, 10)], "")


def test_exons_of_two_strands_give_none_to_a_transcript_without():
    runs = [run(2, (0, 10)), run(3, (20, 30), strand="-")]
    (found,) = share([place(1, 0, 100, strand=".")], runs)
    assert found.problem == "exons-on-two-strands-or-contigs"


def test_many_transcripts_with_one_id_take_no_long_time():
    count = 20_000
    places = [place(i, i * 100, i * 100 + 50) for i in range(count)]
    found = share(places, [run(i, (i * 100, i * 100 + 9)) for i in range(count)])
    assert all(len(portion.blocks) == 1 and not portion.problem for portion in found)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("sources", ["A", "AB"])
def test_many_transcripts_with_one_id_at_one_place_take_no_long_time(sources):
    """4,000 of them took 35 s."""
    count = 8_000
    whose = [sources[i % len(sources)] for i in range(count)]
    places = [place(i, 0, 100, source=source) for i, source in enumerate(whose)]
    runs = [run(count + i, (0, 9), (50, 60), source=source) for i, source in enumerate(whose)]
    found = share(places, runs)
    assert {(tuple(one.blocks), one.problem) for one in found} == {(((0, 9), (50, 60)), "")}
    found[0].refuse("own", "")
    assert not found[1].problem
