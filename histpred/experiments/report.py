"""The report of an experiment: tables as TSV, one page that reads like the paper, and a record."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas
from pydantic import BaseModel, JsonValue

from histpred.core.errors import HistpredError
from histpred.core.finished import altered
from histpred.core.output import file_digest, output_files
from histpred.core.strict_json import parse
from histpred.core.version import __version__
from histpred.experiments import figures, page_tables, tables
from histpred.experiments.plan import FOLDER, GENES, Plan
from histpred.experiments.results import Trained, read_trained
from histpred.experiments.sheet import WORDS, Sheet
from histpred.experiments.tables import Results
from histpred.labels.folder import CATEGORIES
from histpred.reports.page import listed, render

logger = logging.getLogger(__name__)

REPORT, RECORD = "report.html", "experiment.json"
TABLES = {
    "table1.tsv": tables.table_1,
    "table2.tsv": tables.table_2,
    "configurations.tsv": tables.all_configurations,
    "mark_vectors.tsv": tables.mark_vectors,
    "marks.tsv": tables.by_mark,
}
"""Table of the folder -> what makes it."""


class ExperimentRecord(BaseModel):
    """What experiment.json holds: the experiment, why what is missing, and the files' sha256.

    words: what only the report says: see `_words`.
    """

    histpred: str
    identity: dict[str, JsonValue]
    words: dict[str, JsonValue]
    missing: dict[str, str]
    outputs: dict[str, str]


class Report(NamedTuple):
    """What the page shows, beside its tables and figures."""

    sheet: Sheet
    plan: Plan
    results: Results
    missing: Mapping[str, str]


def write_report(sheet: Sheet, plan: Plan, missing: Mapping[str, str], out: Path) -> None:
    """Write report.html, the tables of `TABLES` and experiment.json into the folder `out`.

    missing: why a configuration is missing, by its name. Figures that are undefined are empty in
    the tables. The same results give the same bytes. Raises HistpredError if no configuration is
    done.
    """
    results = read_results(sheet, plan, missing, out)
    if not any(results.values()):
        reasons = "; ".join(f"{name}: {why}" for name, why in missing.items())
        raise HistpredError(f"no configuration could be evaluated: {reasons}", "mend one of them")
    logger.info("drawing figures and writing the report")
    genes = pandas.read_csv(out / FOLDER / GENES, sep="\t", keep_default_na=False, na_values=[""])
    kinds = out / FOLDER / CATEGORIES
    categories = pandas.read_csv(kinds, sep="\t") if kinds.exists() else None
    paths = [out / name for name in (REPORT, *TABLES, RECORD)]
    with output_files(paths, overwrite=True) as work:
        layout = {"float_format": "%.8g", "lineterminator": "\n", "encoding": "utf-8"}
        for name, make in TABLES.items():
            make(results).to_csv(work / name, sep="\t", index=False, **layout)
        page = _page(Report(sheet, plan, results, missing), genes, categories)
        (work / REPORT).write_text(page, encoding="utf-8")
        record = ExperimentRecord(
            histpred=__version__,
            identity=plan.record.identity,
            words=_words(sheet),
            missing=dict(missing),
            outputs={name: file_digest(work / name) for name in (REPORT, *TABLES)},
        )
        text = json.dumps(record.model_dump(), indent=1, allow_nan=False)
        (work / RECORD).write_text(text + "\n", encoding="utf-8")


def _words(sheet: Sheet) -> dict[str, JsonValue]:
    """What of a sheet is only shown: the title, and words on configurations in their order."""
    each = [one.model_dump(mode="json", include={"name", *WORDS}) for one in sheet.configurations]
    return {"title": sheet.title, "configurations": [*each]}


def is_finished(sheet: Sheet, plan: Plan, out: Path) -> bool:
    """True if `out` holds the whole report of a sheet and its plan, with unchanged files."""
    try:
        record = ExperimentRecord.model_validate(parse((out / RECORD).read_bytes()))
    except (OSError, ValueError):
        return False
    same = (record.identity, record.words) == (plan.record.identity, _words(sheet))
    return same and not record.missing and not altered(out, record.outputs)


def read_results(sheet: Sheet, plan: Plan, missing: Mapping[str, str], out: Path) -> Results:
    """The finished configurations of each split, in the order of the sheet."""
    return {
        split: [
            read_trained(out, one, split) for one in sheet.configurations if one.name not in missing
        ]
        for split in plan.splits
    }


def _page(report: Report, genes: pandas.DataFrame, categories: pandas.DataFrame | None) -> str:
    sheet, plan, results, _ = report
    first = next(iter(results))
    drawings = figures.draw_data(genes, categories)
    for split, done in results.items():
        drawings |= figures.draw_split(split, done)
    return render(
        "experiments/report.html.j2",
        title=sheet.title or "Experiment",
        counts={"configuration": len(sheet.configurations), "split": len(plan.splits)},
        genes=plan.record.genes,
        marks=len(genes.columns) - 2,
        warnings=_warnings(report),
        found=page_tables.found(results),
        figures=drawings,
        splits=plan.record.splits,
        compared=page_tables.compared(results),
        chapters={split: _chapter(sheet, results, split) for split in results},
        settings=page_tables.settings(sheet, results[first]),
        readings=_readings(results[first]),
        facts=_facts(report),
    )


def _chapter(sheet: Sheet, results: Results, split: str) -> dict[str, object]:
    return {
        "tables": page_tables.chapter(sheet, {split: results[split]}),
        "vectors": figures.vectors_of(results[split]) is not None,
    }


def _warnings(report: Report) -> list[str]:
    found = [f"The configuration {name} is missing: {why}" for name, why in report.missing.items()]
    done = next(iter(report.results.values()))
    if strange := [one.name for one in done if one.published is False]:
        found.append(
            f"The weights of the encoder are not the published ones in {listed(strange)}: the "
            "figures say nothing about the published encoder."
        )
    if short := [
        f"{one.name} ({one.limit})" for one in done if one.limit < page_tables.PAPER_EPOCHS
    ]:
        found.append(
            f"Training was limited to fewer epochs than the paper's {page_tables.PAPER_EPOCHS}: "
            f"{', '.join(short)}."
        )
    first, sets = next(iter(report.plan.record.splits.items()))
    leaks = {text for one in done for text in one.metrics["warnings"] if "share bases" in text}
    if leaks:
        found.append(
            f"In the split '{first}' ({sets}), test windows share bases with training windows: its "
            "figures flatter the models. The other splits show by how much."
            if len(report.results) > 1
            else sorted(leaks)[0]
        )
    return found


def _readings(done: Sequence[Trained]) -> list[str]:
    """What the two readings are, as sentences."""
    return [] if not done else list(done[0].metrics["readings"].values())


def _facts(report: Report) -> dict[str, str]:
    genes = report.plan.record.genes
    genomes = report.plan.record.identity["genomes"]
    assert isinstance(genomes, dict)
    return {
        "genomes": ", ".join(genomes),
        "genes": f"{genes['common']:,} that every configuration can score, of "
        f"{genes['labelled']:,} with labels",
        **{f"split {name}": how for name, how in report.plan.record.splits.items()},
        "seed": str(report.sheet.seed),
    }
