"""The plan of an experiment: the genes that every configuration can score, and their splits.

The windows of all configurations are cut first. A gene is used if each configuration has a window
with labels for it. Each split is then made once, over the windows of all configurations together,
so that in a split by locus no window of one set shares a base with a window of another set, in
whichever configuration.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas
from pydantic import BaseModel, JsonValue

from histpred.core.errors import InputError, InUseError, UsageError, first_few
from histpred.core.finished import held, is_ours
from histpred.core.output import file_digest, input_digest, output_folder
from histpred.core.text import agreeing, counted
from histpred.core.version import __version__
from histpred.experiments.sheet import PRIOR, WORDS, Sheet
from histpred.experiments.tasks import Task
from histpred.genome.genomes import GenomeInput, naming, placed
from histpred.genome.windows import WindowSpec
from histpred.labels.folder import CATEGORIES
from histpred.labels.genomes import genomes_identity, labelled_genomes, read_genome_labels
from histpred.labels.splits import UNUSED, write_split
from histpred.labels.splitting import split
from histpred.scoring.embed import map_windows
from histpred.training.recipe import files_of

logger = logging.getLogger(__name__)

FOLDER, GENES, RECORD = "plan", "genes.tsv.gz", "plan.json"
PLACE = ["chrom", "start", "end"]
PAUSE = 0.5  # seconds between two looks at a plan that another run is writing

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
    which genes that a configuration cannot score are unused; genes.tsv.gz, the labels of the other
    genes; categories.tsv, how many entries of RNAInter joined by kind of RNA, if the labels say so;
    and plan.json. If another run is writing the plan, this one waits for it. Raises OutputError if
    `out` holds another experiment, InputError if no configuration has a row, and UsageError if they
    have no gene in common or a split cannot be made of their genes.
    """
    identity = identify(sheet, tasks)
    paths = {name: out / f"{name}.tsv" for name in sheet.splits}
    waiting = False
    while True:
        path, what = out / RECORD, "another experiment"
        if known := held(path, PlanRecord, what, lambda: identity, overwrite, out.name):
            return Plan(paths, known)
        try:
            return Plan(paths, _write_plan(sheet, tasks, out, identity, overwrite))
        except InUseError as error:
            if overwrite:
                raise
            if not waiting:
                logger.info(f"{error.message}: waiting for its plan")
            waiting = True
            time.sleep(PAUSE)


def _write_plan(
    sheet: Sheet,
    tasks: Sequence[Task],
    out: Path,
    identity: dict[str, JsonValue],
    overwrite: bool,
) -> PlanRecord:
    names = [*(f"{name}.tsv" for name in sheet.splits), GENES, CATEGORIES]
    with output_folder(out, (*names, RECORD), is_ours, overwrite) as work:
        tables, unserved = _labelled_windows(sheet, tasks, work)
        common = _common_units(tables)
        windows = pandas.concat(tables.values(), ignore_index=True)
        used = windows["unit"].isin(common).to_numpy()
        splits = {}
        for name in sheet.splits:
            made = split(windows[used], windows["unit"][used].tolist(), name, sheet.seed)
            sets = np.full(len(windows), UNUSED, dtype="<U10")
            sets[used] = made.sets
            genes = _write_sets(work / f"{name}.tsv", windows, sets)
            splits[name] = made.description
            counts = (f"{count:,} {what}" for what, count in genes.value_counts().items())
            logger.info(f"split {name}, genes: {', '.join(counts)}")
        _write_genes(work / GENES, windows[used])
        _write_categories(work / CATEGORIES, tasks[0].genomes)
        record = PlanRecord(
            histpred=__version__,
            identity=identity,
            splits=splits,
            genes={"labelled": windows["unit"].nunique(), "common": len(common)},
            unserved=unserved,
            outputs={name: file_digest(work / name) for name in names if (work / name).exists()},
        )
        text = json.dumps(record.model_dump(), indent=1, allow_nan=False)
        (work / RECORD).write_text(text + "\n", encoding="utf-8")
    return record


def identify(sheet: Sheet, tasks: Sequence[Task]) -> dict[str, JsonValue]:
    """Everything that decides an experiment, with digests in place of paths.

    What only the report says (the title, remarks, and rows of the paper) decides nothing.
    """
    genomes = genomes_identity(tasks[0].genomes, tasks[0].window.kind)
    configurations = {
        one.name: one.configuration.model_dump(mode="json", exclude={"weights", "name", *WORDS})
        | {what: file_digest(path) for what, path in files_of(one.recipe).items() if what == PRIOR}
        for one in tasks
    }
    whole = {
        "histpred": __version__,
        **sheet.model_dump(mode="json", include={"marks", "splits", "seed"}),
        "genomes": genomes["genomes"],
        "biotypes": genomes["biotypes"],
        "transcripts": [input_digest(path) for path in sheet.transcripts],
        "configurations": configurations,
    }
    known: dict[str, JsonValue] = json.loads(json.dumps(whole))
    return known


def _labelled_windows(
    sheet: Sheet, tasks: Sequence[Task], work: Path
) -> tuple[dict[str, pandas.DataFrame], dict[str, str]]:
    """The windows with labels of each task, and why tasks have none; both by name.

    A table has the columns chrom, start, end, unit and biotype, then one for each mark. Tasks with
    the same windows have one table, under the name of the first. Raises InputError if no task has a
    row.
    """
    read: dict[Cut, pandas.DataFrame | InputError] = {}
    tables, unserved = {}, {}
    for task in tasks:
        cut = task.window, task.genomes
        if cut not in read:
            logger.info(f"windows of {task.name}: {task.window}")
            try:
                read[cut] = tables[task.name] = _read(cut, sheet.marks, work)
            except InputError as error:
                read[cut] = error
        if isinstance(known := read[cut], InputError):
            logger.warning(f"configuration {task.name} has no row and is left out: {known}")
            unserved[task.name] = str(known)
    if not tables:
        raise next(error for error in read.values() if isinstance(error, InputError))
    return tables, unserved


def _read(cut: Cut, marks: tuple[str, ...], work: Path) -> pandas.DataFrame:
    """The windows with labels of all genomes."""
    window, genomes = cut
    labels = read_genome_labels(genomes, marks)
    tables = []
    for genome in genomes:
        with naming(genome):
            rows, _, _ = map_windows(genome.request, window, work, len, quiet=True)
        tables.append(placed(rows, genome.name))
    _, windows, units, values = labelled_genomes(genomes, tables, labels)
    table = windows[[*PLACE, "biotype"]].assign(unit=units)
    of_marks = pandas.DataFrame(values, columns=list(labels[0].marks))
    return pandas.concat([table, of_marks], axis=1)


def _common_units(tables: Mapping[str, pandas.DataFrame]) -> set[str]:
    """The units that all tables have; UsageError if there is none."""
    units = {name: set(table["unit"]) for name, table in tables.items()}
    common = set.intersection(*units.values())
    if not common:
        counts = [f"{len(found):,} of {name}" for name, found in units.items()]
        message = f"the configurations have no labelled gene in common: {first_few(counts)}"
        raise UsageError(message, "read the same genes in all of them (by, biotypes, window)")
    if lost := len(set.union(*units.values())) - len(common):
        are = agreeing(lost, "is", "are")
        logger.info(f"{counted(lost, 'gene')} {are} left out: not every configuration scores them")
    return common


def _write_sets(path: Path, windows: pandas.DataFrame, sets: np.ndarray) -> pandas.Series:
    """Write the set of each unit, and the bases that its windows span; returns the sets."""
    how = {"chrom": "first", "start": "min", "end": "max", "set": "first"}
    genes = windows.assign(set=sets).groupby("unit", sort=True).agg(how)
    write_split(path, genes, genes.index.tolist(), genes["set"].to_numpy())
    return genes["set"]


def _write_genes(path: Path, windows: pandas.DataFrame) -> None:
    """Write one row for each unit: id, biotype, and its label of each mark (empty: unlabelled)."""
    genes = windows.drop(columns=PLACE).drop_duplicates("unit").sort_values("unit")
    marks = [name for name in genes.columns if name not in ("unit", "biotype")]
    table = genes[["unit", "biotype", *marks]].rename(columns={"unit": "id"})
    table = table.astype(dict.fromkeys(marks, "Int8"))
    table.to_csv(path, sep="\t", index=False, compression={"method": "gzip", "mtime": 0})


def _write_categories(path: Path, genomes: Sequence[GenomeInput]) -> None:
    """Write how many entries of RNAInter joined, by kind of RNA, if the labels of all say so."""
    files = [genome.labels_path / CATEGORIES for genome in genomes]
    if not all(file.is_file() for file in files):
        return
    every = pandas.concat([pandas.read_csv(file, sep="\t") for file in files])
    counts = every.groupby("category")["joined"].sum().sort_values(ascending=False, kind="stable")
    counts.rename("entries").reset_index().to_csv(path, sep="\t", index=False)
