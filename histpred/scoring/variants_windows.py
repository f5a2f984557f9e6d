"""The windows that read alleles: those of an annotation, and the tiles in which alleles lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from histpred.core.execution import Progress
from histpred.genome.changes import blocks_of, reads
from histpred.genome.plan import OpenWindows, scorable
from histpred.genome.reference import Reference
from histpred.genome.regions import Feature, Window
from histpred.genome.vcf_spool import Allele, AlleleSpool
from histpred.genome.windows import (
    Row,
    WindowSpec,
    place,
    read_row,
    tile_name,
)
from histpred.scoring.alternatives import Alternatives
from histpred.scoring.domain import Surroundings
from histpred.scoring.effects import Effects

BEHIND = 1 << 62  # the places of tiles, behind all windows


class Outputs(NamedTuple):
    """The outputs of a bundle that are used; None for one without a mark that is asked for.

    windows: that of the annotation's windows. tiles: that of tiles, `tile` bp long.
    """

    windows: Alternatives | None
    tiles: Alternatives | None
    tile: int

    def opened(self) -> list[Alternatives]:
        """Those that there are."""
        return [output for output in (self.windows, self.tiles) if output]


def score_windows(
    opened: OpenWindows,
    spool: AlleleSpool,
    effects: tuple[Effects | None, Effects | None],
    outputs: Outputs,
    progress: Progress,
) -> list[str]:
    """Score all alleles of a spool in the windows that read them; sentences to warn of.

    effects: take the alleles of the annotation's windows, and those of tiles.
    """
    windows, tiles = effects
    around = Surroundings(opened.annotation.format)
    ledger, done = opened.ledger, 0
    if windows and outputs.windows:
        spec = outputs.windows.bundle.choice.window
        for batch in scorable(ledger, opened.reference, spec):
            for number, row in enumerate(batch, done):
                if alleles := alleles_of(row.window, spool):
                    around.add([row])
                    windows.add(row, number, alleles)
            done += len(batch)
            progress(done, ledger.queued - ledger.passed + spool.usable)
        windows.flush()
    if tiles and outputs.tiles:
        spec = outputs.tiles.bundle.choice.window
        for row, alleles in tile_rows(spool, opened.reference, spec, outputs.tile):
            tiles.add(row, BEHIND + row.window.start, alleles)
            done += len(alleles)
            progress(done, ledger.queued - ledger.passed + spool.usable)
        tiles.flush()
    return around.warnings()


def pass_windows(opened: OpenWindows, spec: WindowSpec) -> None:
    """Skip the windows with too many N in the ledger, if no mark of theirs is scored."""
    for _ in scorable(opened.ledger, opened.reference, spec):
        pass


def alleles_of(window: Window, spool: AlleleSpool) -> list[Allele]:
    """The alleles that change what a window reads."""
    blocks = blocks_of(window)
    found = spool.between(window.chrom, blocks[0][0], blocks[-1][1])
    return [allele for allele in found if reads(window, *allele.change[:2])]


def tile_rows(
    spool: AlleleSpool, reference: Reference, spec: WindowSpec, tile: int
) -> Iterator[tuple[Row, list[Allele]]]:
    """The tiles in which alleles of a spool begin or end, with them; not those with too many N."""
    for contig, start, alleles in spool.by_tile(tile):
        if row := tile_row(contig, start, reference, spec, tile):
            yield row, alleles


def tile_row(
    contig: str, start: int, reference: Reference, spec: WindowSpec, tile: int
) -> Row | None:
    """The tile that begins at `start`; None if it is past its contig or has too many N."""
    length = reference.lengths[contig]
    name = tile_name(contig, start, tile)
    feature = Feature(0, contig, start, min(start + tile, length), "+", name)
    if feature.start >= feature.end:
        return None
    window = place(feature, contig, length, spec).window
    return window and row_with_bases(window, reference, spec)


def row_with_bases(window: Window, reference: Reference, spec: WindowSpec) -> Row | None:
    """A window with its sequence; None if it has too many N."""
    row = read_row(window, reference)
    return None if row.n_fraction > spec.max_n_fraction else row


def first_rows(
    opened: OpenWindows, spool: AlleleSpool, outputs: Outputs, count: int
) -> tuple[list[Row], Alternatives | None]:
    """The first windows that read alleles, and the output that scores them; tiles if none do.

    Nothing is skipped in the ledger for it.
    """
    if outputs.windows:
        spec = outputs.windows.bundle.choice.window
        with_alleles: Iterable[Window] = (
            window for window, _ in opened.ledger.windows() if alleles_of(window, spool)
        )
        rows = (row_with_bases(window, opened.reference, spec) for window in with_alleles)
        if some := list(islice(filter(None, rows), count)):
            return some, outputs.windows
    if outputs.tiles:
        spec = outputs.tiles.bundle.choice.window
        found = tile_rows(spool, opened.reference, spec, outputs.tile)
        return [row for row, _ in islice(found, count)], outputs.tiles
    return [], None
