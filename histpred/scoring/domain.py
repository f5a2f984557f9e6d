"""Warnings for inputs that lie outside what a bundle was trained on."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from histpred.bundle.encoding import EncoderChoice
from histpred.bundle.folder import Bundle
from histpred.bundle.organisms import in_words
from histpred.bundle.outputs import UNSPECIFIED, interval_output, was_trained_on, window_for
from histpred.bundle.species import contradiction
from histpred.core.columns import NAMES
from histpred.core.errors import first_few
from histpred.core.log import tell
from histpred.core.text import agreeing, counted
from histpred.genome.misfits import Offenders
from histpred.genome.plan import OpenWindows
from histpred.genome.request import SEQUENCES
from histpred.genome.tiles import Block
from histpred.genome.windows import Row, WindowSpec

MANY_TIMES = 5  # the resolution: longer intervals are warned of
KNOWN = NAMES.index("known_fraction")
ENOUGH = 0.5  # the known fraction of a window below which a warning names it


SCORED = "these scores may be far off, and calls lack their stated precision"
EMBEDDED = "these vectors tell little of the genome there"


class Surroundings:
    """The windows of a run that lack most of the bases that are read for them.

    source: the format of the annotation; `SEQUENCES` have no genome around them.
    """

    def __init__(self, source: str) -> None:
        self._lacking = Offenders()
        self._source = source

    def add(self, rows: Iterable[Row]) -> None:
        """Count the rows whose known fraction is below a half."""
        for row in rows:
            if float(row.values[KNOWN]) < ENOUGH:
                self._lacking.add_name(row.window.name)

    def add_tiles(self, block: Block) -> None:
        """Count the tiles of a block."""
        for tile in np.flatnonzero(block.known_fraction < ENOUGH).tolist():
            self._lacking.add_name(block.owners[tile].name)

    def warnings(self, so: str = SCORED) -> list[str]:
        """The warning, if there are such windows; `so`: what follows for the output."""
        if not self._lacking.count:
            return []
        if self._source == SEQUENCES:
            what, missing = "sequence", "lie outside the sequence and count as unknown"
            hint = "Give longer sequences with the place at their middle, or regions of a genome"
        else:
            what, missing = "window", "are N or lie outside the contig"
            hint = "If the FASTA is a piece of a genome, give the whole genome"
        count = self._lacking.count
        return [
            f"{counted(count, what)} {agreeing(count, 'has', 'have')} less than half of the bases "
            f"that are read for {agreeing(count, 'it', 'them')}: {self._lacking}. "
            f"The others {missing}, so {so}; the column known_fraction has each share. {hint}"
        ]


def input_warnings(windows: OpenWindows, choice: EncoderChoice) -> list[str]:
    """Log what a user must know of the inputs, and return the warnings.

    Among them is what differs from the inputs that the bundle, if there is one, was trained on.
    """
    warnings = list(windows.plan.warnings)
    if bundle := choice.bundle:
        warnings += _species_warnings(bundle, windows)
        warnings += _window_warnings(bundle, choice.window, windows)
    tell(windows.plan.notices, warnings)
    return warnings


def _species_warnings(bundle: Bundle, windows: OpenWindows) -> list[str]:
    """What the inputs say of their species counts; if they say nothing, the genome is compared."""
    annotation, reference = windows.annotation, windows.reference
    name, species = bundle.manifest.name, bundle.manifest.species
    trained = f"the bundle {name} was trained on {in_words(species)}"
    taxa, names = {one.taxon_id for one in species}, {one.name for one in species}
    if annotation.taxon_id is not None and (annotation.taxon_id in taxa or None not in taxa):
        if annotation.taxon_id in taxa:
            return []
        return [
            f"{annotation.name} is of taxon {annotation.taxon_id}, {trained} (taxon "
            f"{in_words(species, '{0.taxon_id}')}): its scores are an extrapolation"
        ]
    if reference.organism and (reference.organism in names or UNSPECIFIED not in names):
        if reference.organism in names:
            return []
        return [
            f"{reference.name} is of {reference.organism}, {trained}: its scores are an "
            "extrapolation"
        ]
    if annotation.format == SEQUENCES:
        return []
    reasons = [contradiction(reference, one) for one in species]
    if None in reasons:
        return []
    return [
        f"{reference.name} may be of another species, {trained}, and {reasons[0]}: for another "
        "species its scores are an extrapolation"
    ]


def _window_warnings(bundle: Bundle, window: WindowSpec, windows: OpenWindows) -> list[str]:
    if not was_trained_on(bundle, window):
        return [
            f"the bundle {bundle.manifest.name} was trained on {window_for(bundle)} windows, not "
            f"on {window}: its probabilities are not calibrated for these"
        ]
    interval = interval_output(bundle, window)
    if not interval:
        return []
    size = interval.resolution
    count, names = windows.ledger.longer_than(MANY_TIMES * size)
    if window.tile:
        count = windows.ledger.queued if window.tile > MANY_TIMES * size else 0
    remedy = "" if windows.annotation.format == SEQUENCES else f"; cut them with --tile {size}"
    long = (
        f"{counted(count, 'interval')} {agreeing(count, 'is', 'are')} longer than "
        f"{MANY_TIMES * size} bp: {first_few(names, count)}. A "
        f"probability is of the {size} bp at the middle{remedy}"
    )
    return [long] if count else []
