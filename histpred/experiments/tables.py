"""The tables of an experiment: the paper's Tables 1 and 2 beside what it prints, and others.

Each has a row for each split, configuration and reading, so that one file holds what a reader of
the report compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas

from histpred.evaluation.result import MACRO, MICRO, PAPER_METRICS
from histpred.experiments import paper
from histpred.experiments.results import READINGS, Trained

Results = Mapping[str, Sequence[Trained]]
"""Split -> its finished configurations, in the order of the sheet."""

PRINTED = "printed "
KEYS = ("split", "configuration", "row", "reading")


def table_1(results: Results) -> pandas.DataFrame:
    """Micro-averaged figures of the configurations that stand for a row of the paper's Table 1.

    Columns split, configuration, row (of the paper), reading, a column for each metric, and one
    'printed METRIC' for what the paper prints.
    """
    rows = []
    for split, one in _in_order(results, paper.TABLE_1):
        row = str(one.configuration.paper)
        printed = {PRINTED + name: value for name, value in paper.TABLE_1[row].items()}
        for reading in READINGS:
            values = {name: one.value(MICRO, name, reading) for name in PAPER_METRICS}
            rows.append({**_keys(split, one, row, reading), **values, **printed})
    names = [*PAPER_METRICS, *(PRINTED + name for name in PAPER_METRICS)]
    return pandas.DataFrame(rows, columns=[*KEYS, *names])


def table_2(results: Results) -> pandas.DataFrame:
    """Macro- and micro-averaged AUROC, as the paper's Table 2; columns as in `table_1`."""
    rows = []
    for split, one in _in_order(results, paper.TABLE_2):
        row = str(one.configuration.paper)
        printed = {f"{PRINTED}{name} auroc": paper.TABLE_2[row][name] for name in (MACRO, MICRO)}
        for reading in READINGS:
            rows.append({**_keys(split, one, row, reading), **_areas(one, reading), **printed})
    areas = [f"{name} auroc" for name in (MACRO, MICRO)]
    return pandas.DataFrame(rows, columns=[*KEYS, *areas, *(PRINTED + name for name in areas)])


def all_configurations(results: Results) -> pandas.DataFrame:
    """Every configuration and, below the last of a split, the baselines beside `reference`.

    Columns split, configuration, row, reading, micro-averaged figures, macro auroc, micro auroc,
    validation loss and epochs. Baselines have no row, loss and epochs.
    """
    rows = []
    for split, done in results.items():
        for one in done:
            trained = {"validation loss": one.best_loss, "epochs": len(one.losses)}
            for reading in READINGS:
                keys = _keys(split, one, one.configuration.paper or "", reading)
                values = {name: one.value(MICRO, name, reading) for name in PAPER_METRICS[:-1]}
                rows.append({**keys, **values, **_areas(one, reading), **trained})
        if (beside := reference(done)) is None:
            continue
        for name in beside.baselines:
            for reading in READINGS:
                keys = dict(zip(KEYS, (split, name, "", reading), strict=True))
                values = {
                    metric: beside.value(MICRO, metric, reading, name)
                    for metric in PAPER_METRICS[:-1]
                }
                rows.append({**keys, **values, **_areas(beside, reading, name)})
    areas = [f"{name} auroc" for name in (MACRO, MICRO)]
    columns = [*KEYS, *PAPER_METRICS[:-1], *areas, "validation loss", "epochs"]
    table = pandas.DataFrame(rows, columns=columns)
    return table.astype({"epochs": "Int64"})


def reference(done: Sequence[Trained]) -> Trained | None:
    """The configuration whose baselines are shown: the paper's DNABERT2, else the first."""
    stands = [one for one in done if one.configuration.paper == paper.DNABERT2]
    return next(iter([*stands, *done]), None)


def mark_vectors(results: Results) -> pandas.DataFrame:
    """How marks are encoded (appendix E): a row for each split and configuration with vectors.

    The configuration that stands for DNABERT2 is the first row of a split, if its marks are
    one-hot. Columns split, configuration, dimension (missing: one-hot), loss, validation loss,
    macro and micro auroc by the paper's rule, and of the cosine similarity of different marks:
    pairs, mean, sd (of the pairs), and the share of pairs beyond +-0.25.
    """
    rows = []
    for split, done in results.items():
        first = reference(done)
        for one in done:
            dimension = one.dimension
            if dimension is None and one is not first:
                continue
            loss = one.configuration.model_dump()["loss"]
            row = {"split": split, "configuration": one.name, "dimension": dimension, "loss": loss}
            row |= {"validation loss": one.best_loss, **_areas(one, next(iter(READINGS)))}
            rows.append({**row, **similarity_of(one)})
    table = pandas.DataFrame(rows)
    return table.astype({"dimension": "Int64"}) if len(table) else table


def by_mark(results: Results) -> pandas.DataFrame:
    """Figures of each mark: what Fig. 2 and Extended Data Fig. 4 draw.

    Columns split, configuration, row, reading, mark, positives, negatives, accuracy, auroc.
    """
    rows = []
    for split, done in results.items():
        for one in done:
            counts = one.metrics["models"][one.name]["figures"]
            for reading in READINGS:
                keys = _keys(split, one, one.configuration.paper or "", reading)
                for mark in one.marks:
                    found = {name: counts[mark][name] for name in ("positives", "negatives")}
                    figures = {
                        name: one.value(mark, name, reading) for name in ("accuracy", "auroc")
                    }
                    rows.append({**keys, "mark": mark, **found, **figures})
    return pandas.DataFrame(rows)


def _in_order(results: Results, rows: Mapping[str, object]) -> list[tuple[str, Trained]]:
    """Split and configuration for each row of a table of the paper, in the paper's order."""
    return [
        (split, one)
        for split, done in results.items()
        for row in rows
        for one in done
        if one.configuration.paper == row
    ]


def _keys(split: str, one: Trained, row: str, reading: str) -> dict[str, str]:
    return dict(zip(KEYS, (split, one.name, row, reading), strict=True))


def _areas(one: Trained, reading: str, model: str = "") -> dict[str, float]:
    return {f"{name} auroc": one.value(name, "auroc", reading, model) for name in (MACRO, MICRO)}


def similarity_of(one: Trained) -> dict[str, float]:
    """The similarity of different marks' vectors: pairs, mean, sd and share of strong pairs."""
    table = one.similarity()
    if table is None or len(table) < 2:
        return {"pairs": 0, "mean": np.nan, "sd": np.nan, "beyond": np.nan}
    values = table.to_numpy()[np.triu_indices(len(table), 1)]
    strong = np.abs(values) > paper.STRONGER_THAN
    return {
        "pairs": len(values),
        "mean": float(values.mean()),
        "sd": float(values.std()),
        "beyond": float(strong.mean()),
    }
