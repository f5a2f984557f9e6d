"""Tiles: rows cut into pieces of one length, each of which is scored once.

Tiles start at multiples of their length; only the last of a contig may be shorter. If several rows
overlap a tile, it belongs to the first of them by strand, name, gene and biotype. Tiles come in
blocks that begin at multiples of `AT_ONCE` tiles of the contig: in which block a tile lies, and
which bases are read with it, does not depend on the rows. So a tile has the same bits in any shard.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np

from histpred.core.sequence import reverse_complement
from histpred.genome.ledger import Ledger, Run
from histpred.genome.reasons import SAME_TILE, TOO_MANY_N
from histpred.genome.reference import Reference
from histpred.genome.regions import Window, around_start, clip
from histpred.genome.windows import Row, WindowSpec

AT_ONCE = 128  # tiles; as many give an encoder enough to do, and few are read in vain


class Owner:
    """A row that is cut into tiles: `window` is all of it, `entry` its number in the ledger."""

    def __init__(self, window: Window, entry: int) -> None:
        self.window, self.entry = window, entry
        self.runs: list[Run] = []

    def add(self, run: Run) -> None:
        """Append tiles that belong to it."""
        if self.runs and (self.runs[-1].end, self.runs[-1].reason) == (run.start, run.reason):
            run = run._replace(start=self.runs.pop().start)
        self.runs.append(run)

    def all_runs(self) -> Iterator[Run]:
        """Its runs, and between them those of tiles that belong to another row."""
        place = self.window.start
        for run in (*self.runs, Run(self.window.end, self.window.end, "")):
            if place < run.start:
                yield Run(place, run.start, SAME_TILE)
            if run.start < run.end:
                yield run
            place = run.end

    def __lt__(self, other: Owner) -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[str, int, int]:
        window = self.window
        names = window.strand, window.name, window.gene_id, window.biotype
        return "\t".join(names), window.line, self.entry


Piece = tuple[Owner, int, int]
"""Start and end of tiles that belong to a row."""


class Block(NamedTuple):
    """Tiles to score that are read together.

    sequence: all that is read for the tiles that the block can have, upper case, with N where they
    read beyond the contig; its first base is at `first` (bp, may be negative). starts, ends: of the
    tiles to score, in bp, int [n]. numbers: their places among those that the block can have.
    owners: their rows. n_fraction, known_fraction: float64 [n], as in `histpred.core.columns`.
    """

    spec: WindowSpec
    first: int
    sequence: bytes
    starts: np.ndarray
    ends: np.ndarray
    numbers: np.ndarray
    owners: list[Window]
    n_fraction: np.ndarray
    known_fraction: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """The lengths of the tiles in bp, int [n]."""
        lengths: np.ndarray = self.ends - self.starts
        return lengths

    @property
    def read(self) -> np.ndarray:
        """The numbers of bases that are read for each tile alone, int [n]."""
        spec = self.spec
        return (
            np.full_like(self.starts, spec.upstream + spec.downstream)
            if spec.whole
            else self.lengths
        )

    def along(self) -> bytes:
        """The bases to be read for all tiles that the block can have: the first ones at its start.

        Those of tile i begin i x `spec.tile` bp later.
        """
        offset = self.spec.tile // 2
        read = self.spec.upstream + self.spec.downstream + (AT_ONCE - 1) * self.spec.tile
        return self.sequence[offset : offset + read].ljust(read, b"N")

    def without(self, left_out: np.ndarray) -> Block:
        """The block without some tiles, bool [n]."""
        kept = np.flatnonzero(~left_out)
        return self._replace(
            starts=self.starts[kept],
            ends=self.ends[kept],
            numbers=self.numbers[kept],
            owners=[self.owners[tile] for tile in kept],
            n_fraction=self.n_fraction[kept],
            known_fraction=self.known_fraction[kept],
        )

    def rows(self, read: bool = True) -> Iterator[Row]:
        """The tiles as rows; with their sequences, if these are to be `read`."""
        spec = self.spec
        columns = self.starts, self.ends, self.n_fraction, self.known_fraction
        tiles = zip(*(column.tolist() for column in columns), self.owners, strict=True)
        for start, end, n_fraction, known, owner in tiles:
            chrom, _, _, strand, name, gene_id, biotype, line, *_ = owner
            left, right, blocks = start, end, None
            if spec.whole:
                middle = (start + end) // 2
                left, right = around_start(middle, middle, strand, spec.upstream, spec.downstream)
                blocks = ((left, right),)
            window = Window(chrom, start, end, strand, name, gene_id, biotype, line, blocks)
            sequence = self.sequence[left - self.first : right - self.first] if read else b""
            if strand == "-":
                sequence = reverse_complement(sequence)
            values = (chrom, start, end, name, strand, gene_id, biotype, n_fraction, known)
            yield Row(window, sequence, values)


def tile_blocks(ledger: Ledger, reference: Reference, spec: WindowSpec) -> Iterator[Block]:
    """Yield the tiles of the queued rows in genome order; those with too many N are left out.

    The ledger gets the runs of each row's tiles: which are scored, and which are skipped and why.
    """
    size = spec.tile * AT_ONCE
    for _, windows in groupby(ledger.windows(), key=lambda found: found[0].chrom):
        undecided: list[tuple[int, int, Owner]] = []
        owners = _noted((Owner(*found) for found in windows), undecided)
        for pieces in _by_block(_owned(owners), size):
            block, lacking = _read(pieces, reference, spec)
            for owner, start, end in pieces:
                here = lacking[slice(*np.searchsorted(block.starts, [start, end]))]
                edges = [0, *(np.flatnonzero(np.diff(here)) + 1).tolist(), len(here)]
                for first, last in pairwise(edges):
                    reason = TOO_MANY_N if here[first] else ""
                    stop = min(start + last * spec.tile, end)
                    owner.add(Run(start + first * spec.tile, stop, reason))
            ledger.passed += int(lacking.sum())
            if not lacking.all():
                yield block if not lacking.any() else block.without(lacking)
            done = block.starts[-1] // size * size + size
            while undecided and undecided[0][0] <= done:
                _decide(heapq.heappop(undecided)[-1], ledger, spec)
        for *_, owner in undecided:
            _decide(owner, ledger, spec)


def tile_block(window: Window, reference: Reference, spec: WindowSpec) -> Block:
    """All tiles of a window that lies within one block."""
    return _read([(Owner(window, 0), window.start, window.end)], reference, spec)[0]


def _noted(owners: Iterator[Owner], undecided: list[tuple[int, int, Owner]]) -> Iterator[Owner]:
    for owner in owners:
        heapq.heappush(undecided, (owner.window.end, owner.entry, owner))
        yield owner


def _decide(owner: Owner, ledger: Ledger, spec: WindowSpec) -> None:
    """Write what became of all tiles of a row to the ledger."""
    notes = {
        SAME_TILE: "another row has these tiles too",
        TOO_MANY_N: f"more than {spec.max_n_fraction:g} of each tile is N",
        "": "",
    }
    runs = list(owner.all_runs())
    others = (run for run in runs if run.reason == SAME_TILE)
    ledger.passed += sum(-(-(run.end - run.start) // spec.tile) for run in others)
    ledger.write_runs(owner.window, owner.entry, runs, notes, spec.tile)


def _owned(owners: Iterator[Owner]) -> Iterator[Piece]:
    """Cut the rows of a contig, sorted by start, into pieces that do not overlap.

    Where rows overlap, the piece is of the first of them.
    """
    here: list[Owner] = []
    place = 0

    def until(end: float) -> Iterator[Piece]:
        nonlocal place
        while here and place < end:
            if here[0].window.end <= place:
                heapq.heappop(here)
                continue
            stop = int(min(here[0].window.end, end))
            yield here[0], place, stop
            place = stop

    for owner in owners:
        yield from until(owner.window.start)
        place = max(place, owner.window.start)
        heapq.heappush(here, owner)
    yield from until(math.inf)


def _by_block(pieces: Iterator[Piece], size: int) -> Iterator[list[Piece]]:
    """Cut pieces at multiples of `size` bp, and yield those of each block."""
    block: list[Piece] = []
    for owner, start, end in pieces:
        while start < end:
            stop = min(end, start // size * size + size)
            if block and block[0][1] // size != start // size:
                yield block
                block = []
            block.append((owner, start, stop))
            start = stop
    if block:
        yield block


def _read(pieces: list[Piece], reference: Reference, spec: WindowSpec) -> tuple[Block, np.ndarray]:
    """The block of some pieces, and which of its tiles have too many N, bool [n]."""
    contig, size = pieces[0][0].window.chrom, spec.tile * AT_ONCE
    length, begin = reference.lengths[contig], pieces[0][1] // size * size
    starts = np.concatenate([np.arange(start, end, spec.tile) for _, start, end in pieces])
    ends = np.minimum(starts + spec.tile, length)
    owners = [owner.window for owner, start, end in pieces for _ in range(start, end, spec.tile)]
    reach = max(spec.upstream, spec.downstream)
    first, stop = begin - reach, min(begin + size, length) + reach
    left, right = clip(first, stop, length)
    bases = reference.fetch(contig, left, right)
    sequence = b"N" * (left - first) + bases + b"N" * (stop - right)

    known = np.zeros(len(bases) + 1, np.int64)
    np.cumsum(np.frombuffer(bases, np.uint8) != ord("N"), out=known[1:])
    is_reverse = np.array([owner.strand == "-" for owner in owners])
    lefts, rights = starts, ends
    if spec.whole:
        middle = (starts + ends) // 2
        lefts = middle - np.where(is_reverse, spec.downstream, spec.upstream)
        rights = middle + np.where(is_reverse, spec.upstream, spec.downstream)

    def share(lefts: np.ndarray, rights: np.ndarray) -> np.ndarray:
        # Beyond the contig, clip stops at its ends: there is nothing known.
        until, before = (known[np.clip(at, left, right) - left] for at in (rights, lefts))
        found: np.ndarray = (until - before) / (rights - lefts)
        return found

    n_fraction = 1 - share(starts, ends)
    numbers = (starts - begin) // spec.tile
    block = Block(
        spec, first, sequence, starts, ends, numbers, owners, n_fraction, share(lefts, rights)
    )
    return block, n_fraction > spec.max_n_fraction
