"""From which DNA a bundle's predictions for evaluated windows come, by distance from the TSS."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas

from histpred.bundle.encoding import bundle_encoder
from histpred.core.columns import PLACE
from histpred.core.execution import Execution
from histpred.core.hts import quiet_htslib
from histpred.evaluation.rows import EvaluationOptions
from histpred.evaluation.scores import ScoredWindows
from histpred.genome.genomes import GenomeInput, naming, within
from histpred.genome.plan import open_windows, scorable
from histpred.genome.regions import INTERVAL, SPLICED
from histpred.genome.transcripts import fitting
from histpred.scoring.alternatives import Alternatives
from histpred.scoring.explain import explained_windows
from histpred.scoring.opened import open_bundle, scorer_of
from histpred.scoring.profile import Profile, profile_table
from histpred.scoring.stretches import resolution_of

MOST_WINDOWS = 100  # that are explained


def sources_of(
    scored: ScoredWindows,
    genomes: Sequence[GenomeInput],
    windows: pandas.DataFrame,
    options: EvaluationOptions,
    work: Path,
    execution: Execution,
    weights: Path | None = None,
) -> pandas.DataFrame | None:
    """The profile of at most `MOST_WINDOWS` evaluated windows, drawn with the seed of the options.

    Its columns are those of `histpred.scoring.profile`. None for intervals and spliced windows, and
    if no window has a known TSS. work: a private folder for temporary files.
    """
    if scored.window.kind in (INTERVAL, SPLICED) or windows.empty:
        return None
    rng = np.random.default_rng(options.seed)
    drawn = rng.choice(len(windows), min(MOST_WINDOWS, len(windows)), replace=False)
    chosen = {tuple(map(str, row)) for row in windows.iloc[drawn][list(PLACE)].to_numpy().tolist()}
    choice = bundle_encoder(scored.bundle, options.target.window, None, weights)
    if not choice.is_expensive:
        execution = execution._replace(store=None)
    divided = resolution_of(choice)
    profile = Profile(scored.names, choice.window, divided, options.seed)
    with quiet_htslib(), scorer_of(choice, execution.device) as scorer:
        bundle = open_bundle(choice, scorer, execution)
        for genome in genomes:
            request = fitting(genome.request, choice.window.kind)
            with naming(genome), open_windows(request, choice.window, work) as opened:
                reference = opened.reference
                alternatives = Alternatives(bundle, reference)
                batches = (
                    [
                        row
                        for row in batch
                        if (within(genome.name, row.window.chrom), *_place(row.values)) in chosen
                    ]
                    for batch in scorable(opened.ledger, reference, choice.window)
                )
                for one in explained_windows(batches, choice, alternatives, reference, divided):
                    window = one.row.window
                    length = reference.lengths[window.chrom]
                    profile.add(window, length, one.stretches, one.contributions)
    table = profile_table(profile)
    return None if table.empty else table


def _place(values: Sequence[object]) -> tuple[str, ...]:
    """Start, end, name and strand of a window as text."""
    return tuple(map(str, values[1 : len(PLACE)]))
