"""Where windows are divided: at bins, chunks, places of the genome and ends of exons."""

from __future__ import annotations

import random

import pytest

from histpred.bundle.encoding import bundle_encoder, choose_encoder
from histpred.bundle.folder import load_bundle
from histpred.genome.regions import Window
from histpred.genome.windows import parse_window
from histpred.scoring.stretches import (
    Resolution,
    coarse_resolution,
    resolution_of,
    stretches_of,
    width_of,
)


def window(start: int, end: int, strand: str, blocks=None) -> Window:
    return Window("chr1", start, end, strand, "a", ".", ".", 1, blocks)


def test_the_bins_of_a_shipped_bundle_are_what_its_encoder_counts_at_once():
    choice = bundle_encoder(load_bundle())
    assert resolution_of(choice) == Resolution(200, 15_100)
    assert resolution_of(choice, 500) == Resolution(500, 15_100)
    read = window(18_000, 22_000, "+", ((2_900, 37_100),))
    found = stretches_of(read, 100_000, resolution_of(choice))
    assert found == [(start, start + 200) for start in range(2_900, 37_100, 200)]
    assert (19_900, 20_100) in found  # around the TSS


@pytest.mark.parametrize(
    ("chunks", "resolution"),
    [("window:300", Resolution(300)), ("grid:300", Resolution(300, grid=True))],
)
def test_chunks_are_what_other_encoders_see_at_once(chunks, resolution):
    choice = choose_encoder(None, "kmer", chunks, "body")
    assert resolution_of(choice) == resolution


def test_an_encoder_without_chunks_divides_a_window_into_twenty():
    choice = choose_encoder(None, "kmer", None, "body")
    found = stretches_of(window(100, 2_105, "+"), 9_000, resolution_of(choice))
    assert len(found) == 20
    assert found[0] == (100, 201)
    assert found[-1] == (2_019, 2_105)


def test_chunks_begin_at_the_five_prime_end():
    assert stretches_of(window(0, 70, "+"), 100, Resolution(30)) == [(0, 30), (30, 60), (60, 70)]
    assert stretches_of(window(0, 70, "-"), 100, Resolution(30)) == [(0, 10), (10, 40), (40, 70)]


def test_bins_of_the_genome_do_not_depend_on_the_strand():
    for strand in "+-":
        found = stretches_of(window(25, 70, strand), 100, Resolution(30, grid=True))
        assert found == [(25, 30), (30, 60), (60, 70)]


@pytest.mark.parametrize("strand", "+-")
def test_stretches_cover_what_is_read_once_and_end_where_chunks_do(strand):
    """The oracle walks along the bases that are read, 5' to 3', and cuts where a chunk ends."""
    rng = random.Random(2)
    for _ in range(200):
        borders = sorted(rng.sample(range(-20, 400), 2 * rng.randint(1, 4)))
        blocks = tuple(zip(borders[::2], borders[1::2], strict=True))
        length, step = 350, rng.randint(1, 60)
        read = window(max(0, borders[0]), borders[-1], strand, blocks)
        bases = [place for start, end in blocks for place in range(start, end)]
        chunk_of = {
            place: number // step
            for number, place in enumerate(bases if strand == "+" else bases[::-1])
        }
        found = stretches_of(read, length, Resolution(step))
        covered = [place for start, end in found for place in range(start, end)]
        assert covered == [place for place in bases if 0 <= place < length]
        for start, end in found:
            assert len({chunk_of[place] for place in range(start, end)}) == 1
            joined = end in chunk_of and chunk_of[end] == chunk_of[end - 1] and end < length
            assert not joined, (blocks, step, start, end)


def test_steps_of_a_profile():
    assert width_of(Resolution(200), parse_window("promoter:1000:1000")) == 200
    assert width_of(Resolution(None), parse_window("promoter:1000:1000")) == 100
    assert width_of(Resolution(None), parse_window("body")) == 500


@pytest.mark.parametrize("bundle", ["human-promoter", "yeast"])
def test_coarse_stretches_are_whole_bins_and_lie_alike_on_both_sides_of_the_tss(bundle):
    choice = bundle_encoder(load_bundle(bundle))
    reach = choice.window.upstream
    read = window(49_000, 51_000, "+", ((50_000 - reach, 50_000 + reach),))
    fine = stretches_of(read, 100_000, resolution_of(choice))
    coarse = stretches_of(read, 100_000, coarse_resolution(choice, 2 * reach, 40))
    assert len(coarse) <= 40 < len(fine)
    assert {place for one in coarse for place in one} <= {place for one in fine for place in one}
    assert [(100_000 - end, 100_000 - start) for start, end in coarse[::-1]] == coarse
    assert len({end - start for start, end in coarse[1:-1]}) == 1


@pytest.mark.parametrize("bins", range(1, 30))
def test_coarse_stretches_of_any_number_of_bins_lie_alike_on_both_sides(bins):
    """A bundle of this many bins of 20 bp, one of which may be around the middle."""
    choice = bundle_encoder(load_bundle())
    settings = {"bin_length": 20, "stretches": [[-10 * bins, 10 * bins]]}
    choice = choice._replace(spec=choice.spec.model_copy(update={"settings": settings}))
    for most in range(1, 12):
        resolution = coarse_resolution(choice, 20 * bins, most)
        read = window(1_000 - 10 * bins, 1_000 + 10 * bins, "+")
        found = stretches_of(read, 9_000, resolution)
        assert [(2_000 - end, 2_000 - start) for start, end in found[::-1]] == found
        assert all((start - 1_000 + 10 * bins) % 20 == 0 for start, _ in found)
        assert len(found) <= most + 2


def test_coarse_stretches_of_chunks_are_whole_chunks():
    choice = choose_encoder(None, "kmer", "grid:300", "body")
    assert coarse_resolution(choice, 30_000, 40) == Resolution(900, grid=True)
    assert coarse_resolution(choice, 3_000, 40) == Resolution(300, grid=True)
    assert coarse_resolution(choose_encoder(None, "kmer", None, "body"), 9_000, 40).length is None
