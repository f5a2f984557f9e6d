"""The verbs on requests and folders: each leaves files and says how it went.

The command line calls these functions; so do those of `histpred.api`, which take paths and
DataFrames. What a verb needs is imported when it is called.
"""

# ruff: noqa: F401 - type checkers take the verbs of STAGES from the imports below

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from histpred.core.errors import UsageError
from histpred.core.execution import Execution, Progress, no_progress

if TYPE_CHECKING:
    from histpred.bundle.encoding import EncoderChoice
    from histpred.experiments.run import experiment
    from histpred.genome.extract import extract as windows
    from histpred.genome.genomes import GenomeInput
    from histpred.genome.request import Request
    from histpred.labels.matrix import LabelMatrix
    from histpred.labels.peaks import PeakRule
    from histpred.reports.convert import convert
    from histpred.reports.evaluate import evaluate
    from histpred.reports.explanation import write_explanation as explanation
    from histpred.reports.prediction import write_report as report
    from histpred.reports.summary import summarise as summary
    from histpred.scoring.embed import EmbeddedRun
    from histpred.scoring.gather import gather
    from histpred.scoring.gather_variants import gather_variants
    from histpred.scoring.record import Prediction
    from histpred.scoring.scatter import scatter
    from histpred.scoring.scatter_variants import scatter_variants
    from histpred.scoring.variants import variants
    from histpred.tracks.explained import explain
    from histpred.tracks.hub import Hub
    from histpred.tracks.hub import write_hub as tracks
    from histpred.training.train import train

STAGES = {
    "windows": "histpred.genome.extract:extract",
    "explain": "histpred.tracks.explained:explain",
    "scatter": "histpred.scoring.scatter:scatter",
    "scatter_variants": "histpred.scoring.scatter_variants:scatter_variants",
    "gather": "histpred.scoring.gather:gather",
    "gather_variants": "histpred.scoring.gather_variants:gather_variants",
    "train": "histpred.training.train:train",
    "variants": "histpred.scoring.variants:variants",
    "evaluate": "histpred.reports.evaluate:evaluate",
    "experiment": "histpred.experiments.run:experiment",
    "explanation": "histpred.reports.explanation:write_explanation",
    "tracks": "histpred.tracks.hub:write_hub",
    "report": "histpred.reports.prediction:write_report",
    "convert": "histpred.reports.convert:convert",
    "summary": "histpred.reports.summary:summarise",
}
"""Verb -> the function of a room that is all of it."""


def __getattr__(name: str) -> object:
    """The verbs of STAGES, imported when they are asked for."""
    if name in STAGES:
        return pkgutil.resolve_name(STAGES[name])
    raise AttributeError(f"module 'histpred.verbs' has no attribute {name!r}")


def predict(
    request: Request,
    choice: EncoderChoice,
    out: Path,
    execution: Execution = Execution(),
    tracks: bool = False,
    tracks_progress: Progress = no_progress,
) -> tuple[Prediction, Hub | None]:
    """Write a prediction and, if `tracks` are wanted and not there yet, the hub in its folder.

    Without its table, a prediction is the tracks of tiles. Raises UsageError if none can be made.
    """
    from histpred.core.output import scratch_folder
    from histpred.genome.request import SEQUENCES
    from histpred.scoring.derived import FOLDER, HUB, is_hub, refuse_other_hub
    from histpred.scoring.predict import predict as stage

    if not execution.table and not (tracks and choice.window.tile):
        raise UsageError("--no-table leaves tracks of tiles only", "add --tracks and --tile BP")
    if tracks and request.source == SEQUENCES:
        raise UsageError("--tracks needs a genome, and --sequences has none", "omit --tracks")
    if tracks:
        refuse_other_hub(out)
    complete = not tracks or is_hub(out / FOLDER / HUB)
    with ExitStack() as stack:
        tiles = None
        if not execution.table:
            from histpred.tracks.columns import TileColumns

            # Without the tracks, what they are made from has to be computed again.
            execution = execution._replace(overwrite=execution.overwrite or not complete)
            scratch = stack.enter_context(scratch_folder(out.resolve().parent))
            written = TileColumns(scratch, [mark.name for mark in choice.scored])
            result = stage(
                request, choice, out, execution, lambda rows, found, _: written.add(rows, found)
            )
            tiles = written.columns
        else:
            result = stage(request, choice, out, execution)
        if not tracks or (not result.fresh and complete):
            return result, None
        from histpred.tracks.hub import write_hub

        hub = write_hub(
            out,
            request.fasta,
            out / FOLDER,
            cache=request.cache,
            overwrite=True,
            progress=tracks_progress,
            tiles=tiles,
        )
    return result, hub


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
    top: int | None = None,
) -> dict[str, int]:
    """Write labels from RNAInter's table; returns counts by what was counted.

    Of the request, annotation and biotypes matter. species: those of the RNAs, all if empty.
    unobserved: 'negative' or 'unlabelled', the label of a pair that is not in the table. top: the
    number of marks to keep, those with most pairs; None: all.
    """
    from histpred.labels.folder import make_folder
    from histpred.labels.rnainter import from_rnainter
    from histpred.reports.label_figures import draw_labels

    options = {
        "source": "rnainter",
        "species": species,
        **_rules(unobserved, min_score, request, top),
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
            top=top,
        ),
        draw_labels,
        overwrite,
    )


def _rules(
    unobserved: str, min_score: float | None, request: Request, top: int | None
) -> dict[str, object]:
    """What labels from RNAInter record of the rules that made them."""
    return {
        "unobserved": unobserved,
        "min_score": min_score,
        "biotypes": request.biotypes,
        **({"top": top} if top else {}),
    }


def label_genomes_from_rnainter(
    table: Path,
    genomes: Sequence[GenomeInput],
    out: Path,
    species: tuple[str, ...] = (),
    unobserved: str = "negative",
    min_score: float | None = None,
    overwrite: bool = False,
    top: int | None = None,
) -> dict[str, dict[str, int]]:
    """Write labels of each genome into a folder of its name in `out`; returns counts by genome.

    All have the same marks. RNAs join within a species: that of the genome or, if its sheet names
    none, `species`. top: the number of marks to keep, those with most pairs in all genomes. The
    rest is as in `label_from_rnainter`.
    """
    from histpred.labels.folder import make_folder
    from histpred.labels.rnainter_genomes import from_rnainter_for
    from histpred.reports.label_figures import draw_labels

    made: list[LabelMatrix] = []

    def make(number: int, work: Path) -> LabelMatrix:
        """The matrix of one genome; those of all are made when the first is needed."""
        if not made:
            made[:] = from_rnainter_for(
                *(genomes, table, work),
                species=species,
                unlabelled=unobserved == "unlabelled",
                min_score=min_score,
                top=top,
            )
        return made[number]

    counts = {}
    for number, genome in enumerate(genomes):
        options = {
            "source": "rnainter",
            "genome": genome.name,
            "genomes": {one.name: one.species or species for one in genomes},
            **_rules(unobserved, min_score, genome.request, top),
        }
        counts[genome.name] = make_folder(
            out / genome.name,
            (table, *(one.request.annotation for one in genomes)),
            options,
            partial(make, number),
            draw_labels,
            overwrite,
        )
    return counts


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
    inputs += [str(sheet)] if sheet else []
    options = {
        "source": "peaks",
        "window": str(rule.window),
        "tile": rule.window.tile,
        "by": request.level,
        "biotypes": request.biotypes,
        "unstranded": request.unstranded,
        "min_fraction": rule.min_fraction,
        "min_samples": rule.min_samples,
        "fewest_samples": rule.fewest_samples,
        "files": [[file.mark, file.sample, str(file.path)] for file in files],
    }
    return make_folder(
        out,
        inputs,
        options,
        lambda work: from_peaks(files, request, work, rule),
        draw_labels,
        overwrite,
    )
