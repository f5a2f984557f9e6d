"""An evaluation as metrics.json, read back, and as a page, parsed as a browser does."""

from __future__ import annotations

import html.parser
import json
import math
from pathlib import Path

import numpy as np
import pytest

for package in ("jinja2", "sklearn", "scipy"):
    pytest.importorskip(package, reason="needs the extra train")

from histpred.evaluation.result import MACRO, METRICS, MICRO, Correlation, Result  # noqa: E402
from histpred.reports.evaluation import metrics_of, write_report  # noqa: E402
from histpred.reports.evaluation_tables import write_tables  # noqa: E402
from support.results import compared, tsv  # noqa: E402

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


def test_the_same_result_gives_the_same_bytes(result, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_tables(result, tmp_path / name)
        report_of(result, tmp_path / name)
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert {"summary.tsv", "predictions.tsv.gz", "readings.tsv.gz", "report.html"} <= names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


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
    names = ["Configuration", "Reading", "Input type"]
    assert first[0] == [*names, *heads]
    for shown, row in zip(first[1:], rows, strict=True):
        assert shown[:3] == [row[name] for name in names]
        numbers = [cell.replace("\N{MINUS SIGN}", "-") for cell in shown[3:]]
        assert [cell == "" for cell in numbers] == [row[head] == "" for head in heads]
        numbers = [float(cell) for cell in numbers if cell]
        assert numbers == pytest.approx([float(row[h]) for h in heads if row[h]], abs=5.1e-4)
    ours, theirs = rows[: len(result.models)], rows[len(result.models) :]
    for shown, row, raw in zip(second[1:], ours, theirs, strict=True):
        low, high = (float(row[f"Macro-AUROC {end}"]) for end in ("low", "high"))
        assert (
            shown[1].split() == f"{float(row['Macro-AUROC']):.3f} {low:.3f} to {high:.3f}".split()
        )
        assert shown[3:] == [f"{float(raw[head]):.3f}" for head in ("Macro-AUROC", "Micro-AUROC")]
    marks = [row for row in tsv(tmp_path / "marks.tsv") if row["model"] == "tiny 1.0"]
    for shown, row in zip(by_mark[1:], marks[: len(result.marks)], strict=True):
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


def strict_json(result: Result) -> dict:
    """The metrics of a result, written as strict JSON and read back."""
    return json.loads(json.dumps(metrics_of(result), allow_nan=False))


def test_json_has_every_figure(result):
    metrics = strict_json(result)
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


def test_json_is_strict_with_nothing_defined(undefined_result):
    nothing = Correlation(np.nan, np.inf, 0)
    metrics = strict_json(undefined_result._replace(correlation=nothing))
    assert metrics["correlation"] == {"pearson": None, "spearman": None, "pairs": 0}
    assert metrics["groups"][0]["micro_auroc"] is None
