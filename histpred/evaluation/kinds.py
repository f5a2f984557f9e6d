"""Figures of coding genes, non-coding genes, and non-coding genes far from coding ones.

A non-coding gene beside a coding one shares its promoter, so only the far ones show what a model
knows of non-coding genes themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas

from histpred.core.errors import InputError
from histpred.core.hts import quiet_htslib
from histpred.evaluation.metrics import expected_calibration_error
from histpred.evaluation.ranking import rank, weighted_figures
from histpred.evaluation.result import MEAN, ModelResult
from histpred.evaluation.scores import COPY, SAME_ROW
from histpred.genome.annotation import TABLE, level_for
from histpred.genome.biotypes import is_coding
from histpred.genome.genomes import GenomeInput, placed
from histpred.genome.plan import open_windows
from histpred.genome.regions import INTERVAL, PROMOTER
from histpred.genome.request import Request
from histpred.genome.windows import WindowSpec

FAR = 2_000  # bp between the TSS of a far gene and the nearest protein-coding one
CODING, NONCODING, FAR_NONCODING = KINDS = ("coding", "non-coding", "far non-coding")
NO_BIOTYPES = (
    "The annotation states no biotypes, so coding and non-coding genes are not told apart."
)
NO_CODING = "The annotation has no protein-coding gene, so coding and non-coding are not compared."
NO_STARTS = (
    "A table of windows does not tell where genes start, so coding and non-coding are not compared."
)
COLUMNS = ["kind", "windows", "model", "mark", "auroc", "probability", "rate", "bias", "ece"]


def kinds_of(
    windows: pandas.DataFrame, genomes: Sequence[GenomeInput], kind: str, work: Path
) -> dict[str, np.ndarray] | str:
    """The rows of each of KINDS, bool [n]; or a sentence that says why they are not known.

    A far gene is non-coding as well; one whose TSS is not known is not far. windows: evaluated
    rows, with COPY; kind: that of the windows. The sentence is empty for intervals, which are no
    genes. All rows of the annotation count as neighbours, of whatever biotype.
    """
    if kind == INTERVAL:
        return ""
    stated = (windows["biotype"] != ".").to_numpy()
    if not stated.any():
        return NO_BIOTYPES
    try:
        each = [placed(_starts(one.request, kind, work), one.name) for one in genomes]
    except InputError as error:  # in rows that --biotype leaves out
        return f"Coding and non-coding genes are not compared: {error.message}."
    starts = pandas.concat(each, ignore_index=True)
    if starts.empty:
        return NO_STARTS
    coding = windows["biotype"].map(is_coding).to_numpy(bool)
    all_coding = starts[starts["biotype"].map(is_coding).to_numpy(bool)]
    if all_coding.empty:
        return NO_CODING
    keys = [*SAME_ROW, COPY]
    tss = windows[keys].merge(starts[[*keys, "start"]], how="left", on=keys)["start"].to_numpy()
    known = ~np.isnan(tss)  # a gene in parts may have a spliced window and no TSS
    away = np.where(known, np.inf, 0)
    for chrom, places in all_coding.groupby("chrom")["start"]:
        here = np.flatnonzero((windows["chrom"] == chrom).to_numpy() & known)
        away[here] = distances(tss[here], places.to_numpy())
    noncoding = stated & ~coding
    return dict(zip(KINDS, (coding, noncoding, noncoding & (away > FAR)), strict=True))


def distances(positions: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The distance of each position to the nearest of the others, in bp; infinite without any.

    >>> distances(np.array([1, 9]), np.array([10, 4])).tolist()
    [3.0, 1.0]
    """
    ascending = np.concatenate([[-np.inf], np.sort(others), [np.inf]])
    after = np.searchsorted(ascending, positions)
    found: np.ndarray = np.minimum(ascending[after] - positions, positions - ascending[after - 1])
    return found


def _starts(request: Request, kind: str, work: Path) -> pandas.DataFrame:
    """The TSS of each row of the annotation: `start`, biotype, SAME_ROW and COPY."""
    level = level_for(kind, request.level)
    every = request._replace(biotypes=(), level=level, unstranded=True, transcripts=())
    columns = [*SAME_ROW, "start", "biotype"]
    rows = []
    with quiet_htslib(), open_windows(every, WindowSpec(PROMOTER, 0, 1, 1.0), work) as opened:
        if opened.annotation.format != TABLE:  # its windows do not tell where genes start
            for window, _ in opened.ledger.windows():
                rows.append([getattr(window, column) for column in columns])
    starts = pandas.DataFrame(rows, columns=columns)
    return starts.assign(**{COPY: starts.groupby(SAME_ROW).cumcount()})


def by_kind(
    kinds: Mapping[str, np.ndarray],
    labels: np.ndarray,
    models: Mapping[str, ModelResult],
    marks: Sequence[str],
) -> pandas.DataFrame:
    """Figures of each kind, model and mark, with the columns COLUMNS; the mark MEAN comes last.

    windows: the rows of the kind. auroc: NaN without both classes. probability and rate: the means
    of probabilities and labels over labelled pairs; bias is their difference. MEAN: the mean over
    the marks that have the figure; its rate and probability are those of marks with labels.
    """
    rows = []
    for kind, chosen in kinds.items():
        for model, one in models.items():
            each = [
                _figures(labels[chosen, i], one.probabilities[chosen, i]) for i in range(len(marks))
            ]
            table = pandas.DataFrame(each, columns=COLUMNS[4:])
            table.loc[len(marks)] = table.mean()
            table.insert(0, "mark", [*marks, MEAN])
            table = table.assign(kind=kind, windows=int(chosen.sum()), model=model)
            rows.append(table[COLUMNS])
    return pandas.concat(rows, ignore_index=True)


def _figures(labels: np.ndarray, probabilities: np.ndarray) -> tuple[float, ...]:
    """AUROC, mean probability, rate, bias and calibration error of one mark."""
    known = ~np.isnan(labels)
    if not known.any():
        return (np.nan,) * 5
    truth, scores = labels[known], probabilities[known]
    ranking = rank(truth, scores, np.arange(len(truth)))
    auroc = float(weighted_figures(ranking, np.ones((1, len(truth))))[0, 0])
    probability, rate = float(scores.mean()), float(truth.mean())
    error = expected_calibration_error(truth, scores)
    return auroc, probability, rate, probability - rate, error
