"""The verbs on requests and folders: each leaves files and says how it went.

The command line calls these functions; so do those of `histpred.api`, which take paths and
DataFrames. What a verb needs is imported when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from histpred.core.execution import Execution, Progress, no_progress

if TYPE_CHECKING:
    from histpred.bundle.encoding import EncoderChoice
    from histpred.bundle.folder import Bundle
    from histpred.genome.extract import Extraction
    from histpred.genome.request import Request
    from histpred.genome.windows import WindowSpec
    from histpred.labels.peaks import PeakRule
    from histpred.scoring.embed import EmbeddedRun
    from histpred.scoring.record import Prediction
    from histpred.scoring.scatter import Scattered
    from histpred.tracks.hub import Hub
    from histpred.training.fitting import Epoch
    from histpred.training.recipe import About, Recipe


def predict(
    request: Request,
    choice: EncoderChoice,
    out: Path,
    execution: Execution = Execution(),
    tracks: bool = False,
    tracks_progress: Progress = no_progress,
) -> tuple[Prediction, Hub | None]:
    """Write a prediction and, if `tracks` are wanted and not there yet, the hub in its folder."""
    from histpred.scoring.derived import FOLDER, hub_is_due, refuse_other_hub
    from histpred.scoring.predict import predict as stage

    if tracks:
        refuse_other_hub(out)
    result = stage(request, choice, out, execution)
    if not (tracks and hub_is_due(out, result.fresh)):
        return result, None
    from histpred.tracks.hub import write_hub

    hub = write_hub(
        out,
        request.fasta,
        out / FOLDER,
        cache=request.cache,
        overwrite=True,
        progress=tracks_progress,
    )
    return result, hub


def scatter(
    request: Request, choice: EncoderChoice, out: Path, shard_bases: int, overwrite: bool = False
) -> Scattered:
    """Write windows as shards; see `histpred.scoring.scatter.scatter`."""
    from histpred.scoring.scatter import scatter as stage

    return stage(request, choice, out, shard_bases, overwrite)


def gather(
    scattered: Path, parts: Sequence[Path], out: Path, overwrite: bool = False
) -> Prediction:
    """Join the predictions of shards; see `histpred.scoring.gather.gather`."""
    from histpred.scoring.gather import gather as stage

    return stage(scattered, parts, out, overwrite=overwrite)


def windows(request: Request, spec: WindowSpec, out: Path, overwrite: bool = False) -> Extraction:
    """Write windows and their ledger; see `histpred.genome.extract.extract`."""
    from histpred.genome.extract import extract

    return extract(request, spec, out, overwrite)


def embed(
    request: Request, choice: EncoderChoice, out: Path | None, execution: Execution
) -> EmbeddedRun:
    """Fill the store and, if `out` is given, write a table; see `histpred.scoring.embed.embed`."""
    from histpred.scoring.embed import embed as stage

    encoder = choice.open(execution.device, execution.precision)
    return stage(request, choice, encoder, out, execution)


def label_from_rnainter(
    table: Path,
    request: Request,
    out: Path,
    species: tuple[str, ...] = (),
    unobserved: str = "negative",
    min_score: float | None = None,
    overwrite: bool = False,
) -> dict[str, int]:
    """Write labels from RNAInter's table; returns counts by what was counted.

    Of the request, annotation and biotypes matter. species: those of the RNAs, all if empty.
    unobserved: 'negative' or 'unlabelled', the label of a pair that is not in the table.
    """
    from histpred.labels.folder import make_folder
    from histpred.labels.rnainter import from_rnainter
    from histpred.reports.label_figures import draw_labels

    options = {
        "source": "rnainter",
        "species": species,
        "unobserved": unobserved,
        "min_score": min_score,
        "biotypes": request.biotypes,
    }
    return make_folder(
        out,
        (table, request.annotation),
        options,
        lambda work: from_rnainter(
            table,
            request.annotation,
            work,
            species=species,
            unlabelled=unobserved == "unlabelled",
            min_score=min_score,
            biotypes=request.biotypes,
        ),
        draw_labels,
        overwrite,
    )


def label_from_peaks(
    peaks: Sequence[Path],
    sheet: Path | None,
    request: Request,
    out: Path,
    rule: PeakRule,
    overwrite: bool = False,
) -> dict[str, int]:
    """Write labels from files of peaks, named or in a sheet; returns counts by what was counted.

    Of the request, all but the FASTA matters.
    """
    from histpred.labels.folder import make_folder
    from histpred.labels.peak_files import peak_files
    from histpred.labels.peaks import from_peaks
    from histpred.reports.label_figures import draw_labels

    files = peak_files(peaks, sheet)
    inputs = [request.annotation, *(str(file.path) for file in files)]
    options = {
        "source": "peaks",
        "window": str(rule.window),
        "by": request.level,
        "biotypes": request.biotypes,
        "unstranded": request.unstranded,
        "min_fraction": rule.min_fraction,
        "min_samples": rule.min_samples,
        "files": [[file.mark, file.sample, str(file.path)] for file in files],
    }
    return make_folder(
        out,
        [*inputs, *([str(sheet)] if sheet else [])],
        options,
        lambda work: from_peaks(files, request, work, rule),
        draw_labels,
        overwrite,
    )


def train(
    request: Request,
    labels: Path,
    out: Path,
    recipe: Recipe,
    about: About,
    choice: EncoderChoice | None,
    execution: Execution = Execution(),
    progress: Callable[[Epoch], None] = lambda epoch: None,
) -> Bundle:
    """Train a bundle into a folder; see `histpred.training.train.train`."""
    from histpred.training.train import train as stage

    return stage(request, labels, out, recipe, about, choice, execution, progress)
