from __future__ import annotations

import hashlib
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histpred.core.errors import ModelError
from histpred.encoders import Embedded
from histpred.encoders import embedder as stage
from histpred.encoders.chunks import GRID, WINDOW, ChunkPolicy
from histpred.encoders.embedder import EmbeddedWindows, Embedder, embed_chunks, embed_sequences
from histpred.encoders.store import Store, chunk_key
from histpred.genome.regions import Window
from histpred.genome.windows import Row, row_of
from support import random_genome, reverse_complement

DIMENSION = 6
IDENTITY = {"kind": "fake", "dimension": DIMENSION}
Place = tuple[int, int, str]


def vector_of(piece: bytes) -> np.ndarray:
    """Numbers that no two pieces share: from -1 to 1, drawn by the piece's digest."""
    seed = int.from_bytes(hashlib.sha256(piece).digest()[:8])
    return np.random.default_rng(seed).uniform(-1, 1, DIMENSION).astype(np.float32)


class Fake:
    """An encoder whose tokens are bases; it remembers its calls and may fail at a piece."""

    dimension = DIMENSION
    longest = None
    device = "cpu"
    precision = "fp32"
    files = ()

    def __init__(self, chunks_at_once: int = 4, fails_at: bytes = b"", nan_at: bytes = b"") -> None:
        self.chunks_at_once = chunks_at_once
        self.fails_at, self.nan_at = fails_at, nan_at
        self.calls: list[tuple[bytes, ...]] = []
        self._lock = threading.Lock()

    def embed(self, pieces: Sequence[bytes]) -> Embedded:
        with self._lock:
            self.calls.append(tuple(pieces))
        if self.fails_at in pieces:
            raise RuntimeError("the encoder broke")
        vectors = np.array([vector_of(piece) for piece in pieces]).reshape(-1, DIMENSION)
        vectors[[i for i, piece in enumerate(pieces) if piece == self.nan_at], 2] = np.nan
        return Embedded(vectors, np.array([len(piece) - piece.count(b"N") for piece in pieces]))

    @property
    def seen(self) -> Counter[bytes]:
        return Counter(piece for call in self.calls for piece in call)


class Genome:
    """One contig, as far as the embedder needs a reference."""

    def __init__(self, sequence: str) -> None:
        self.sequence = sequence
        self.lengths = {"chr1": len(sequence)}

    def fetch(self, contig: str, start: int, end: int, strand: str = "+") -> bytes:
        assert 0 <= start <= end <= self.lengths[contig]
        part = self.sequence[start:end]
        return (reverse_complement(part) if strand == "-" else part).encode()


def batches(genome: Genome, places: Sequence[Place], size: int = 5) -> Iterator[list[Row]]:
    for first in range(0, len(places), size):
        some = list(enumerate(places))[first : first + size]
        rows = []
        for number, place in some:
            sequence = genome.fetch("chr1", *place)
            window = Window("chr1", *place, f"w{number}", ".", ".", number)
            rows.append(row_of(window, sequence, sequence.count(b"N") / len(sequence)))
        yield rows


def embed(
    encoder: Fake,
    genome: Genome,
    places: Sequence[Place],
    chunks: ChunkPolicy | None,
    store: Path | None = None,
) -> tuple[np.ndarray, Embedder, list[EmbeddedWindows]]:
    embedder = Embedder(encoder, chunks, Store(store, IDENTITY) if store else None)
    found = list(embedder.embed(batches(genome, places), genome))
    vectors = [windows.vectors for windows in found] or [np.zeros((0, DIMENSION), np.float32)]
    return np.vstack(vectors), embedder, found


def by_hand(genome: Genome, place: Place, chunks: ChunkPolicy | None) -> np.ndarray:
    """A window's vector: of a grid base by base, each real base counting with its bin's vector."""
    start, end, strand = place
    if chunks is None or chunks.policy == WINDOW:
        sequence = genome.fetch("chr1", *place)
        length = chunks.length if chunks else len(sequence)
        cut = [sequence[i : i + length] for i in range(0, len(sequence), length)]
        rows = [vector_of(piece) for piece in cut if set(piece) != {ord("N")}]
    else:
        length, sequence = chunks.length, genome.sequence
        rows = []
        for position in range(start, end):
            if sequence[position] != "N":
                left = position // length * length
                right = min(left + length, len(sequence))
                rows.append(vector_of(genome.fetch("chr1", left, right, strand)))
    return np.mean(rows, axis=0, dtype=float) if rows else np.zeros(DIMENSION)


def bins(genome: Genome, places: Sequence[Place], length: int) -> set[bytes]:
    """The bins, with a base, of the union of windows, on each strand that a window lies on."""
    size = len(genome.sequence)
    found = {
        genome.fetch("chr1", left, min(left + length, size), strand)
        for start, end, strand in places
        for left in range(start // length * length, end, length)
    }
    return {sequence for sequence in found if set(sequence) != {ord("N")}}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder for a store."""
    pytest.importorskip("pyarrow", reason="needs the extra encoders")
    return tmp_path / "store"


@pytest.fixture(scope="module")
def genome() -> Genome:
    """3,000 bases, a tenth of them N."""
    return Genome(random_genome(random.Random(1), {"chr1": 3000}, n_fraction=0.1)["chr1"])


@pytest.fixture(scope="module")
def places() -> list[Place]:
    """40 overlapping windows in genome order, some of them long."""
    rng = random.Random(2)
    starts = sorted(rng.randrange(2900) for _ in range(40))
    ends = [min(start + rng.choice([30, 100, 900]), 3000) for start in starts]
    return [(start, end, rng.choice("+-")) for start, end in zip(starts, ends, strict=True)]


POLICIES = [None, ChunkPolicy(WINDOW, 70), ChunkPolicy(GRID, 70)]


# What comes out


@pytest.mark.parametrize("chunks", POLICIES, ids=str)
@pytest.mark.parametrize("chunks_at_once", [1, 4, 1000])
def test_every_window_has_the_vector_found_by_hand(chunks_at_once, chunks, genome, places):
    vectors, _, found = embed(Fake(chunks_at_once), genome, places, chunks)
    assert vectors.dtype == np.float32
    expected = [by_hand(genome, place, chunks) for place in places]
    np.testing.assert_allclose(vectors, expected, atol=2e-6)
    windows = [row.window for unit in found for row in unit.rows]
    assert [window.name for window in windows] == [f"w{number}" for number in range(len(places))]
    assert [window[1:4] for window in windows] == places
    shares = [row.values[-1] for unit in found for row in unit.rows]
    assert shares == [row.values[-1] for batch in batches(genome, places) for row in batch]
    assert [len(unit.rows) for unit in found] == [len(unit.vectors) for unit in found]


@given(st.data())
def test_windows_in_any_order_and_of_any_size(data):
    text = st.text("ACGTN", min_size=1, max_size=120)
    genome = Genome(data.draw(text))
    size = len(genome.sequence)
    interval = st.tuples(st.integers(0, size - 1), st.integers(1, 40), st.sampled_from("+-"))
    drawn = data.draw(st.lists(interval, max_size=12))
    places = [(start, min(start + length, size), strand) for start, length, strand in drawn]
    policy = data.draw(st.sampled_from([WINDOW, GRID]))
    chunks = ChunkPolicy(policy, data.draw(st.integers(1, 30)))
    encoder = Fake(data.draw(st.integers(1, 5)))
    vectors, _, _ = embed(encoder, genome, places, chunks)
    expected = [by_hand(genome, place, chunks) for place in places]
    np.testing.assert_allclose(vectors, np.reshape(expected, (-1, DIMENSION)), atol=2e-6)
    assert all(0 < len(call) <= encoder.chunks_at_once for call in encoder.calls)


@pytest.mark.parametrize("chunks", POLICIES, ids=str)
def test_a_window_alone_has_the_same_bits_as_among_others(chunks, genome, places):
    together, _, _ = embed(Fake(), genome, places, chunks)
    for row, place in enumerate(places[::5]):
        alone, _, _ = embed(Fake(), genome, [place], chunks)
        assert alone[0].tobytes() == together[5 * row].tobytes()


@pytest.mark.parametrize("chunks", POLICIES, ids=str)
def test_a_window_without_a_base_has_zeros_and_costs_nothing(chunks):
    genome = Genome("ACGT" + "N" * 400 + "ACGT")
    encoder = Fake()
    vectors, embedder, _ = embed(encoder, genome, [(100, 200, "+"), (150, 333, "-")], chunks)
    assert vectors.tolist() == [[0] * DIMENSION] * 2
    assert encoder.calls == []
    assert (embedder.embedded, embedder.reused) == (0, 0)


def test_no_windows_no_calls(genome, folder):
    encoder = Fake()
    vectors, _, found = embed(encoder, genome, [], ChunkPolicy(GRID, 70), folder)
    assert (len(vectors), found, encoder.calls) == (0, [], [])


# How much is computed


def test_each_bin_is_embedded_once(genome, places, folder):
    encoder = Fake()
    _, embedder, _ = embed(encoder, genome, places, ChunkPolicy(GRID, 70), folder)
    assert encoder.seen == Counter(bins(genome, places, 70))
    assert embedder.embedded == len(encoder.seen)


def test_without_a_store_neighbours_share_their_bins(genome):
    """Windows one after the other: what the unit before has is not computed again."""
    places = [(start, start + 300, "+") for start in range(0, 2700, 20)]
    encoder = Fake()
    _, embedder, _ = embed(encoder, genome, places, ChunkPolicy(GRID, 50))
    assert len(encoder.calls) > 5
    assert encoder.seen == Counter(bins(genome, places, 50))
    assert embedder.embedded == len(encoder.seen)


def test_the_two_strands_have_bins_of_their_own():
    genome = Genome(random_genome(random.Random(3), {"chr1": 400})["chr1"])
    encoder = Fake()
    embed(encoder, genome, [(0, 400, "+"), (0, 400, "-")], ChunkPolicy(GRID, 100))
    assert len(encoder.seen) == 8


@pytest.mark.parametrize("stored", [False, True])
def test_isoforms_cost_what_their_union_costs(stored, folder):
    """50 isoforms of one gene, each with 30 kb before it: the paper's windows of context."""
    rng = random.Random(4)
    genome = Genome(random_genome(rng, {"chr1": 120_000})["chr1"])
    starts = [rng.randrange(30_500, 42_000) for _ in range(50)]
    places = sorted((start - 30_000, start + rng.randrange(200, 9_000), "+") for start in starts)
    encoder = Fake(chunks_at_once=8)
    _, embedder, _ = embed(
        encoder, genome, places, ChunkPolicy(GRID, 500), folder if stored else None
    )
    left, right = places[0][0] // 500, -(-max(end for _, end, _ in places) // 500)
    assert embedder.embedded == sum(encoder.seen.values()) == right - left
    windows = sum(end - start for start, end, _ in places) / 500
    assert windows > 20 * embedder.embedded


@pytest.mark.parametrize("chunks_at_once", [1, 3, 7])
def test_no_call_is_larger_than_the_encoder_asks_for(chunks_at_once, genome, places):
    encoder = Fake(chunks_at_once)
    embed(encoder, genome, places, ChunkPolicy(WINDOW, 30))
    sizes = Counter(map(len, encoder.calls))
    assert max(sizes) == chunks_at_once
    assert sizes[chunks_at_once] > len(encoder.calls) / 3


def test_windows_that_cost_nothing_still_come_out_in_units(genome, monkeypatch):
    monkeypatch.setattr(stage, "WINDOWS_AT_ONCE", 10)
    places = [(500, 600, "+")] * 25
    vectors, embedder, found = embed(Fake(1000), genome, places, ChunkPolicy(GRID, 50))
    assert [len(unit.rows) for unit in found] == [10, 10, 5]
    assert embedder.embedded == len(bins(genome, places, 50))
    assert len({row.tobytes() for row in vectors}) == 1


def test_windows_are_read_little_ahead_of_what_comes_out(genome, places):
    """Memory: two units are on their way, not all of the annotation."""
    taken = 0

    def counted() -> Iterator[list[Row]]:
        nonlocal taken
        for batch in batches(genome, places * 5, size=1):
            taken += 1
            yield batch

    running = Embedder(Fake(4), ChunkPolicy(WINDOW, 70), None).embed(counted(), genome)
    given = len(next(running).rows)
    assert taken <= given + 4
    running.close()


# With a store


def test_a_second_run_embeds_nothing_and_has_the_same_bits(genome, places, folder):
    chunks = ChunkPolicy(GRID, 70)
    first, one, _ = embed(Fake(), genome, places, chunks, folder)
    encoder = Fake()
    second, two, _ = embed(encoder, genome, places, chunks, folder)
    assert encoder.calls == []
    assert (two.embedded, one.embedded) == (0, len(bins(genome, places, 70)))
    assert two.reused >= one.embedded
    assert second.tobytes() == first.tobytes() == embed(Fake(), genome, places, chunks)[0].tobytes()


@pytest.mark.parametrize("chunks", POLICIES[1:], ids=str)
@pytest.mark.parametrize("done", [1, 2, 5, 9])
def test_a_run_that_goes_on_makes_the_calls_that_are_left(done, chunks, genome, places, folder):
    """A batch decides a vector's last bits on a GPU: it must not depend on what is stored."""
    unbroken = Fake()
    expected, _, _ = embed(unbroken, genome, places, chunks)
    whole = Fake()
    embed(whole, genome, places, chunks, folder)
    store = Store(folder.with_name("begun"), IDENTITY)
    first, left = whole.calls[:done], whole.calls[done:]
    assert left
    for call in first:
        store.add([chunk_key(piece) for piece in call], Fake().embed(call))

    encoder = Fake()
    vectors, embedder, _ = embed(encoder, genome, places, chunks, folder.with_name("begun"))
    assert Counter(encoder.calls) == Counter(left)
    assert embedder.embedded == sum(map(len, left))
    assert vectors.tobytes() == expected.tobytes()


def test_a_stored_piece_changes_no_call_but_its_own(genome, folder):
    """One window whose pieces fill several calls."""
    places, chunks = [(0, 3000, "+")], ChunkPolicy(WINDOW, 70)
    whole = Fake()
    embed(whole, genome, places, chunks)
    piece = whole.calls[0][1]
    assert len(whole.calls) > 5
    store = Store(folder, IDENTITY)
    store.add([chunk_key(piece)], Fake().embed([piece]))
    encoder = Fake()
    embed(encoder, genome, places, chunks, folder)
    own = tuple(other for other in whole.calls[0] if other != piece)
    assert Counter(encoder.calls) == Counter([own, *whole.calls[1:]])


def test_other_windows_use_what_is_stored(genome, places, folder):
    chunks = ChunkPolicy(GRID, 70)
    embed(Fake(), genome, places[:20], chunks, folder)
    encoder = Fake()
    vectors, embedder, _ = embed(encoder, genome, places, chunks, folder)
    new = bins(genome, places, 70) - bins(genome, places[:20], 70)
    assert encoder.seen == Counter(new)
    assert embedder.embedded == len(new) > 0
    np.testing.assert_array_equal(vectors, embed(Fake(), genome, places, chunks)[0])


def test_keys_that_share_their_first_half_only_cost_time(genome, places, folder, monkeypatch):
    """All pieces in four heaps of the index."""

    def alike(sequence: bytes) -> bytes:
        key = chunk_key(sequence)
        return bytes(7) + bytes([key[0] % 4]) + key[8:]

    chunks = ChunkPolicy(GRID, 70)
    expected, _, _ = embed(Fake(), genome, places, chunks)
    monkeypatch.setattr(stage, "chunk_key", alike)
    for _ in range(2):
        vectors, _, _ = embed(Fake(), genome, places, chunks, folder)
        assert vectors.tobytes() == expected.tobytes()


# Faults


def test_a_fault_of_the_encoder_arrives_and_what_was_stored_stays(genome, places, folder):
    chunks = ChunkPolicy(WINDOW, 70)
    unbroken = Fake()
    expected, whole, _ = embed(unbroken, genome, places, chunks, folder.with_name("whole"))
    bad = unbroken.calls[len(unbroken.calls) // 2][0]

    broken = Fake(fails_at=bad)
    with pytest.raises(RuntimeError, match="the encoder broke"):
        embed(broken, genome, places, chunks, folder)
    good = {piece for call in broken.calls if bad not in call for piece in call}
    store = Store(folder, IDENTITY)
    assert set(store.find([chunk_key(piece) for piece in unbroken.seen])) == {
        chunk_key(piece) for piece in good
    }
    assert len(good) > 20

    again = Fake()
    vectors, embedder, _ = embed(again, genome, places, chunks, folder)
    assert embedder.embedded == whole.embedded - len(good)
    assert not good & set(again.seen)
    assert vectors.tobytes() == expected.tobytes()


def test_a_fault_of_the_store_arrives(genome, places, folder, monkeypatch):
    def fail(self, keys, embedded):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Store, "add", fail)
    with pytest.raises(OSError, match="No space left"):
        embed(Fake(), genome, places, ChunkPolicy(GRID, 70), folder)


def test_a_fault_of_the_reader_arrives(genome, places):
    def broken() -> Iterator[list[Row]]:
        yield from batches(genome, places[:5])
        raise ValueError("not DNA")

    with pytest.raises(ValueError, match="not DNA"):
        list(Embedder(Fake(), ChunkPolicy(GRID, 70), None).embed(broken(), genome))


def test_nothing_runs_on_after_a_fault_or_an_early_end(genome, places):
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="the encoder broke"):
        embed(Fake(fails_at=genome.fetch("chr1", *places[3])), genome, places, None)
    assert threading.active_count() == before
    encoder = Fake()
    running = Embedder(encoder, None, None).embed(batches(genome, places), genome)
    next(running)
    running.close()
    assert threading.active_count() == before
    assert len(encoder.calls) < len(places) / 4


def test_what_is_not_finite_comes_out_but_is_never_stored(genome, places, folder):
    chunks = ChunkPolicy(GRID, 70)
    bad = genome.fetch("chr1", 1400, 1470)
    touched = [start < 1470 and end > 1400 and strand == "+" for start, end, strand in places]
    assert 0 < sum(touched) < len(places)
    for _ in range(2):  # the second run computes it again, and nothing else
        encoder = Fake(nan_at=bad)
        vectors, _, _ = embed(encoder, genome, places, chunks, folder)
        assert (~np.isfinite(vectors).all(axis=1)).tolist() == touched
    assert set(encoder.seen) == {bad}
    store = Store(folder, IDENTITY)
    keys = [chunk_key(piece) for piece in bins(genome, places, 70)]
    assert set(keys) - set(store.find(keys)) == {chunk_key(bad)}

    mended, _, _ = embed(Fake(), genome, places, chunks, folder)
    np.testing.assert_array_equal(mended, embed(Fake(), genome, places, chunks)[0])


@pytest.mark.parametrize(
    ("vectors", "tokens", "found"),
    [
        ((2, DIMENSION + 1), 2, r"vectors \[2, 7\] and tokens \[2\] for 2 chunks of 6 numbers"),
        ((1, DIMENSION), 2, r"vectors \[1, 6\] and tokens \[2\]"),
        ((2, DIMENSION), 3, r"vectors \[2, 6\] and tokens \[3\]"),
    ],
)
def test_an_encoder_that_gives_other_shapes_is_refused(vectors, tokens, found, monkeypatch):
    wrong = Embedded(np.zeros(vectors, np.float32), np.ones(tokens, int))
    monkeypatch.setattr(Fake, "embed", lambda self, pieces: wrong)
    with pytest.raises(ModelError, match=found):
        embed_chunks(Fake(), [b"ACGT", b"GGCC"])


# Sequences on no genome


@pytest.mark.parametrize("chunks", POLICIES, ids=str)
def test_sequences_are_cut_from_their_first_base(chunks):
    texts = random_genome(random.Random(5), {"a": 200, "b": 70, "c": 3, "d": 333}, n_fraction=0.4)
    sequences = [text.encode() for text in texts.values()]
    vectors = embed_sequences(Fake(), chunks, sequences)
    # A contig's own bins start at its first base, too.
    expected = [by_hand(Genome(text), (0, len(text), "+"), chunks) for text in texts.values()]
    np.testing.assert_allclose(vectors, expected, atol=2e-6)
    assert vectors.dtype == np.float32


@pytest.mark.parametrize("chunks", POLICIES, ids=str)
def test_sequences_without_bases_have_zeros(chunks):
    vectors = embed_sequences(Fake(), chunks, [b"", b"NNN", b"N" * 500])
    assert vectors.tolist() == [[0] * DIMENSION] * 3
    assert embed_sequences(Fake(), chunks, []).shape == (0, DIMENSION)


def test_the_control(genome, places):
    """The fixtures overlap, and lie on both strands and on N."""
    covered = defaultdict(int)
    for start, end, _ in places:
        for position in range(start, end):
            covered[position] += 1
    assert max(covered.values()) > 5
    assert {strand for _, _, strand in places} == {"+", "-"}
    assert any("N" in genome.sequence[start:end] for start, end, _ in places)
