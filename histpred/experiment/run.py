"""Run an experiment: plan it, train and evaluate every configuration, and report on them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import HistpredError, TemporaryError, UsageError
from histpred.core.execution import Execution
from histpred.core.output import refuse_inputs, refuse_streams
from histpred.core.spelling import did_you_mean
from histpred.experiment import plan as planning
from histpred.experiment.plan import Plan, make_plan
from histpred.experiment.report import REPORT, write_report
from histpred.experiment.sheet import read_sheet
from histpred.experiment.tasks import CONFIGURATIONS, Task, genomes_of, make_tasks, run_task
from histpred.genome.genomes import all_files
from histpred.training.fitting import Epoch

logger = logging.getLogger(__name__)

STORE = "store"

Told = Callable[[Epoch], None]


class Outcome(NamedTuple):
    """How an experiment went: the configurations that are done, and why others are missing."""

    done: tuple[str, ...]
    missing: dict[str, str]


def experiment(
    sheet_path: Path,
    genomes_path: Path | None,
    out: Path,
    only: Sequence[str] = (),
    plan_only: bool = False,
    execution: Execution = Execution(),
    cache: Path | None = None,
    progress: Told = lambda epoch: None,
) -> Outcome:
    """Run the experiment of a sheet into the folder `out`.

    Files: plan/ (see `histpred.experiment.plan`), configurations/NAME/SPLIT/ with a bundle and an
    evaluation, and report.html with its tables (see `histpred.experiment.report`). What is finished
    in `out` is not computed again.

    genomes_path: a samplesheet in place of the genomes of the sheet. only: run these configurations
    and write no report. plan_only: plan, and run none. execution: its store is shared by the
    configurations; None: a folder in `out` that is removed once all of them are done. cache: see
    `Request`. A configuration that fails is missing in the report, and does not stop the others.
    Raises HistpredError for a sheet or inputs that cannot be used, and if all configurations fail.
    """
    sheet = read_sheet(sheet_path)
    tasks = make_tasks(sheet, genomes_of(sheet, genomes_path, cache))
    names = [task.name for task in tasks]
    if unknown := [name for name in only if name not in names]:
        hint = did_you_mean(unknown, names, f"it has {', '.join(names)}")
        raise UsageError(f"the sheet has no configuration {unknown[0]}", hint)
    inputs = (*all_files(tasks[0].genomes), sheet_path)
    refuse_streams(inputs)
    refuse_inputs([out / REPORT], inputs)
    _refuse_foreign(out)
    for task in tasks:
        if task.missing:
            logger.warning(f"configuration {task.name} will be missing: {task.missing}")
    plan = make_plan(sheet, tasks, out / planning.FOLDER, execution.overwrite)
    if plan_only:
        return Outcome((), {})
    chosen = [task for task in tasks if task.name in only or not only]
    kept = execution.store or out / STORE
    missing = _run(chosen, plan, out, execution._replace(store=kept), progress)
    done = tuple(task.name for task in chosen if task.name not in missing)
    if not only:
        write_report(sheet, plan, missing, out)
    if not missing and not only and execution.store is None:
        shutil.rmtree(kept, ignore_errors=True)
    return Outcome(done, missing)


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


def _refuse_foreign(out: Path) -> None:
    """Raise OutputError if a folder holds something else than an experiment."""
    from histpred.core.errors import OutputError

    if out.is_file():
        raise OutputError(f"{out} is a file", "give a folder for -o")
    if out.is_dir() and any(out.iterdir()) and not (out / planning.FOLDER).is_dir():
        raise OutputError(
            f"{out} is not empty and holds no experiment of histpred",
            "choose another folder for -o",
        )
