"""A bundle, and others beside it, on rows with known labels."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.evaluation.analysis import co_targeting, correlate
from histpred.evaluation.baselines import INPUTS, fit_baselines, sequence_features, several
from histpred.evaluation.blocks import Blocks, out_of_fold
from histpred.evaluation.bootstrap import intervals, lead
from histpred.evaluation.kinds import by_kind, kinds_of
from histpred.evaluation.metrics import SMALLEST, by_group, measure
from histpred.evaluation.paper import no_validation, read_by_paper
from histpred.evaluation.result import (
    BASELINE,
    LOCI,
    MODEL,
    Correlation,
    ModelResult,
    Result,
    ValidationRows,
)
from histpred.evaluation.rows import EvaluationOptions, LabelledRows
from histpred.evaluation.scores import ScoredWindows, described
from histpred.evaluation.spooled import SpooledRows
from histpred.evaluation.vectors import similarity_of, why_no_vectors
from histpred.genome.genomes import GENOME, GenomeInput
from histpred.genome.regions import INTERVAL
from histpred.genome.transcripts import fitting
from histpred.genome.windows import WindowSpec
from histpred.labels.examples import Examples
from histpred.labels.loci import locus_numbers
from histpred.labels.splits import TRAIN
from histpred.scoring.embed import window_sequences


class EvaluatedRows(NamedTuple):
    """The evaluated rows, on which every model is assessed.

    windows: one row per window; truth: float32 [n, marks], NaN where unlabelled; loci: int [n],
    what is drawn together in the bootstrap; seed: of the bootstrap; validation: labels, float32
    [validation rows, marks], that choose the thresholds of the paper's reading.
    """

    windows: pandas.DataFrame
    truth: np.ndarray
    marks: tuple[str, ...]
    loci: np.ndarray
    seed: int
    validation: np.ndarray

    def assess(
        self,
        kind: str,
        inputs: str,
        probabilities: np.ndarray,
        thresholds: np.ndarray,
        bundle: ModelResult | None,
    ) -> ModelResult:
        """Measure one model, and the lead of `bundle` over it."""
        figures = measure(self.truth, probabilities, thresholds, self.marks)
        low, high = intervals(
            self.truth, probabilities, thresholds, self.marks, self.loci, seed=self.seed
        )
        ahead = None
        if bundle is not None:
            other = bundle.probabilities
            ahead = lead(other, probabilities, self.truth, self.loci, seed=self.seed)
        return ModelResult(kind, inputs, probabilities, thresholds, figures, low, high, ahead)

    def read_by_paper(self, one: ModelResult, validation: np.ndarray) -> ModelResult:
        """Add the paper's reading, with raw scores of the validation rows, if there are any."""
        if not len(self.validation):
            return one
        reading = read_by_paper(self.truth, one.raw_scores, self.validation, validation, self.marks)
        return one._replace(paper=reading)


def compare(
    scored: list[ScoredWindows],
    genomes: Sequence[GenomeInput],
    chosen: LabelledRows,
    options: EvaluationOptions,
    work: Path,
) -> Result:
    """Evaluate the first of the bundles, with the others and the baselines beside it.

    chosen: the rows that `histpred.evaluation.rows.label_rows` chose. work: a private folder for
    temporary files. The windows of `scored` are dropped as soon as they are not needed: there may
    be all tiles of a genome.
    """
    bundle, window = scored[0].bundle, scored[0].window
    labelled, blocks = chosen.labelled, chosen.blocks
    windows, truth = chosen.of(chosen.evaluated)
    # Neighbouring intervals are alike even where they do not overlap.
    in_blocks = window.kind == INTERVAL
    loci = blocks.numbers if in_blocks else locus_numbers(windows)
    block, count = f"blocks of {blocks.length:,} bp", len(np.unique(loci))
    places = f"in {count:,} {block}" if in_blocks else f"at {count:,} loci that do not overlap"
    validation = ValidationRows(*chosen.of(chosen.validation))
    evaluated = EvaluatedRows(windows, truth, chosen.marks, loci, options.seed, validation.labels)
    models = _bundle_results(scored, chosen, evaluated)
    scored[:] = [each.without_windows() for each in scored]
    training = labelled.labels[chosen.sets == TRAIN]
    by_block = not len(training) and len(blocks.names) > 1
    if len(training) or by_block:
        models |= _baseline_results(scored[0], genomes, chosen, evaluated, models, work)
    probabilities = {name: model.probabilities for name, model in models.items()}
    groups = [
        by_group(truth, probabilities, of, by, 1 if by == GENOME else SMALLEST)
        for by, of in _groupings(windows, blocks if by_block else None).items()
    ]
    kinds = kinds_of(labelled.windows[chosen.evaluated], genomes, window.kind, work)
    similarity = similarity_of(bundle, chosen.marks)
    together = co_targeting(training, chosen.marks) if len(training) else None
    return Result(
        title=f"{bundle.manifest.name} {bundle.manifest.version}",
        about={
            **_about(scored[0], genomes),
            "rows": f"{len(windows):,} ({'all' if chosen.unknown else options.rows}), {places}",
            **({"baselines": f"by {block}, see Methods"} if by_block else {}),
            **bundle.manifest.training.splits,
        },
        warnings=chosen.warnings,
        marks=chosen.marks,
        windows=windows,
        labels=truth,
        models=models,
        groups=pandas.concat(groups, ignore_index=True),
        similarity=similarity,
        no_vectors=why_no_vectors(bundle),
        co_targeting=together,
        correlation=_correlation(similarity, together),
        drawn=block if in_blocks else LOCI,
        block=blocks.length if by_block else 0,
        kinds=kinds if isinstance(kinds, str) else by_kind(kinds, truth, models, chosen.marks),
        validation=validation if len(validation.labels) else no_validation(bundle.manifest),
    )


def _groupings(windows: pandas.DataFrame, blocks: Blocks | None) -> dict[str, Sequence[str]]:
    """The groups of the windows, str [n], by kind of group; genomes if there are several."""
    return {
        **({GENOME: windows[GENOME]} if several(windows) else {}),
        "biotype": windows["biotype"],
        "chromosome": windows["chrom"],
        **({"block": np.array(blocks.names, object)[blocks.numbers]} if blocks else {}),
    }


def _bundle_results(
    scored: Sequence[ScoredWindows], rows: LabelledRows, evaluated: EvaluatedRows
) -> dict[str, ModelResult]:
    models: dict[str, ModelResult] = {}
    for each, place in zip(scored, rows.places, strict=True):
        manifest = each.bundle.manifest
        thresholds = {mark.name: mark.threshold for mark in each.marks}
        probabilities, raw = each.columns(rows.marks, place[rows.evaluated])
        one = evaluated.assess(
            MODEL,
            f"{described(each.window)}, {manifest.encoder.published or manifest.encoder.kind}",
            probabilities,
            np.array([thresholds[mark] for mark in rows.marks]),
            next(iter(models.values()), None),
        )
        _, validation = each.columns(rows.marks, place[rows.validation])
        models[manifest.name] = evaluated.read_by_paper(one._replace(raw=raw), validation)
    return models


def _baseline_results(
    scored: ScoredWindows,
    genomes: Sequence[GenomeInput],
    rows: LabelledRows,
    evaluated: EvaluatedRows,
    models: dict[str, ModelResult],
    work: Path,
) -> dict[str, ModelResult]:
    """The baselines, fitted on the training rows of the bundle's split or, without any, by block.

    `models`: those of the bundles, the evaluated one first.
    """
    _, windows, units, labels = rows.labelled
    wanted = _wanted(scored)
    trained = (rows.sets == TRAIN).any()
    needed = rows.labelled.rows if trained else rows.labelled.rows[rows.evaluated]
    spooled = _features(genomes, scored.window, needed, work)
    if trained:
        features = spooled[np.arange(len(spooled))]
        score = fit_baselines(Examples(windows, units, features, labels, rows.known_sets), wanted)
        scores = score(evaluated.windows, features[rows.evaluated])
        validation = score(windows[rows.validation], features[rows.validation])
    else:
        scores = out_of_fold(evaluated.windows, spooled, evaluated.truth, rows.blocks, wanted)
        validation = {}
    bundle = next(iter(models.values()))
    results = {}
    for name, (probabilities, thresholds) in scores.items():
        one = evaluated.assess(BASELINE, INPUTS[name], probabilities, thresholds, bundle)
        if name in validation:
            one = evaluated.read_by_paper(one, validation[name][0])
        results[name] = one
    return results


def _features(
    genomes: Sequence[GenomeInput], window: WindowSpec, rows: np.ndarray, work: Path
) -> SpooledRows:
    """The baselines' input, float32 [rows, f]; `rows` number the windows of all genomes.

    They are in ascending order. The file is in `work`.
    """
    features, first = SpooledRows(work / ".features"), 0
    for genome in genomes:
        request = fitting(genome.request, window.kind)
        with closing(window_sequences(request, window, work)) as batches:
            for batch in batches:
                begin, end = np.searchsorted(rows, [first, first + len(batch)])
                chosen = [batch[row - first] for row in rows[begin:end]]
                if chosen:
                    features.append(sequence_features(chosen, window))
                first += len(batch)
    return features


def _correlation(
    similarity: pandas.DataFrame | None, together: pandas.DataFrame | None
) -> Correlation | None:
    known = similarity is not None and together is not None and len(similarity) > 2
    return correlate(similarity, together) if known else None


def _wanted(scored: ScoredWindows) -> float | None:
    """The precision that the bundle's calls should have; None: they maximise Youden's J."""
    return next((mark.calls.wanted for mark in scored.marks if mark.calls), None)


def _about(scored: ScoredWindows, genomes: Sequence[GenomeInput]) -> dict[str, str]:
    def names(paths: Sequence[str | Path | None]) -> str:
        return ", ".join(Path(path).name for path in paths if path)

    manifest = scored.bundle.manifest
    return {
        "bundle": f"{manifest.name} {manifest.version}, sha256 {scored.bundle.digest[:12]}",
        "windows": described(scored.window),
        "encoder": f"{manifest.encoder.published or manifest.encoder.kind}, "
        f"{manifest.encoder.dimension} numbers",
        **({"genomes": ", ".join(one.name for one in genomes)} if genomes[0].name else {}),
        "annotation": names([one.request.annotation for one in genomes]),
        "genome": names([one.request.fasta for one in genomes]),
        "labels": names([one.labels for one in genomes]),
    }
