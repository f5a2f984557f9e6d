"""Kinds of genes in the report and in metrics.json."""

from __future__ import annotations

import json

import numpy as np
import pytest

for package in ("jinja2", "sklearn", "scipy"):
    pytest.importorskip(package, reason="needs the extra train")

from histpred.evaluation.kinds import by_kind  # noqa: E402
from histpred.reports.evaluation import metrics_of, write_report  # noqa: E402
from histpred.reports.evaluation_tables import write_tables  # noqa: E402
from histpred.reports.kinds import kind_findings, kind_tables  # noqa: E402
from support.results import tsv  # noqa: E402


@pytest.fixture
def with_kinds(result):
    """Every third row is coding; of the others, those with an even number are far."""
    rows = np.arange(len(result.windows))
    kinds = {
        "coding": rows % 3 == 0,
        "non-coding": rows % 3 > 0,
        "far non-coding": (rows % 3 > 0) & (rows % 2 == 0),
    }
    table = by_kind(kinds, result.labels, result.models, result.marks)
    return result._replace(kinds=table)


def test_metrics_and_table_have_the_same_figures(with_kinds, tmp_path):
    kinds = json.loads(json.dumps(metrics_of(with_kinds), allow_nan=False))["kinds"]
    assert [kinds[kind]["windows"] for kind in kinds] == [100, 200, 100]
    write_tables(with_kinds, tmp_path)
    rows = tsv(tmp_path / "kinds.tsv")
    assert len(rows) == 3 * len(with_kinds.models) * (len(with_kinds.marks) + 1)
    for row in rows:
        figures = kinds[row["kind"]]["models"][row["model"]][row["mark"]]
        for name, value in figures.items():
            assert row[name] == ("" if value is None else f"{value:.6g}")


def test_the_page_shows_the_kinds(with_kinds, tmp_path):
    write_report(with_kinds, {}, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert '<h2 id="kinds">Coding and non-coding genes</h2>' in page
    first, second = kind_tables(with_kinds)
    assert [row.name for row in first.rows] == ["coding", "non-coding", "far non-coding"]
    assert first.heads == ["Genes", "Number", *with_kinds.models, "Bias", "ECE"]
    assert [row.name for row in second.rows] == [*with_kinds.marks, "mean"]
    biased = with_kinds.kinds.assign(bias=-0.2)
    found = list(kind_findings(with_kinds._replace(kinds=biased)))
    assert found[0].text.startswith("The mean AUROC over the marks is ")
    assert "Probabilities are 0.200 too low on average for far non-coding genes." in [
        finding.text for finding in found if finding.weak
    ]


def test_why_there_are_none_is_said(result, tmp_path):
    for sentence, heads in (("The annotation states no biotypes.", 1), ("", 0)):
        write_report(result._replace(kinds=sentence), {}, tmp_path / "report.html")
        page = (tmp_path / "report.html").read_text()
        assert page.count('<h2 id="kinds">') == heads
        assert sentence in page
        assert metrics_of(result._replace(kinds=sentence))["kinds"] is None


def test_baselines_by_block_are_explained(result, tmp_path):
    write_report(result._replace(block=250_000, drawn="blocks of 250,000 bp"), {}, tmp_path / "a")
    page = " ".join((tmp_path / "a").read_text().split())
    assert "the genome is cut into blocks of 250,000 bp" in page
    assert "a bootstrap over blocks of 250,000 bp." in page
    write_report(result, {}, tmp_path / "b")
    assert "Baselines by block" not in (tmp_path / "b").read_text()
