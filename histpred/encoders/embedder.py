"""Embeds windows: cuts them into chunks, embeds each chunk once, and pools the vectors.

Windows are grouped into units, each with about as many new chunks as keep the encoder busy. The
chunks of a unit depend on the windows alone, never on the contents of a store. A run that continues
after it was killed therefore makes exactly the remaining calls of an uninterrupted run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from histpred.core.cores import usable_cores
from histpred.core.errors import ModelError
from histpred.encoders import CALLS_AT_ONCE, Embedded, Encoder, Sharing, SharingEncoder
from histpred.encoders.chunks import ChunkPolicy, bases, chunks_of, known_part, pool
from histpred.encoders.store import Store, chunk_key
from histpred.genome.reference import Reference
from histpred.genome.tiles import AT_ONCE, Block
from histpred.genome.windows import Row, WindowSpec, reads_around

WINDOWS_AT_ONCE = 4096
BASES_AT_ONCE = 1 << 20  # of blocks of tiles

Vectors = dict[bytes, tuple[np.ndarray, int]]  # key of a chunk -> vector and number of tokens
Plan = list[tuple[bytes, float]]  # keys and shares of the chunks of a window


class Unit(NamedTuple):
    """Windows that are embedded together."""

    rows: list[Row]
    plans: list[Plan]  # of each window
    new: dict[bytes, bytes]  # key -> bases of the chunks that the previous unit lacks
    keys: set[bytes]  # of all chunks


Started = tuple[Unit, list[Future[Vectors]], Vectors]
"""A unit, the calls of its new chunks, and the vectors that the store had."""


class EmbeddedWindows(NamedTuple):
    """Rows without their sequences, and their vectors, float32 [n, dimension]."""

    rows: list[Row]
    vectors: np.ndarray


class Embedder:
    """An encoder with its chunk policy and, if any, its store."""

    def __init__(self, encoder: Encoder, chunks: ChunkPolicy | None, store: Store | None) -> None:
        self.encoder = encoder
        self._chunks = chunks
        self._store = store
        self.embedded = 0  # chunks that were computed
        self.reused = 0  # chunks that the store had

    def embed(
        self, batches: Iterator[list[Row]], reference: Reference
    ) -> Generator[EmbeddedWindows]:
        """The windows of `batches`, in their order, with their vectors."""
        workers = ThreadPoolExecutor(min(CALLS_AT_ONCE, usable_cores()))
        running: deque[Started] = deque()
        known: Vectors = {}
        try:
            for unit in self._units(batches, reference):
                running.append(self._start(unit, workers))
                if len(running) == CALLS_AT_ONCE:
                    known = self._finish(running[0], known)
                    yield self._pool(running.popleft()[0], known)
            while running:
                known = self._finish(running[0], known)
                yield self._pool(running.popleft()[0], known)
        finally:
            workers.shutdown(cancel_futures=True)

    def sharing(self, spec: WindowSpec) -> SharingEncoder | None:
        """The encoder, if tiles of `spec` have bins of it in common."""
        encoder = self.encoder
        if not isinstance(encoder, SharingEncoder):
            return None
        shared = Sharing(encoder.grid, encoder.reach, encoder.symmetric)
        return encoder if shares_bins(shared, self._chunks, spec) else None

    def notices(self, spec: WindowSpec) -> list[str]:
        """What a user should know of how such windows are embedded."""
        grid = self.encoder.grid if isinstance(self.encoder, SharingEncoder) else None
        if not (grid and spec.tile % grid):
            return []
        whole = max(1, round(spec.tile / grid)) * grid
        return [
            f"tiles of {spec.tile} bp share no bins of {grid} bp, so each is computed on its own, "
            f"which takes many times as long: --tile {whole} is quick"
        ]

    def embed_tiles(
        self, encoder: SharingEncoder, blocks: Iterator[Block]
    ) -> Generator[tuple[list[Block], np.ndarray]]:
        """The blocks in their order, some at a time, with the vectors of their tiles.

        `encoder`: see `sharing`.
        """
        workers = ThreadPoolExecutor(min(CALLS_AT_ONCE, usable_cores()))
        running: deque[tuple[list[Block], Future[np.ndarray]]] = deque()
        try:
            for some in _together(blocks):
                self.embedded += sum(len(block.starts) for block in some)
                running.append((some, workers.submit(_embed_blocks, encoder, some)))
                if len(running) > CALLS_AT_ONCE:
                    done, vectors = running.popleft()
                    yield done, vectors.result()
            for done, vectors in running:
                yield done, vectors.result()
        finally:
            workers.shutdown(cancel_futures=True)

    def _units(self, batches: Iterator[list[Row]], reference: Reference) -> Iterator[Unit]:
        before: set[bytes] = set()
        unit = Unit([], [], {}, set())
        for batch in batches:
            for row in batch:
                plan = []
                for chunk in chunks_of(row.window, row.sequence, reference, self._chunks):
                    key = self._key(chunk.sequence, row)
                    plan.append((key, chunk.share))
                    unit.keys.add(key)
                    if key not in before:
                        unit.new[key] = chunk.sequence
                unit.rows.append(row._replace(sequence=b""))  # memory
                unit.plans.append(plan)
                full = len(unit.new) >= self.encoder.chunks_at_once
                if full or len(unit.rows) == WINDOWS_AT_ONCE:
                    yield unit
                    before = unit.keys
                    unit = Unit([], [], {}, set())
        if unit.rows:
            yield unit

    def _key(self, sequence: bytes, row: Row) -> bytes:
        """What tells a chunk from others; its place, if a store need not find it by its bases."""
        if self._store is None and self._chunks is None:
            chrom, start, end, strand, *_, blocks, _ = row.window
            if blocks and not reads_around(row.window):  # exons; a FASTA may have other bases
                return chunk_key(sequence)
            return repr((chrom, strand, blocks or (start, end))).encode()
        return chunk_key(sequence)

    def _start(self, unit: Unit, workers: ThreadPoolExecutor) -> Started:
        """Start to embed the unit's new chunks, except those in the store, which are returned."""
        keys = list(unit.new)
        stored = self._store.find(keys) if self._store is not None else {}
        self.reused += len(stored)
        size = self.encoder.chunks_at_once
        calls = []
        for start in range(0, len(keys), size):
            missing = [key for key in keys[start : start + size] if key not in stored]
            if missing:
                self.embedded += len(missing)
                chunks = {key: unit.new[key] for key in missing}
                calls.append(workers.submit(embed_kept, self.encoder, chunks, self._store))
        return unit, calls, stored

    def _finish(self, started: Started, before: Vectors) -> Vectors:
        """The vectors of all chunks of the unit."""
        unit, calls, stored = started
        known = {key: before[key] for key in unit.keys if key in before} | stored
        for call in calls:
            known |= call.result()
        return known

    def _pool(self, unit: Unit, known: Vectors) -> EmbeddedWindows:
        vectors = np.empty((len(unit.rows), self.encoder.dimension), np.float32)
        for row, plan in enumerate(unit.plans):
            vectors[row] = pooled(plan, known, self.encoder.dimension, self._chunks)
        return EmbeddedWindows(unit.rows, vectors)


def pooled(plan: Plan, known: Vectors, dimension: int, chunks: ChunkPolicy | None) -> np.ndarray:
    """The vector of a window from those of its chunks; zeros if it has none with a token."""
    if len(plan) == 1:  # the mean of one
        ((key, share),) = plan
        vector, tokens = known[key]
        return vector if share * tokens else np.zeros(dimension, np.float32)
    if not plan:
        return np.zeros(dimension, np.float32)
    shares = np.array([share for _, share in plan])
    found, counts = zip(*(known[key] for key, _ in plan), strict=True)
    return pool(np.stack(found), np.array(counts), shares, chunks)


def _together(blocks: Iterator[Block]) -> Iterator[list[Block]]:
    """Lists of blocks with `AT_ONCE` tiles or more, or with so many bases that memory counts."""
    some: list[Block] = []
    tiles = read = 0
    for block in blocks:
        some.append(block)
        tiles += len(block.starts)
        first, last = known_part(block.sequence)
        read += last - first
        if tiles >= AT_ONCE or read >= BASES_AT_ONCE:
            yield some
            some, tiles, read = [], 0, 0
    if some:
        yield some


def _embed_blocks(encoder: SharingEncoder, blocks: Sequence[Block]) -> np.ndarray:
    """Vectors of all tiles of some blocks, in their order."""
    alone = [alone_in(block, encoder.symmetric) for block in blocks]
    whole = np.concatenate(alone)
    vectors = np.empty((len(whole), encoder.dimension), np.float32)
    if not whole.all():
        pairs = list(zip(blocks, alone, strict=True))
        parts = [(block.along(), block.numbers[~single]) for block, single in pairs]
        vectors[~whole] = encoder.embed_along(parts, blocks[0].spec.tile)
    if whole.any():
        lone = [b.without(~single) for b, single in zip(blocks, alone, strict=True) if single.any()]
        chunks = [row.sequence for block in lone for row in block.rows()]
        vectors[whole] = embed_chunks(encoder, chunks).vectors
    return vectors


def shares_bins(sharing: Sharing | None, chunks: ChunkPolicy | None, spec: WindowSpec) -> bool:
    """True if tiles of `spec` have bins in common of an encoder that has this to share."""
    if sharing is None or sharing.grid is None or chunks or not spec.tile:
        return False
    middle = spec.whole and spec.upstream == spec.downstream == sharing.reach
    return middle and spec.tile % sharing.grid == 0


def alone_in(block: Block, symmetric: bool) -> np.ndarray:
    """Which tiles of a block share nothing although others do, bool [n].

    symmetric: as of a `SharingEncoder`.
    """
    # The last tile of a contig may be shorter, so that its middle is not on the grid.
    alone: np.ndarray = block.lengths != block.spec.tile
    if not symmetric:
        alone |= np.array([owner.strand == "-" for owner in block.owners])
    return alone


def embed_chunks(encoder: Encoder, chunks: Sequence[bytes]) -> Embedded:
    """A vector and a number of tokens for each chunk; ModelError if the encoder gives others."""
    embedded = encoder.embed(chunks)
    shapes = embedded.vectors.shape, embedded.tokens.shape
    if shapes != ((len(chunks), encoder.dimension), (len(chunks),)):
        found = f"vectors {list(shapes[0])} and tokens {list(shapes[1])}"
        what = f"an encoder gave {found} for {len(chunks)} chunks of {encoder.dimension} numbers"
        raise ModelError(what, "check the encoder with 'histpred bundle verify'")
    return embedded


def embed_kept(encoder: Encoder, chunks: Mapping[bytes, bytes], store: Store | None) -> Vectors:
    """The vectors of chunks, given by key, from one call of the encoder; the store keeps them."""
    keys = list(chunks)
    vectors, tokens = embed_chunks(encoder, list(chunks.values()))
    if store is not None:
        # NaN and infinity are errors for every user of the store: never keep them.
        good = np.flatnonzero(np.isfinite(vectors).all(axis=1))
        store.add([keys[i] for i in good], Embedded(vectors[good], tokens[good]))
    return dict(zip(keys, zip(vectors, tokens.tolist(), strict=True), strict=True))


def embed_sequences(
    encoder: Encoder, chunks: ChunkPolicy | None, sequences: Iterable[bytes]
) -> np.ndarray:
    """Vectors, float32 [n, dimension], of sequences without a place, cut from the first base on."""
    vectors = []
    for sequence in sequences:
        length = chunks.length if chunks else max(len(sequence), 1)
        cut = [sequence[i : i + length] for i in range(0, len(sequence), length)]
        embedded = embed_chunks(encoder, [chunk for chunk in cut if bases(chunk)])
        vectors.append(pool(*embedded, np.ones(len(embedded.tokens)), chunks))
    return np.array(vectors, np.float32).reshape(-1, encoder.dimension)
