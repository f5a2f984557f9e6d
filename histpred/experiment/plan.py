"""The plan of an experiment: the genes that every configuration can score, and their splits.

The windows of all configurations are cut first. A gene is used if each configuration has a window
with labels for it. Each split is then made once, over the windows of all configurations together,
so that in a split by locus no window of one set shares a base with a window of another set, in
whichever configuration.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas
from pydantic import BaseModel, JsonValue

from histpred.core.errors import HistpredError, InputError, UsageError, first_few
from histpred.core.finished import finished, is_ours, refuse_other
from histpred.core.output import file_digest, output_folder, sweep
from histpred.core.version import __version__
from histpred.experiment.sheet import Sheet
from histpred.experiment.tasks import Task
from histpred.genome.genomes import GenomeInput
from histpred.genome.request import request_identity
from histpred.genome.windows import WindowSpec
from histpred.labels.examples import labelled
from histpred.labels.matrix import labels_file, read_labels
from histpred.labels.splits import UNUSED, write_split
from histpred.labels.splitting import split
from histpred.scoring.embed import map_windows

logger = logging.getLogger(__name__)

FOLDER, RECORD = "plan", "plan.json"

Cut = tuple[WindowSpec, tuple[GenomeInput, ...]]
"""What decides the windows of a task."""


class PlanRecord(BaseModel):
    """What plan.json holds.

    identity: what decides the experiment. splits: a sentence on each. genes: of the labels with a
    window, and those that every configuration can score. unserved: configurations that have no row,
    and why. outputs: the sha256 of the files, by name.
    """

    histpred: str
    identity: dict[str, JsonValue]
    splits: dict[str, str]
    genes: dict[str, int]
    unserved: dict[str, str]
    outputs: dict[str, str]


class Plan(NamedTuple):
    """The file of each split by its name, in the order of the sheet, and the record."""

    splits: dict[str, Path]
    record: PlanRecord


def make_plan(sheet: Sheet, tasks: Sequence[Task], out: Path, overwrite: bool = False) -> Plan:
    """Write the plan of an experiment into the folder `out`, or read it if it is there.

    Files: a table of each split (id, chrom, start, end, set; see `histpred.labels.splits`), in
    which genes that a configuration cannot score are unused; and plan.json. Raises OutputError if
    `out` holds another experiment, InputError if the configurations have no gene in common, and
    UsageError for a split that cannot be made of their genes.
    """
    identity = identify(sheet, tasks)
    names = [f"{name}.tsv" for name in sheet.splits]
    paths = {name: out / f"{name}.tsv" for name in sheet.splits}
    known = None if overwrite else finished(out / RECORD, PlanRecord)
    if known:
        refuse_other(out.parent, "another experiment", known.identity, identity, known.outputs)
        sweep(out)
        return Plan(paths, known)
    with output_folder(out, (*names, RECORD), is_ours) as work:
        windows, units, unserved, total = _common_windows(tasks, work)
        used = np.isin(units, sorted(total["common"]))
        splits = {}
        for name in sheet.splits:
            made = split(windows[used], units[used].tolist(), name, sheet.seed)
            sets = np.full(len(units), UNUSED, dtype="<U10")
            sets[used] = made.sets
            _write(work / f"{name}.tsv", windows, units, sets)
            splits[name] = made.description
            counts = pandas.Series(sets[used]).value_counts()
            logger.info(f"split {name}: {', '.join(f'{counts[s]:,} {s}' for s in counts.index)}")
        record = PlanRecord(
            histpred=__version__,
            identity=identity,
            splits=splits,
            genes={"labelled": len(total["any"]), "common": len(total["common"])},
            unserved=unserved,
            outputs={name: file_digest(work / name) for name in names},
        )
        text = json.dumps(record.model_dump(), indent=1, allow_nan=False)
        (work / RECORD).write_text(text + "\n", encoding="utf-8")
    return Plan(paths, record)


def identify(sheet: Sheet, tasks: Sequence[Task]) -> dict[str, JsonValue]:
    """Everything that decides an experiment, with digests in place of paths."""
    genomes = {
        genome.name or "genome": request_identity(
            genome.request, tasks[0].window.kind, labels=labels_file(genome.labels_path)
        )
        for genome in tasks[0].genomes
    }
    for one in genomes.values():
        one.pop("by"), one.pop("unstranded")  # those are the configurations'
    configurations = {
        one.name: one.configuration.model_dump(mode="json", exclude={"weights", "name"})
        for one in tasks
    }
    named = sheet.model_dump(mode="json", include={"title", "marks", "splits", "seed"})
    whole: dict[str, Any] = {**named, "genomes": genomes, "configurations": configurations}
    known: dict[str, JsonValue] = json.loads(json.dumps({"histpred": __version__, **whole}))
    return known


def _common_windows(
    tasks: Sequence[Task], work: Path
) -> tuple[pandas.DataFrame, np.ndarray, dict[str, str], dict[str, set[str]]]:
    """The windows of all tasks, their units [n], tasks without a row, and the units of any and all.

    Tasks with the same windows share them. Raises InputError if no unit is common to all tasks.
    """
    tables: dict[Cut, pandas.DataFrame | HistpredError] = {}
    unserved, names = {}, {}
    for task in tasks:
        cut = task.window, task.genomes
        if cut not in tables:
            logger.info(f"windows of {task.name}: {task.window}")
            try:
                tables[cut] = _labelled_windows(cut, work)
            except InputError as error:  # another input may be wrong for all
                tables[cut] = error
        if isinstance(found := tables[cut], HistpredError):
            unserved[task.name] = str(found)
        names.setdefault(cut, task.name)
    served = {cut: one for cut, one in tables.items() if isinstance(one, pandas.DataFrame)}
    if not served:
        raise next(one for one in tables.values() if isinstance(one, HistpredError))
    for name, why in unserved.items():
        logger.warning(f"configuration {name} has no row and is left out: {why}")
    units = {names[cut]: set(table["unit"]) for cut, table in served.items()}
    common = set.intersection(*units.values())
    if not common:
        counts = [f"{len(found):,} of {name}" for name, found in units.items()]
        message = f"the configurations have no labelled gene in common: {first_few(counts)}"
        raise UsageError(message, "read the same genes in all of them (by, biotypes, window)")
    every = pandas.concat(served.values(), ignore_index=True)
    total = {"any": set.union(*units.values()), "common": common}
    if lost := len(total["any"]) - len(common):
        logger.info(f"{lost:,} genes are left out, since not every configuration can score them")
    return every, every["unit"].to_numpy(), unserved, total


def _labelled_windows(cut: Cut, work: Path) -> pandas.DataFrame:
    """The windows with labels: chrom, start, end and unit, of all genomes."""
    window, genomes = cut
    tables = []
    for genome in genomes:
        rows, _, _ = map_windows(genome.request, window, work, len, quiet=True)
        path = genome.labels_path
        _, windows, units, _ = labelled(rows, read_labels(path), path)
        tables.append(windows[["chrom", "start", "end"]].assign(unit=units))
    return pandas.concat(tables, ignore_index=True)


def _write(
    path: Path, windows: pandas.DataFrame, units: np.ndarray, sets: np.ndarray
) -> None:
    """Write a split with one row for each unit: its set, and the bases that its windows span."""
    table = windows.assign(unit=units, set=sets)
    spans = table.groupby("unit", sort=True).agg(
        {"chrom": "first", "start": "min", "end": "max", "set": "first"}
    )
    write_split(path, spans, spans.index.tolist(), spans["set"].to_numpy())
