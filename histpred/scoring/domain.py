"""Warnings for inputs that lie outside what a bundle was trained on."""

from __future__ import annotations

from histpred.bundle.folder import Bundle
from histpred.bundle.outputs import (
    UNSPECIFIED,
    interval_output,
    looks_like_species,
    was_trained_on,
    window_for,
)
from histpred.core.errors import first_few
from histpred.genome.ledger import Ledger
from histpred.genome.plan import OpenWindows
from histpred.genome.windows import WindowSpec

MANY_TIMES = 5  # the resolution: longer intervals are warned of


def domain_warnings(bundle: Bundle, window: WindowSpec, windows: OpenWindows) -> list[str]:
    """Warnings for inputs that differ from what the bundle was trained on."""
    return [*_species_warnings(bundle, windows), *_window_warnings(bundle, window, windows.ledger)]


def _species_warnings(bundle: Bundle, windows: OpenWindows) -> list[str]:
    annotation, reference = windows.annotation, windows.reference
    name, species = bundle.manifest.name, bundle.manifest.species
    known = None not in (annotation.taxon_id, species.taxon_id)
    if known and annotation.taxon_id != species.taxon_id:
        return [
            f"{annotation.name} is of taxon {annotation.taxon_id}, the bundle {name} was trained "
            f"on {species.name} (taxon {species.taxon_id}): its scores are an extrapolation"
        ]
    if species.name != UNSPECIFIED and reference.organism not in (None, species.name):
        return [
            f"{reference.name} is of {reference.organism}, the bundle {name} was "
            f"trained on {species.name}: its scores are an extrapolation"
        ]
    if looks_like_species(reference.lengths.values(), species) is False:
        return [
            f"no contig of {reference.name} is as long as a chromosome of {species.name}, on which "
            f"the bundle {name} was trained: for another species its scores are an extrapolation"
        ]
    return []


def _window_warnings(bundle: Bundle, window: WindowSpec, ledger: Ledger) -> list[str]:
    if not was_trained_on(bundle, window):
        return [
            f"the bundle {bundle.manifest.name} was trained on {window_for(bundle)} windows, not "
            f"on {window}: its probabilities are not calibrated for these"
        ]
    interval = interval_output(bundle, window)
    if not interval:
        return []
    size = interval.resolution
    count, names = ledger.longer_than(MANY_TIMES * size)
    long = (
        f"{count:,} intervals are longer than {MANY_TIMES * size} bp: {first_few(names, count)}. A "
        f"probability is of the {size} bp at the middle; cut them with --tile {size}"
    )
    return [long] if count else []
