from __future__ import annotations

import csv
import gzip
import html.parser
import json
import math
from pathlib import Path

import numpy as np
import pandas
import pytest

for package in ("jinja2", "sklearn", "scipy"):
    pytest.importorskip(package, reason="needs the extra train")

from histpred.evaluation.result import (  # noqa: E402
    BASELINE,
    MACRO,
    METRICS,
    MICRO,
    Correlation,
    ModelResult,
    Result,
)
from histpred.reports.evaluation import (  # noqa: E402
    calibration_findings,
    group_findings,
    mark_findings,
    performance_findings,
    relation_findings,
    standing,
    write_report,
    write_tables,
)

DRAWN = '<svg class="roc" xmlns="http://www.w3.org/2000/svg"><text>drawn</text></svg>'


class Figure:
    title, caption, svg = "Curves", "A caption & more.", DRAWN


class Page(html.parser.HTMLParser):
    """The tags of a page with their attributes, and its text outside of style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.feed(text)
        self.close()
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, text: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(text)
            if {"td", "th"} & set(self.open):
                self.tables[-1][-1][-1] += text


def report_of(result: Result, folder: Path, figures: dict | None = None) -> str:
    path = folder / "report.html"
    write_report(result, figures or {}, path)
    return path.read_text(encoding="utf-8")


def tsv(path: Path) -> list[dict[str, str]]:
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    return list(csv.DictReader(text.splitlines(), delimiter="\t"))


def made(
    figures: dict[str, float], width: float = 0.02, kind: str = BASELINE, rows: int = 4
) -> ModelResult:
    """A model with these AUROCs by row ('micro', 'macro', marks), 0.6 for everything else."""
    table = pandas.DataFrame(0.6, index=list(figures), columns=["positives", "negatives", *METRICS])
    table["auroc"] = pandas.Series(figures)
    table["positives"], table["negatives"] = 2, 2
    marks = len(figures) - 2
    probabilities = np.linspace(0.1, 0.9, rows * marks).reshape(rows, marks)
    return ModelResult(
        kind, "made up", probabilities, np.full(marks, 0.5), table, table - width, table + width
    )


def compared(bundle: dict[str, float], baselines: dict[str, dict[str, float]]) -> Result:
    """A result of made-up figures with the marks named in `bundle`, without groups."""
    marks = tuple(bundle)[2:]
    columns = ["by", "group", "windows", "model", "marks"]
    columns += ["micro_auroc", "macro_auroc", "micro_auprc"]
    windows = pandas.DataFrame(
        {"chrom": "chr1", "start": range(4), "end": range(9, 13), "name": list("abcd")}
    ).assign(strand="+", gene_id=".", biotype=".")
    models = {"bundle": made(bundle, kind="model")}
    models |= {name: made(figures) for name, figures in baselines.items()}
    labels = np.tile(np.float32([[1], [1], [0], [0]]), len(marks))
    empty = pandas.DataFrame(columns=columns)
    return Result("bundle 1", {}, [], marks, windows, labels, models, empty, None, None, None)


def said(findings: list) -> str:
    return " ".join(finding.text for finding in findings)


def weak(findings: list) -> str:
    return " ".join(finding.text for finding in findings if finding.weak)


# Tables.


def test_summary_is_table_1_then_table_2(result, tmp_path):
    write_tables(result, tmp_path)
    rows = tsv(tmp_path / "summary.tsv")
    assert list(rows[0]) == [
        *("Configuration", "Input type", "Accuracy", "Precision", "Recall", "F1-score", "MCC"),
        *("AUROC", "AUPRC", "Macro-AUROC", "Macro-AUROC low", "Macro-AUROC high"),
        *("Micro-AUROC", "Micro-AUROC low", "Micro-AUROC high"),
    ]
    assert [row["Configuration"] for row in rows] == list(result.models)
    for row, one in zip(rows, result.models.values(), strict=True):
        assert float(row["MCC"]) == pytest.approx(one.figures.loc[MICRO, "mcc"], rel=1e-5)
        assert float(row["Macro-AUROC"]) == pytest.approx(one.figures.loc[MACRO, "auroc"], rel=1e-5)
        assert float(row["Micro-AUROC low"]) == pytest.approx(one.low.loc[MICRO, "auroc"], rel=1e-5)


def test_marks_is_tidy(result, tmp_path):
    write_tables(result, tmp_path)
    rows = {(row["model"], row["mark"]): row for row in tsv(tmp_path / "marks.tsv")}
    assert list(rows) == [(model, mark) for model in result.models for mark in result.marks]
    for (model, mark), row in rows.items():
        one = result.models[model]
        assert int(row["positives"]) == one.figures.loc[mark, "positives"]
        for column, table in (("f1", one.figures), ("f1_low", one.low), ("f1_high", one.high)):
            value = table.loc[mark, "f1"]
            wanted = "" if np.isnan(value) else pytest.approx(value, rel=1e-5)
            assert (float(row[column]) if row[column] else "") == wanted


def test_predictions_are_the_bundle_s(result, tmp_path):
    write_tables(result, tmp_path)
    rows = tsv(tmp_path / "predictions.tsv.gz")
    bundle = next(iter(result.models.values()))
    assert list(rows[0])[:7] == list(result.windows.columns)
    assert [row["name"] for row in rows] == list(result.windows["name"])
    assert [int(row["start"]) for row in rows] == list(result.windows["start"])
    for i, mark in enumerate(result.marks):
        labels = [row[f"{mark}_label"] for row in rows]
        assert labels == ["" if np.isnan(y) else str(int(y)) for y in result.labels[:, i]]
        probabilities = [float(row[f"{mark}_probability"]) for row in rows]
        np.testing.assert_allclose(probabilities, bundle.probabilities[:, i], rtol=1e-5)
    assert "" in {row[f"{result.marks[0]}_label"] for row in rows}


def test_relations_and_groups(result, tmp_path):
    write_tables(result, tmp_path)
    for name in ("similarity", "co_targeting"):
        rows = tsv(tmp_path / f"{name}.tsv")
        assert [row.pop("mark") for row in rows] == list(result.marks)
        values = [[float(value) for value in row.values()] for row in rows]
        np.testing.assert_allclose(values, getattr(result, name), rtol=1e-5)
    assert len(tsv(tmp_path / "groups.tsv")) == len(result.groups)


def test_relations_that_are_not_there_have_no_file(make_result, tmp_path):
    write_tables(make_result(rows=40, relations=False), tmp_path)
    assert not (tmp_path / "similarity.tsv").exists()
    assert not (tmp_path / "co_targeting.tsv").exists()


def strict_json(path: Path) -> dict:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_json_has_every_figure(result, tmp_path):
    write_tables(result, tmp_path)
    metrics = strict_json(tmp_path / "metrics.json")
    assert metrics["windows"] == len(result.windows)
    assert list(metrics["models"]) == list(result.models)
    for name, one in result.models.items():
        found = metrics["models"][name]["figures"]
        assert list(found) == [MICRO, MACRO, *result.marks]
        for row, figures in found.items():
            assert figures["positives"] == one.figures.loc[row, "positives"]
            for metric in METRICS:
                value = one.figures.loc[row, metric]
                wanted = None if math.isnan(value) else pytest.approx(value)
                assert figures[metric]["value"] == wanted
    no_positive = metrics["models"]["tiny 1.0"]["figures"][result.marks[-1]]
    assert no_positive["auroc"]["value"] is None
    assert metrics["correlation"] == {"pearson": 0.41, "spearman": 0.38, "pairs": 28}
    first, second = result.marks[:2]
    wanted = pytest.approx(result.similarity.loc[first, second])
    assert metrics["similarity"][first][second] == wanted


def test_json_is_strict_with_nothing_defined(undefined_result, tmp_path):
    nothing = Correlation(np.nan, np.inf, 0)
    write_tables(undefined_result._replace(correlation=nothing), tmp_path)
    metrics = strict_json(tmp_path / "metrics.json")
    assert metrics["correlation"] == {"pearson": None, "spearman": None, "pairs": 0}
    assert metrics["groups"][0]["micro_auroc"] is None


def test_the_same_result_gives_the_same_bytes(result, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_tables(result, tmp_path / name)
        report_of(result, tmp_path / name)
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert {"summary.tsv", "predictions.tsv.gz", "metrics.json", "report.html"} <= names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


# The page.


def test_the_page_is_whole_and_loads_nothing(result, tmp_path):
    page = report_of(result, tmp_path, {"roc": Figure()})
    parsed = Page(page)
    assert page.startswith("<!DOCTYPE html>")
    assert parsed.open == []
    for tag, attributes in parsed.tags:
        assert tag not in ("link", "img", "iframe", "object", "base")
        assert "src" not in attributes
        assert attributes.get("href", "#").startswith("#")
    ids = {attributes["id"] for _, attributes in parsed.tags if "id" in attributes}
    links = {attributes["href"][1:] for tag, attributes in parsed.tags if tag == "a"}
    assert links <= ids
    assert "@import" not in page
    assert "url(" not in page
    assert DRAWN in page
    assert "Figure 1 | Curves. A caption & more." in parsed.text


def test_the_page_shows_the_numbers_of_the_tables(result, tmp_path):
    write_tables(result, tmp_path)
    first, second, by_mark, *_ = Page(report_of(result, tmp_path)).tables
    rows = tsv(tmp_path / "summary.tsv")
    heads = ["Accuracy", "Precision", "Recall", "F1-score", "MCC", "AUROC", "AUPRC"]
    assert first[0] == ["Configuration", "Input type", *heads]
    for shown, row in zip(first[1:], rows, strict=True):
        assert shown[:2] == [row["Configuration"], row["Input type"]]
        numbers = [float(cell.replace("\N{MINUS SIGN}", "-")) for cell in shown[2:]]
        assert numbers == pytest.approx([float(row[head]) for head in heads], abs=5.1e-4)
    for shown, row in zip(second[1:], rows, strict=True):
        low, high = (float(row[f"Macro-AUROC {end}"]) for end in ("low", "high"))
        assert shown[1].split() == [
            f"{float(row['Macro-AUROC']):.3f}",
            f"{low:.3f}",
            "to",
            f"{high:.3f}",
        ]
    marks = [row for row in tsv(tmp_path / "marks.tsv") if row["model"] == "tiny 1.0"]
    for shown, row in zip(by_mark[1:], marks, strict=True):
        wanted = f"{float(row['auroc']):.3f}" if row["auroc"] else "undefined"
        assert shown[0] == row["mark"]
        assert shown[1] == f"{int(row['positives']):,}"
        assert shown[3].split()[0] == wanted


def test_the_best_of_a_column_is_bold(tmp_path):
    figures = {MICRO: 0.7, MACRO: 0.7, "H3K4me3": 0.7}
    result = compared(figures, {"near": figures | {MICRO: 0.7004}, "far": figures | {MICRO: 0.6}})
    page = report_of(result, tmp_path)
    table = page.split("<table")[1].split("</table>")[0]
    # The metrics that all share, and the two micro-AUROCs that print alike.
    assert table.count("<b>0.600</b>") == 6 * 3
    assert table.count("<b>0.700</b>") == 2
    assert ">0.600</td>" in table


def test_one_model_is_the_best_of_nothing(tmp_path):
    page = report_of(compared({MICRO: 0.7, MACRO: 0.7, "H3K4me3": 0.7}, {}), tmp_path)
    assert "<td><b>" not in page
    assert "</b></td>" not in page


def test_warnings_stand_before_any_figure(result, tmp_path):
    leak = "30 of 300 test windows overlap training windows"
    page = Page(report_of(result._replace(warnings=[leak]), tmp_path)).text
    assert page.index(leak) < page.index("Performance")
    assert "Before you read on" not in Page(report_of(result, tmp_path)).text


def test_every_name_is_escaped(make_result, tmp_path):
    hostile = '<script>alert("1")</script>'
    result = make_result([hostile, "H3K4me3"], models=2, rows=40)
    groups = result.groups.assign(group=[f"{hostile}{i % 4}" for i in range(len(result.groups))])
    groups["model"] = hostile
    bundle, other = result.models.values()
    result = result._replace(
        title=hostile,
        about={hostile: hostile},
        warnings=[hostile],
        models={hostile: bundle._replace(inputs=hostile), "other": other},
        groups=groups,
    )
    page = report_of(result, tmp_path)
    assert page.count("<script") == 1  # that which sorts
    assert "alert(&#34;1&#34;)" in page
    assert 'alert("1")' not in page
    assert Page(page).text.count(hostile) > 8


def test_nothing_defined_is_said_to_be_undefined(undefined_result, tmp_path):
    page = Page(report_of(undefined_result, tmp_path)).text
    assert "reaches a macro-AUROC of undefined" in page
    assert "No calibration error is defined" in page
    assert "nan" not in page.lower().split()


def test_one_mark_and_one_model(make_result, tmp_path):
    page = Page(report_of(make_result(["H3K4me3"], models=1, rows=40), tmp_path)).text
    assert "40 windows, 1 mark, 1 model " in page
    assert "There is no baseline" in page


# Sentences.


def test_standing_needs_intervals_that_do_not_overlap():
    one = made({MICRO: 0.80, MACRO: 0.80, "H3K4me3": 0.80})
    rows = {0.75: "better", 0.77: "open", 0.80: "open", 0.83: "open", 0.85: "worse"}
    for value, wanted in rows.items():
        other = made({MICRO: value, MACRO: 0.5, "H3K4me3": 0.5})
        assert standing(one, other, MICRO) == wanted
    unknown = made({MICRO: np.nan, MACRO: 0.5, "H3K4me3": 0.5})
    assert standing(one, unknown, MICRO) == "undefined"


def test_a_model_that_beats_its_baselines():
    result = compared(
        {MICRO: 0.9, MACRO: 0.85, "H3K4me3": 0.9, "H3K9ac": 0.8},
        {"GC": {MICRO: 0.6, MACRO: 0.61, "H3K4me3": 0.6, "H3K9ac": 0.6}},
    )
    text = said(performance_findings(result))
    assert "macro-AUROC of 0.850 (95 % interval 0.830 to 0.870)" in text
    assert "Its macro-AUROC is higher than that of GC (0.610)." in text
    assert not weak(performance_findings(result))
    assert not weak(mark_findings(result))
    assert "every mark with both classes the interval lies above chance" in said(
        mark_findings(result)
    )


def test_a_weak_model_is_called_weak():
    """Against GC it is open by macro-AUROC; against k-mers it is worse."""
    result = compared(
        {MICRO: 0.9, MACRO: 0.66, "H3K4me3": 0.8, "H3K9ac": 0.51},
        {
            "GC": {MICRO: 0.6, MACRO: 0.65, "H3K4me3": 0.7, "H3K9ac": 0.6},
            "k-mers": {MICRO: 0.95, MACRO: 0.75, "H3K4me3": 0.9, "H3K9ac": 0.6},
        },
    )
    text = weak(performance_findings(result))
    assert "Its macro-AUROC is not clearly different from that of GC (0.650); " in text
    assert "lower than that of k-mers (0.750)." in text
    assert "do not show that bundle tells windows apart better than GC and k-mers." in text
    text = weak(mark_findings(result))
    assert "For 1 of 2 marks the interval reaches down to 0.5" in text
    assert "not shown to beat chance at H3K9ac." in text
    assert "for 2 marks: H3K4me3 (k-mers, 0.900) and H3K9ac (GC, 0.600)." in text


def test_accuracy_is_held_against_the_commoner_class():
    result = compared({MICRO: 0.9, MACRO: 0.9, "H3K4me3": 0.9}, {})
    bundle = result.models["bundle"]
    for positives, negatives, word in ((1, 9, "negative"), (9, 1, "positive")):
        figures = bundle.figures.assign(positives=positives, negatives=negatives)
        models = {"bundle": bundle._replace(figures=figures)}
        text = weak(performance_findings(result._replace(models=models)))
        assert f"accuracy of 0.600 is below the 0.900 of calling every pair {word}" in text
        assert "below that of always calling the commoner class for 1 of 1 mark: H3K4me3" in weak(
            mark_findings(result._replace(models=models))
        )


def test_a_constant_baseline_shows_what_micro_rewards(result):
    text = said(performance_findings(result))
    assert "prevalence gives every window the same probabilities" in text
    assert "GC + CpG gives" not in text


def test_groups_go_from_worst_to_best(result):
    table = result.groups.assign(macro_auroc=np.nan)
    mine = (table["model"] == "tiny 1.0") & (table["by"] == "biotype")
    table.loc[mine, "macro_auroc"] = [0.7, 0.45, 0.8]
    groups = list(table.loc[mine, "group"])
    findings = group_findings(result._replace(groups=table))
    assert f"goes from 0.450 ({groups[1]}, " in findings[0].text
    assert f"to 0.800 ({groups[2]}, " in findings[0].text
    assert weak(findings) == f"It does not exceed 0.5 for {groups[1]}."


def test_large_calibration_errors_are_named():
    result = compared({MICRO: 0.9, MACRO: 0.9, "H3K4me3": 0.9, "H3K9ac": 0.9}, {})
    bundle = result.models["bundle"]
    figures = bundle.figures.assign(ece=[0.03, 0.05, 0.01, 0.09])
    findings = calibration_findings(
        result._replace(models={"bundle": bundle._replace(figures=figures)})
    )
    assert "from 0.010 (H3K4me3) to 0.090 (H3K9ac)" in findings[0].text
    assert "exceeds 0.05 for H3K9ac:" in weak(findings)


def test_relations_by_hand():
    """Off the diagonal 0.5, 0.2, -0.4: mean 0.1, standard deviation sqrt(0.42 / 3) = 0.374."""
    marks = ["H3K4me3", "H3K9ac", "H3K27me3"]
    matrix = [[1, 0.5, 0.2], [0.5, 1, -0.4], [0.2, -0.4, 1]]
    similarity = pandas.DataFrame(matrix, index=marks, columns=marks)
    result = compared({MICRO: 0.9, MACRO: 0.9, **dict.fromkeys(marks, 0.9)}, {})
    result = result._replace(similarity=similarity, correlation=Correlation(0.1, -0.2, 3))
    findings = relation_findings(result)
    assert "+0.100 \N{PLUS-MINUS SIGN} 0.374" in findings[0].text
    assert "66.7\N{NO-BREAK SPACE}% of the pairs" in findings[0].text
    assert "r = +0.100 (Spearman \N{MINUS SIGN}0.200, 3 pairs of marks)" in findings[1].text
    assert "do not follow" in weak(findings)
    assert relation_findings(result._replace(similarity=None, correlation=None)) == []
