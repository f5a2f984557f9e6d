"""The configurations of a sheet as tasks: what each trains and evaluates, and on what."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from histpred.bundle.encoding import EncoderChoice
from histpred.core.errors import HistpredError, UsageError
from histpred.core.execution import Execution
from histpred.encoders.installed import ABSENT, state_of
from histpred.encoders.published import default_folder
from histpred.evaluation.rows import EvaluationOptions
from histpred.experiments.sheet import Common, NamedFile, Sheet, SheetGenome
from histpred.genome.genomes import GenomeInput, read_genomes
from histpred.genome.request import Request
from histpred.genome.transcripts import fitting
from histpred.genome.windows import WindowSpec
from histpred.reports.evaluate import evaluate
from histpred.training.data import WINDOWS
from histpred.training.fitting import Epoch
from histpred.training.recipe import check, choose_source
from histpred.training.settings import About, Recipe, Settings
from histpred.training.train import train

logger = logging.getLogger(__name__)

BUNDLE, EVALUATION = "bundle", "evaluation"
CONFIGURATIONS = "configurations"

Told = Callable[[Epoch, int], None]
"""Called with an epoch that is finished, and the largest number of epochs."""


class Task(NamedTuple):
    """A configuration with what it is trained on.

    recipe: without its split. choice: the encoder, None for a model that reads bases. window: what
    it reads of a gene. genomes: with the rows that it selects. missing: why it cannot run, '' if
    nothing is known to be missing.
    """

    name: str
    configuration: Common
    recipe: Recipe
    choice: EncoderChoice | None
    window: WindowSpec
    genomes: tuple[GenomeInput, ...]
    missing: str = ""


def make_tasks(sheet: Sheet, genomes: Sequence[GenomeInput]) -> list[Task]:
    """The task of each configuration of a sheet, in order.

    Raises UsageError for a configuration that no training can have, such as an unknown encoder or
    a window for a model that reads bases.
    """
    return [_task(sheet, one, genomes) for one in sheet.configurations]


def genomes_of(sheet: Sheet, given: Path | None, cache: Path | None) -> tuple[GenomeInput, ...]:
    """The genomes that are given beside a sheet, or those that it names.

    Raises UsageError if neither names one, or if a genome has no labels.
    """
    transcripts = tuple(map(str, sheet.transcripts))
    selection = Request("", "", biotypes=sheet.biotypes, cache=cache, transcripts=transcripts)
    named = given or sheet.genomes
    if named is None:
        hint = "give a samplesheet of genomes after it, or add genomes: to the sheet"
        raise UsageError("the sheet names no genomes", hint)
    if isinstance(named, Path):
        genomes = read_genomes(named, selection, labelled=sheet.labels is None)
    else:
        listed = (_genome(one, selection) for one in named)
        genomes = tuple(sorted(listed, key=lambda one: one.name))  # as `read_genomes` does
    genomes = tuple(one._replace(labels=one.labels or sheet.labels) for one in genomes)
    if bare := [one.name for one in genomes if one.labels is None]:
        raise UsageError(f"the genome {bare[0]} has no labels", "add labels: to it or to the sheet")
    return genomes


def _genome(one: SheetGenome, selection: Request) -> GenomeInput:
    request = selection._replace(annotation=str(one.annotation), fasta=str(one.fasta))
    return GenomeInput(one.name, request, one.labels, one.species, one.taxon_id, one.assembly)


def run_task(
    task: Task,
    split: Path,
    out: Path,
    execution: Execution,
    progress: Told,
) -> None:
    """Train a task on a split and evaluate it on the test rows, into the folder `out`.

    What is finished there stays. `progress` is called after each epoch. Raises HistpredError if the
    task cannot be trained or evaluated.
    """
    expensive = task.choice is not None and task.choice.is_expensive
    execution = execution._replace(store=execution.store if expensive else None)
    about = About(task.name)
    recipe = task.recipe._replace(split=str(split))
    bundle = train(
        *(task.genomes, out / BUNDLE, recipe, about, task.choice, execution),
        progress=lambda epoch: progress(epoch, recipe.settings.epochs),
    )
    options = EvaluationOptions(seed=recipe.settings.seed)
    weights = task.configuration.weights
    path = weights.path if weights else None
    evaluate(bundle, task.genomes, out / EVALUATION, options, execution, path)


def _task(sheet: Sheet, configuration: Common, genomes: Sequence[GenomeInput]) -> Task:
    given = configuration.model_dump()
    settings = Settings(**_of(Settings, given), seed=sheet.seed)
    recipe = Recipe(**_of(Recipe, given), marks=sheet.marks, settings=settings)
    try:
        check(recipe, About(configuration.name), genomes)
        encoder = configuration.encoder, configuration.chunks, configuration.window
        weights = configuration.weights
        choice = choose_source(recipe, None, *encoder, weights.path if weights else None)
    except HistpredError as error:
        error.message = f"configuration {configuration.name}: {error.message}"
        raise
    window = choice.window if choice else WINDOWS[recipe.model]
    by, unstranded = configuration.by, configuration.unstranded
    requests = (one.request._replace(level=by, unstranded=unstranded) for one in genomes)
    selected = tuple(
        one._replace(request=fitting(request, window.kind))
        for one, request in zip(genomes, requests, strict=True)
    )
    missing = _missing(choice, weights)
    return Task(configuration.name, configuration, recipe, choice, window, selected, missing)


def _of(record: type[Recipe] | type[Settings], given: dict[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in record._fields if name in given}


def _missing(choice: EncoderChoice | None, weights: NamedFile | None) -> str:
    """Why an encoder cannot be opened, as far as that is seen without reading its weights."""
    if choice is None:
        return ""
    if weights and not weights.path.exists():
        return f"no weights at {weights.written}, which the sheet names"
    if choice.published and not weights:
        folder = default_folder(choice.published.name)
        if state_of(choice.published, folder) == ABSENT:
            name = choice.published.name
            return f"no weights of {name} in {folder}: get them with 'histpred encoders get {name}'"
    return ""
