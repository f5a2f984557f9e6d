"""Coding, non-coding and far non-coding genes in the report and in metrics.json."""

from __future__ import annotations

from collections.abc import Iterator

import pandas

from histpred.evaluation.kinds import CODING, FAR, FAR_NONCODING, NONCODING
from histpred.evaluation.result import MEAN, Result
from histpred.reports.findings import Finding
from histpred.reports.page import Row, Table, count, figure, number, signed

BIASED = 0.05
FIGURES = ("auroc", "probability", "rate", "bias", "ece")
MEANINGS = (
    "Coding: the biotype is protein-coding. Non-coding: every other biotype that is stated, "
    f"pseudogenes among them. Far: its TSS lies more than {FAR:,} bp from every protein-coding TSS "
    "of the annotation."
)


def nested_kinds(kinds: pandas.DataFrame | str) -> dict[str, object] | None:
    """The figures by kind, model and mark, as metrics.json holds them; None if there are none."""
    if isinstance(kinds, str):
        return None
    return {
        kind: {
            "windows": int(of_kind["windows"].iloc[0]),
            "models": {
                model: table.set_index("mark")[list(FIGURES)].to_dict("index")
                for model, table in of_kind.groupby("model", sort=False)
            },
        }
        for kind, of_kind in kinds.groupby("kind", sort=False)
    }


def kind_tables(result: Result) -> list[Table]:
    """Means over the marks for all models, then the bundle's figures of each mark; maybe none."""
    kinds = result.kinds
    if isinstance(kinds, str):
        return []
    bundle = next(iter(result.models))
    means = kinds[kinds["mark"] == MEAN]
    rows = []
    for kind, table in means.groupby("kind", sort=False):
        of = table.set_index("model")
        cells = [count(int(of.loc[bundle, "windows"]))]
        cells += [figure(of.loc[model, "auroc"]) for model in result.models]
        cells += [signed(of.loc[bundle, "bias"]), figure(of.loc[bundle, "ece"])]
        rows.append(Row(kind, cells))
    first = Table(
        "Kinds of genes, means over the marks: AUROC of each model and baseline; bias and ECE of "
        f"{bundle}. Bias: mean probability minus the share of positives. {MEANINGS}",
        ["Genes", "Number", *result.models, "Bias", "ECE"],
        rows,
    )
    return [first, _by_mark(result, kinds[kinds["model"] == bundle], bundle)]


def _by_mark(result: Result, kinds: pandas.DataFrame, bundle: str) -> Table:
    names = list(dict.fromkeys(kinds["kind"]))
    of = kinds.set_index(["mark", "kind"])
    rows = []
    for mark in (*result.marks, MEAN):
        cells = []
        for kind in names:
            one = of.loc[(mark, kind)]
            note = f"bias {number(one['bias'], sign=True)}, ECE {number(one['ece'])}"
            cells.append(figure(one["auroc"], note))
        rows.append(Row(mark, cells, mark != MEAN))
    return Table(
        f"AUROC of {bundle} by mark and kind of gene, and below it bias and ECE. ECE is too high "
        "where there are few genes: ten bins of a few genes each differ from their probabilities "
        "by chance.",
        ["Mark", *names],
        rows,
    )


def kind_findings(result: Result) -> Iterator[Finding]:
    """The ranking and the bias of non-coding genes beside those of coding ones."""
    kinds = result.kinds
    if isinstance(kinds, str):
        return
    bundle = next(iter(result.models))
    means = kinds[(kinds["mark"] == MEAN) & (kinds["model"] == bundle)].set_index("kind")
    names = [kind for kind in (CODING, NONCODING, FAR_NONCODING) if means.loc[kind, "windows"]]
    parts = [
        f"{number(means.loc[kind, 'auroc'])} for {means.loc[kind, 'windows']:,} {kind} genes"
        for kind in names
    ]
    yield Finding(f"The mean AUROC over the marks is {', '.join(parts)}.")
    for kind in names:
        bias = means.loc[kind, "bias"]
        if abs(bias) > BIASED:
            much = "high" if bias > 0 else "low"
            yield Finding(
                f"Probabilities are {number(abs(bias))} too {much} on average for {kind} genes.",
                weak=True,
            )
