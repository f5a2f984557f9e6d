from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histpred.core.errors import UsageError
from histpred.encoders.chunks import (
    GRID,
    WINDOW,
    Chunk,
    ChunkPolicy,
    check_window,
    chunks_of,
    known_part,
    parse_chunks,
    pool,
)
from histpred.genome.regions import KINDS, SPLICED, Window
from support import reverse_complement


class Genome:
    """What `pieces` needs of a reference, from a dictionary."""

    def __init__(self, contigs: dict[str, str]) -> None:
        self.contigs = contigs
        self.lengths = {name: len(sequence) for name, sequence in contigs.items()}

    def fetch(self, contig: str, start: int, end: int, strand: str = "+") -> bytes:
        assert 0 <= start <= end <= self.lengths[contig]
        part = self.contigs[contig][start:end]
        return (reverse_complement(part) if strand == "-" else part).encode()


def cut(
    genome: Genome, start: int, end: int, strand: str, chunks: ChunkPolicy | None
) -> list[Chunk]:
    window = Window("chr1", start, end, strand, "a", ".", ".", 1)
    return chunks_of(window, genome.fetch("chr1", start, end, strand), genome, chunks)


def walk(sequence: str, start: int, end: int, strand: str, length: int) -> list[Chunk]:
    """The bins of a contig that have a base in [start, end), found base by base."""
    letters: dict[int, str] = defaultdict(str)
    inside: Counter[int] = Counter()
    known: Counter[int] = Counter()
    for position, letter in enumerate(sequence):
        number = position // length
        letters[number] += letter
        if letter != "N":
            known[number] += 1
            inside[number] += start <= position < end
    found = []
    for number, count in inside.items():
        if count:
            own = letters[number]
            on_strand = reverse_complement(own) if strand == "-" else own
            found.append(Chunk(on_strand.encode(), count / known[number]))
    return found


runs = st.tuples(st.text("ACGT", min_size=1, max_size=30), st.integers(0, 40))
sequences = st.lists(runs, min_size=1, max_size=4).map(
    lambda parts: "".join(bases + "N" * unknown for bases, unknown in parts)
)


@st.composite
def windows(draw) -> tuple[str, int, int, str, int]:
    """A contig, a window on it, and the length of a bin; borders often lie on those of bins."""
    sequence = draw(sequences)
    length = draw(st.integers(1, 35))
    borders = st.integers(0, len(sequence)) | st.integers(0, len(sequence) // length).map(
        lambda number: number * length
    )
    start, end = sorted((draw(borders), draw(borders)))
    if start == end:
        start, end = (start - 1, end) if start else (start, end + 1)
    return sequence, start, end, draw(st.sampled_from("+-.")), length


@given(st.text("ACGT", max_size=200), st.integers(1, 60))
def test_window_pieces_join_back_to_the_window(sequence, length):
    genome = Genome({"chr1": sequence})
    found = cut(genome, 0, len(sequence), "+", ChunkPolicy(WINDOW, length))
    assert b"".join(piece.sequence for piece in found) == sequence.encode()
    assert all(len(piece.sequence) == length for piece in found[:-1])
    assert all(0 < len(piece.sequence) <= length and piece.share == 1 for piece in found)


def test_window_pieces_start_at_the_windows_own_first_base():
    genome = Genome({"chr1": "AACCCTTTTG"})
    plus = cut(genome, 1, 9, "+", ChunkPolicy(WINDOW, 3))
    minus = cut(genome, 1, 9, "-", ChunkPolicy(WINDOW, 3))
    assert [piece.sequence for piece in plus] == [b"ACC", b"CTT", b"TT"]
    assert [piece.sequence for piece in minus] == [b"AAA", b"AGG", b"GT"]


@given(windows())
def test_without_chunks_the_window_is_its_own_piece(example):
    sequence, start, end, strand, _ = example
    genome = Genome({"chr1": sequence})
    own = genome.fetch("chr1", start, end, strand)
    expected = [Chunk(own, 1.0)] if own.strip(b"N") else []
    assert cut(genome, start, end, strand, None) == expected


@given(windows())
def test_grid_pieces_are_those_found_base_by_base(example):
    sequence, start, end, strand, length = example
    found = cut(Genome({"chr1": sequence}), start, end, strand, ChunkPolicy(GRID, length))
    assert sorted(found) == sorted(walk(sequence, start, end, strand, length))


GENOME = "ACGTA" + "CCCCC" + "GGTGG" + "NNNNN" + "TTNNA" + "GA"  # bins of 5, the last cut short


@pytest.mark.parametrize(
    ("start", "end", "strand", "expected"),
    [
        (5, 10, "+", [(b"CCCCC", 1)]),  # a bin, border to border
        (6, 8, "+", [(b"CCCCC", 0.4)]),  # smaller than a bin
        (5, 12, "+", [(b"CCCCC", 1), (b"GGTGG", 0.4)]),  # starts on a border
        (3, 10, "+", [(b"ACGTA", 0.4), (b"CCCCC", 1)]),  # ends on a border
        (3, 10, "-", [(b"TACGT", 0.4), (b"GGGGG", 1)]),  # the other strand: the same bins
        (14, 21, "+", [(b"GGTGG", 0.2), (b"TTNNA", 1 / 3)]),  # the bin of Ns is left out
        (22, 24, "+", []),  # no base of its own, though its bin has some
        (24, 27, "+", [(b"TTNNA", 1 / 3), (b"GA", 1)]),  # up to the contig's end
        (26, 27, "-", [(b"TC", 0.5)]),
        (15, 20, "+", []),
    ],
)
def test_bins_lie_on_the_genome_and_count_with_their_share_of_bases(start, end, strand, expected):
    found = cut(Genome({"chr1": GENOME}), start, end, strand, ChunkPolicy(GRID, 5))
    assert sorted(found) == sorted(Chunk(sequence, share) for sequence, share in expected)


@given(st.data(), st.integers(1, 12), st.integers(1, 8))
def test_the_strands_mirror_each_other_where_the_grid_does(data, length, bins):
    size = length * bins
    sequence = data.draw(st.text("ACGTN", min_size=size, max_size=size))
    start = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(start + 1, size))
    minus = cut(Genome({"chr1": sequence}), start, end, "-", ChunkPolicy(GRID, length))
    mirrored = Genome({"chr1": reverse_complement(sequence)})
    assert minus == cut(mirrored, size - end, size - start, "+", ChunkPolicy(GRID, length))[::-1]


@pytest.mark.parametrize("chunks", [None, ChunkPolicy(WINDOW, 4), ChunkPolicy(GRID, 4)])
def test_a_window_of_n_has_no_pieces_and_zeros_as_its_vector(chunks):
    found = cut(Genome({"chr1": "ACGT" + "N" * 20}), 6, 17, "+", chunks)
    assert found == []
    vector = pool(np.zeros((0, 3), np.float32), np.zeros(0, int), np.zeros(0), chunks)
    assert vector.dtype == np.float32
    np.testing.assert_array_equal(vector, np.zeros(3))


def test_chunks_of_n_are_left_out():
    found = cut(Genome({"chr1": "ACGTNNNNNNNNACNN"}), 0, 16, "+", ChunkPolicy(WINDOW, 4))
    assert [piece.sequence for piece in found] == [b"ACGT", b"ACNN"]


def pooled(vectors, tokens, shares, chunks) -> list[float]:
    result = pool(np.array(vectors, np.float32), np.array(tokens), np.array(shares), chunks)
    assert result.dtype == np.float32
    return result.tolist()


def test_window_chunks_count_alike_however_many_tokens_they_have():
    vectors = [[1, 0], [2, 4], [6, 2]]
    assert pooled(vectors, [10, 1, 5], [1, 1, 1], ChunkPolicy(WINDOW, 9)) == [3, 2]


def test_a_chunk_without_a_token_does_not_count():
    vectors = [[1, 8], [0, 0], [3, 4]]
    assert pooled(vectors, [10, 0, 5], [1, 1, 1], ChunkPolicy(WINDOW, 9)) == [2, 6]
    assert pooled(vectors, [6, 0, 2], [1, 1, 1], ChunkPolicy(GRID, 9)) == [1.5, 7]


def test_bins_count_with_their_tokens_times_their_share():
    vectors = [[1, 0], [2, 4], [6, 8]]
    # weights 4, 3 and 1
    assert pooled(vectors, [8, 3, 4], [0.5, 1, 0.25], ChunkPolicy(GRID, 9)) == [2, 2.5]


@pytest.mark.parametrize("chunks", [None, ChunkPolicy(WINDOW, 4), ChunkPolicy(GRID, 4)])
def test_one_piece_keeps_its_vector_to_the_last_bit(chunks):
    vector = [0.1, -1e-30, 3e20]
    assert pooled([vector], [7], [0.3], chunks) == np.array(vector, np.float32).tolist()


@pytest.mark.parametrize("chunks", [ChunkPolicy(WINDOW, 4), ChunkPolicy(GRID, 4)])
def test_pieces_without_any_token_give_zeros(chunks):
    assert pooled([[1, 2], [3, 4]], [0, 0], [1, 0.5], chunks) == [0, 0]


@pytest.mark.parametrize(
    ("text", "chunks"),
    [
        ("window:1000", ChunkPolicy(WINDOW, 1000)),
        ("grid:1", ChunkPolicy(GRID, 1)),
        ("grid:2147483647", ChunkPolicy(GRID, 2**31 - 1)),
    ],
)
def test_chunks_are_read_and_written_alike(text, chunks):
    assert parse_chunks(text) == chunks
    assert str(chunks) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "grid", "grid:", ":5", "Grid:5", "bins:5", "grid:0", "grid:-5", "grid:5.0"),
        *("grid:1e3", "grid: 5", "grid:5 ", "grid:5:5", "grid:2147483648", "grid:²"),
        pytest.param("grid:" + "9" * 5000, id="5000 digits"),
    ],
)
def test_other_forms_of_chunks_are_refused(text):
    with pytest.raises(UsageError, match="does not describe chunks") as raised:
        parse_chunks(text)
    assert "grid:2000" in raised.value.hint


def test_spliced_windows_lie_on_no_grid():
    with pytest.raises(UsageError, match="do not lie on a grid"):
        check_window(ChunkPolicy(GRID, 100), SPLICED)


def test_a_spliced_window_of_a_table_lies_on_no_grid_either():
    window = Window("chr1", 0, 8, "+", "a", ".", ".", 1, ((0, 2), (6, 8)))
    with pytest.raises(UsageError, match="do not lie on a grid"):
        chunks_of(window, b"ACGT", Genome({"chr1": "ACGTACGT"}), ChunkPolicy(GRID, 4))


@pytest.mark.parametrize("chunks", [None, ChunkPolicy(WINDOW, 4), ChunkPolicy(GRID, 4)])
@pytest.mark.parametrize("kind", KINDS)
def test_every_other_window_can_be_cut(chunks, kind):
    if chunks != ChunkPolicy(GRID, 4) or kind != SPLICED:
        check_window(chunks, kind)


@given(st.text("ACGTN").map(str.encode))
def test_around_the_known_part_lie_only_n(sequence):
    first, last = known_part(sequence)
    assert sequence[first:last] == sequence.strip(b"N")
    assert (sequence[:first] + sequence[last:]).count(b"N") == len(sequence) - (last - first)
