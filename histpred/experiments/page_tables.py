"""The tables of an experiment as its page shows them, and the sentences that open the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas

from histpred.evaluation.result import METRICS, MICRO, PAPER_METRICS
from histpred.experiments import paper, tables
from histpred.experiments.results import READINGS, Trained
from histpred.experiments.sheet import Sheet
from histpred.experiments.tables import Results, reference
from histpred.reports.page import Cell, Row, Table, count, figure, listed, number, percent
from histpred.reports.readings import PAPER
from histpred.training.settings import Settings

PAPER_EPOCHS = Settings().epochs
HEADS = {"macro auroc": "Macro-AUROC", "micro auroc": "Micro-AUROC"}
NOTHING = -2.0  # sorts below every figure
LEFT_OUT, MISSED = "not in this experiment", "missing: see above"
MISSING = Cell("", NOTHING)


def found(results: Results) -> list[str]:
    """What was found, as sentences: the first comes first on the page."""
    done = {split: reference(these) for split, these in results.items()}
    shown = {split: one for split, one in done.items() if one is not None}
    if not shown:
        return []
    first = next(iter(shown.values()))
    figures = [
        f"{number(one.value(MICRO, 'auroc', PAPER))} in the split '{split}'"
        for split, one in shown.items()
    ]
    row = first.configuration.paper
    printed = f" The paper prints {paper.TABLE_2[row][MICRO]} for {row}." if row else ""
    sentences = [f"{first.name} has a micro-averaged AUROC of {listed(figures)}.{printed}"]
    for split, one in shown.items():
        areas = {name: one.value(MICRO, "auroc", PAPER, name) for name in one.baselines}
        known = pandas.Series(areas, dtype=float).dropna()
        if len(known):
            sentences.append(
                f"In the split '{split}', the best baseline is {known.idxmax()}, with "
                f"{number(known.max())}."
            )
    return sentences


def compared(results: Results) -> Table:
    """Macro- and micro-averaged AUROC of every configuration under every split."""
    table = tables.all_configurations(results)
    table = table[table["reading"] == PAPER]
    heads = [f"{head}, {split}" for head in HEADS.values() for split in results]
    rows = []
    for name, own in table.groupby("configuration", sort=False):
        by_split = own.set_index("split")
        cells = [
            figure(by_split[column].get(split, float("nan")))
            for column in HEADS
            for split in results
        ]
        rows.append(Row(str(name), cells, kind="baseline" if own["epochs"].isna().all() else ""))
    return Table(
        "AUROC on the test genes of each split, of raw scores. Grey: baselines, which read the "
        f"windows of {_reference_name(results)}.",
        ["Configuration", *heads],
        rows,
    )


def chapter(sheet: Sheet, results: Results) -> dict[str, Table]:
    """The tables of one split by the name of their file, without its suffix."""
    named = {one.paper: one.name for one in sheet.configurations if one.paper}
    found = {
        "table1": Table(
            "The paper's Table 1: test set performance, micro-averaged over the marks. Grey: what "
            "the paper prints.",
            ["Configuration", "Figures", *(METRICS[name] for name in PAPER_METRICS)],
            _beside(tables.table_1(results), PAPER_METRICS, paper.TABLE_1, named),
        ),
        "table2": Table(
            "The paper's Table 2: macro- and micro-averaged AUROC on the test set. Grey: what the "
            "paper prints.",
            ["Configuration", "Figures", *HEADS.values()],
            _beside(tables.table_2(results), list(HEADS), paper.TABLE_2, named),
        ),
        "configurations": _every(results),
    }
    vectors = tables.mark_vectors(results)
    if len(vectors) and vectors["dimension"].notna().any():
        found["mark_vectors"] = _vectors(vectors)
    return found


def settings(sheet: Sheet, done: Sequence[Trained]) -> Table:
    """What each configuration is: its input, marks, loss and epochs."""
    trained = {one.name: one for one in done}
    rows = []
    for one in sheet.configurations:
        given = one.model_dump()
        result = trained.get(one.name)
        inputs = result.metrics["models"][one.name]["inputs"] if result else "missing"
        marks = f"vectors of {given['mark_dimension']}" if given["mark_dimension"] else "one-hot"
        if given["model"] != "mlp":
            marks = "one output each"
        epochs = f"{len(result.losses)} of at most {result.limit}" if result else ""
        texts = [inputs, given["model"], marks, given["loss"], epochs, one.summary]
        rows.append(Row(one.name, [Cell(text) for text in texts]))
    heads = ["Configuration", "Input", "Model", "Marks", "Loss", "Epochs", "Remark"]
    return Table("The configurations of the sheet.", heads, rows)


def _beside(
    table: pandas.DataFrame,
    metrics: Sequence[str],
    printed: Mapping[str, Mapping[str, float]],
    named: Mapping[str, str],
) -> list[Row]:
    """Rows of a table of the paper: what it prints, then the same by both readings.

    named: the configuration of the sheet that stands for a row, if there is one.
    """
    rows = []
    for row, values in printed.items():
        cells = [Cell(f"{value:g}", value) for value in values.values()]
        rows.append(Row(row, [Cell("as printed"), *cells], kind="baseline"))
        own = table[table["row"] == row]
        if own.empty:
            why = Cell(MISSED if row in named else LEFT_OUT)
            rows.append(Row(named.get(row, row), [why, *[MISSING] * len(metrics)]))
        for record in own.to_dict("records"):
            figures = [figure(record[name]) for name in metrics]
            rows.append(Row(record["configuration"], [Cell(READINGS[record["reading"]]), *figures]))
    return rows


def _every(results: Results) -> Table:
    """All configurations and baselines of one split."""
    metrics = PAPER_METRICS[:-1]
    rows = []
    for record in tables.all_configurations(results).to_dict("records"):
        trained = not pandas.isna(record["epochs"])
        cells = [Cell(READINGS[record["reading"]])]
        cells += [figure(record[name]) for name in (*metrics, *HEADS)]
        cells += [figure(record["validation loss"]) if trained else MISSING]
        rows.append(Row(record["configuration"], cells, kind="" if trained else "baseline"))
    heads = [METRICS[name] for name in metrics]
    return Table(
        "All configurations, and baselines that read the windows of "
        f"{_reference_name(results)} (grey). Micro-averaged but for the macro-averaged AUROC.",
        ["Configuration", "Reading", *heads, *HEADS.values(), "Validation loss"],
        rows,
        tall=len(rows) > 30,
    )


def _vectors(table: pandas.DataFrame) -> Table:
    """How the length of the mark vectors matters (appendix E of the paper)."""
    rows = []
    for record in table.to_dict("records"):
        one_hot = pandas.isna(record["dimension"])
        cells = [
            Cell("one-hot", 0) if one_hot else count(record["dimension"]),
            Cell(record["loss"]),
        ]
        cells += [figure(record[name]) for name in ("validation loss", *HEADS, "mean", "sd")]
        cells += [Cell(percent(record["beyond"]) if record["pairs"] else "", record["beyond"])]
        rows.append(Row(record["configuration"], cells))
    return Table(
        "Length of the trained mark vectors (the paper's appendix E, which finds no higher "
        "validation loss down to 8 numbers). Mean and s.d. of the cosine similarity over pairs of "
        f"different marks: the paper prints {paper.SIMILARITY_MEAN:+.4f} and "
        f"{paper.SIMILARITY_SD:.4f}, with {paper.STRONG_SHARE:.1%} of the pairs beyond "
        f"\N{PLUS-MINUS SIGN}{paper.STRONGER_THAN} for 50 numbers.",
        [
            *("Configuration", "Numbers", "Loss", "Validation loss", *HEADS.values()),
            *("Mean", "s.d.", f"Beyond \N{PLUS-MINUS SIGN}{paper.STRONGER_THAN}"),
        ],
        rows,
    )


def _reference_name(results: Results) -> str:
    named = (reference(done) for done in results.values())
    return next((one.name for one in named if one), "none")
