"""Runs of tiles: tiles of a row that lie side by side are one row of a table of windows.

A run is kept as pieces, one for each block of tiles, until it is known where the table is cut.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from histpred.genome.reference import Reference
from histpred.genome.regions import Window
from histpred.genome.tiles import Block, tile_block
from histpred.genome.windows import Row, WindowSpec


class TileRun(NamedTuple):
    """Tiles that lie side by side and belong to one row; `window` is all of them.

    unknown: bases of the window that are N. read: bases that are read for its tiles; each tile
    counts all of its own. known: those of them that lie on the contig and are not N.
    """

    window: Window
    tiles: int
    unknown: float
    read: int
    known: float

    def joined(self, following: TileRun) -> TileRun | None:
        """Both as one run; None if they do not lie side by side or belong to different rows."""
        window = self.window._replace(end=following.window.end)
        if following.window != window._replace(start=self.window.end):
            return None
        return TileRun(
            window,
            self.tiles + following.tiles,
            self.unknown + following.unknown,
            self.read + following.read,
            self.known + following.known,
        )

    def row(self) -> Row:
        """The run as a row, without its sequence."""
        chrom, start, end, strand, name, gene_id, biotype, *_ = self.window
        shares = self.unknown / (end - start), self.known / self.read
        return Row(self.window, b"", (chrom, start, end, name, strand, gene_id, biotype, *shares))

    def dumped(self) -> str:
        """The run as a line of text, for `loaded`."""
        return f"{json.dumps(self)}\n"


def loaded(line: str) -> TileRun:
    """The run in a line that `TileRun.dumped` made."""
    window, *sums = json.loads(line)
    return TileRun(Window(*window), *sums)


def runs_in(block: Block) -> Iterator[TileRun]:
    """The runs of a block's tiles."""
    owners = np.fromiter(map(id, block.owners), np.int64, len(block.owners))
    apart = (owners[1:] != owners[:-1]) | (block.starts[1:] != block.ends[:-1])
    read = block.read
    unknown, known = block.n_fraction * block.lengths, block.known_fraction * read
    for first, last in pairwise([0, *(np.flatnonzero(apart) + 1).tolist(), len(owners)]):
        start, end = int(block.starts[first]), int(block.ends[last - 1])
        window = block.owners[first]._replace(start=start, end=end, blocks=None, outside=0)
        here = slice(first, last)
        yield TileRun(
            window,
            tiles=last - first,
            unknown=float(unknown[here].sum()),
            read=int(read[here].sum()),
            known=float(known[here].sum()),
        )


class RunReader:
    """Takes runs from pieces, and cuts the piece at which a table ends."""

    def __init__(self, pieces: Iterator[TileRun], reference: Reference, spec: WindowSpec) -> None:
        self._pieces, self._reference, self._spec = pieces, reference, spec
        self._rest: TileRun | None = None

    def take(self, tiles: int) -> Iterator[TileRun]:
        """The next `tiles` tiles, in as few runs as possible."""
        before: TileRun | None = None
        while tiles:
            piece = self._rest or next(self._pieces)
            self._rest = None
            if piece.tiles > tiles:
                piece, self._rest = self._cut(piece, tiles)
            tiles -= piece.tiles
            both = before and before.joined(piece)
            if before and not both:
                yield before
            before = both or piece
        if before:
            yield before

    def _cut(self, piece: TileRun, tiles: int) -> tuple[TileRun, TileRun]:
        """The first tiles of a piece of one block, and the others; both are counted anew."""
        window = piece.window
        place = window.start + tiles * self._spec.tile
        parts = window._replace(end=place), window._replace(start=place)
        first, other = (
            next(runs_in(tile_block(part, self._reference, self._spec))) for part in parts
        )
        return first, other
