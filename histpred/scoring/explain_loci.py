"""What speaks for the marks of a few windows of a prediction, coarsely and cheaply.

The windows are placed again from the rows of the ledger. One whose probabilities are not those of
the table is left out: its place, its genome or its encoder is another.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from histpred.bundle.encoding import EncoderChoice, bundle_encoder
from histpred.bundle.folder import Bundle
from histpred.core.execution import Execution
from histpred.encoders import is_expensive
from histpred.genome.annotation import TABLE
from histpred.genome.changes import blocks_of
from histpred.genome.ledger import LEDGER, SCORED
from histpred.genome.reference import Reference
from histpred.genome.regions import INTERVAL, SPLICED, Feature, Window
from histpred.genome.request import SEQUENCES
from histpred.genome.windows import Row, place, read_row
from histpred.scoring.alternatives import Alternatives
from histpred.scoring.explain import explained_windows
from histpred.scoring.explain_tables import Explained
from histpred.scoring.opened import open_bundle, scorer_of
from histpred.scoring.record import RunRecord
from histpred.scoring.stretches import coarse_resolution

STRETCHES = 40  # of a window, about
SAME = 1e-3  # probabilities that differ by less are those of one window

Place = tuple[str, int, int, str, str]
"""A window of a table: contig, start, end, name and strand."""


def why_not(run: RunRecord, bundle: Bundle) -> str:
    """Why windows of this prediction are not explained on the side, a clause; '' if they are."""
    kind = run.identity.window.kind
    if is_expensive(bundle.manifest.encoder.kind):
        return "its encoder is a large one"
    if run.identity.source == SEQUENCES:
        return "sequences of one's own have no genome"
    if kind == SPLICED:
        return "the ledger does not have the exons"
    if kind != INTERVAL and run.annotation.format == TABLE:
        return "the windows come from a table"
    return ""


def explain_loci(
    folder: Path,
    run: RunRecord,
    bundle: Bundle,
    reference: Reference,
    loci: Mapping[Place, np.ndarray],
) -> dict[Place, Explained]:
    """What speaks for the marks of windows of the prediction in `folder`, in their order.

    loci: the windows, with the probabilities that the table has for the marks that are predicted.
    """
    spec = run.identity.window
    choice = bundle_encoder(bundle, spec.kind)._replace(window=spec, marks=run.identity.marks)
    windows = {
        (*window[:3], window.name, window.strand): window
        for feature, contig in _features(folder, run, loci)
        if (window := place(feature, contig, reference.lengths[contig], spec).window)
    }
    chosen = {key: windows[key] for key in loci if key in windows}
    rows = (read_row(window, reference) for window in chosen.values())
    return {
        key: one
        for key, one in zip(chosen, _explained(rows, choice, reference, chosen), strict=True)
        if np.abs(one.own - loci[key]).max() < SAME
    }


def _features(folder: Path, run: RunRecord, loci: Iterable[Place]) -> Iterator[tuple[Feature, str]]:
    """The features that may be those of windows, with their contig in the FASTA.

    Intervals are what they were; the windows of genes are found by the names in the ledger.
    """
    if run.identity.window.kind == INTERVAL:
        for contig, start, end, name, strand in loci:
            yield Feature(0, contig, start, end, strand, name), contig
        return
    names = {name for _, _, _, name, _ in loci}
    with open(folder / LEDGER, encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["name"] in names and row["status"] == SCORED:
                ends = int(row["start"]), int(row["end"])
                contig = run.fasta.renamed.get(row["chrom"], row["chrom"])
                yield Feature(0, contig, *ends, row["strand"], row["name"]), contig


def _explained(
    rows: Iterable[Row],
    choice: EncoderChoice,
    reference: Reference,
    windows: Mapping[Place, Window],
) -> Iterator[Explained]:
    """Explain rows in their order; on the CPU, so that a page has the same bytes anywhere."""
    longest = max(
        (sum(end - start for start, end in blocks_of(one)) for one in windows.values()), default=0
    )
    divided = coarse_resolution(choice, longest, STRETCHES)
    with scorer_of(choice, "cpu") as scorer:
        alternatives = Alternatives(open_bundle(choice, scorer, Execution("cpu")), reference)
        yield from explained_windows(iter([list(rows)]), choice, alternatives, reference, divided)
