"""Run an experiment: plan it, train and evaluate every configuration, and report on them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import HistpredError, OutputError, TemporaryError, UsageError
from histpred.core.execution import Execution
from histpred.core.output import refuse_inputs, refuse_streams
from histpred.core.spelling import did_you_mean
from histpred.experiments import plan as planning
from histpred.experiments.plan import Plan, make_plan
from histpred.experiments.report import RECORD, REPORT, TABLES, is_finished, write_report
from histpred.experiments.sheet import read_sheet
from histpred.experiments.tasks import CONFIGURATIONS, Task, Told, genomes_of, make_tasks, run_task
from histpred.genome.genomes import all_files

logger = logging.getLogger(__name__)

KEPT = "kept"  # embeddings and indexes of genomes, until all configurations are done


class Stage(NamedTuple):
    """What of an experiment is run; by default all that is not done.

    only: these configurations, without the report. plan_only: the plan, and no configuration.
    """

    only: tuple[str, ...] = ()
    plan_only: bool = False


EVERYTHING = Stage()


class Outcome(NamedTuple):
    """How an experiment went: the configurations that are done, and why others are missing."""

    done: tuple[str, ...]
    missing: dict[str, str]


def experiment(
    sheet_path: Path,
    genomes_path: Path | None,
    out: Path,
    stage: Stage = EVERYTHING,
    execution: Execution = Execution(),
    cache: Path | None = None,
    progress: Told = lambda epoch, most: None,
) -> Outcome:
    """Run the experiment of a sheet into the folder `out`.

    Files: plan/ (see `histpred.experiments.plan`), configurations/NAME/SPLIT/ with a bundle and an
    evaluation, and report.html with its tables (see `histpred.experiments.report`). What is
    finished in `out` is not computed again.

    genomes_path: a samplesheet in place of the genomes of the sheet. execution: its store is shared
    by the configurations. cache: see `Request`. Without a store or a cache, they lie in `out` until
    all configurations are done. A configuration that fails is missing in the report, and does not
    stop the others. Raises HistpredError for a sheet or inputs that cannot be used, and if no
    configuration can be evaluated.
    """
    sheet = read_sheet(sheet_path)
    kept = out / KEPT
    tasks = make_tasks(sheet, genomes_of(sheet, genomes_path, cache or kept / "genomes"))
    _check(sheet_path, tasks, stage, out)
    for task in tasks:
        if task.missing:
            logger.warning(f"configuration {task.name} will be missing: {task.missing}")
    plan = make_plan(sheet, tasks, out / planning.FOLDER, execution.overwrite)
    names = tuple(task.name for task in tasks)
    if stage.plan_only:
        return Outcome((), {})
    if not stage.only and not execution.overwrite and is_finished(sheet, plan, out):
        logger.info(f"{out} holds this experiment already: nothing to do")
        return Outcome(names, {})
    chosen = [task for task in tasks if task.name in stage.only or not stage.only]
    execution = execution._replace(store=execution.store or kept / "embeddings")
    missing = _run(chosen, plan, out, execution, progress)
    if not stage.only:
        write_report(sheet, plan, missing, out)
        if not missing:
            shutil.rmtree(kept, ignore_errors=True)
    return Outcome(tuple(one.name for one in chosen if one.name not in missing), missing)


def _check(sheet: Path, tasks: Sequence[Task], stage: Stage, out: Path) -> None:
    """Refuse what can be known to be wrong before any work."""
    names = [task.name for task in tasks]
    if unknown := [name for name in stage.only if name not in names]:
        hint = did_you_mean(unknown, names, f"it has {', '.join(names)}")
        raise UsageError(f"the sheet has no configuration {unknown[0]}", hint)
    inputs = (*all_files(tasks[0].genomes), str(sheet))
    refuse_streams(inputs)
    refuse_inputs([out / name for name in (REPORT, *TABLES, RECORD)], inputs)
    if out.is_file():
        raise OutputError(f"{out} is a file", "give a folder for -o")
    strangers = out.is_dir() and any(path.name != KEPT for path in out.iterdir())
    if strangers and not (out / planning.FOLDER).is_dir():
        what = f"{out} is not empty and holds no experiment of histpred"
        raise OutputError(what, "choose another folder for -o")


def _run(
    tasks: Sequence[Task], plan: Plan, out: Path, execution: Execution, progress: Told
) -> dict[str, str]:
    """Run the tasks on every split; returns why a configuration is missing, by its name."""
    missing = {task.name: task.missing for task in tasks if task.missing} | {
        name: f"no row: {why}" for name, why in plan.record.unserved.items()
    }
    total, number = len(tasks) * len(plan.splits), 0
    for split, path in plan.splits.items():
        for task in tasks:
            number += 1
            if task.name in missing:
                continue
            logger.info(f"configuration {task.name}, split {split} ({number} of {total})")
            folder = out / CONFIGURATIONS / task.name / split
            try:
                run_task(task, path, folder, execution, progress)
            except TemporaryError:
                raise
            except HistpredError as error:
                missing[task.name] = f"split {split}: {error}"
                logger.error(f"configuration {task.name} failed: {error}")
    return {name: why for name, why in missing.items() if name in {task.name for task in tasks}}
