"""Docstrings: their examples are true, and their first lines say what a thing is or does."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import histpred

NEED_EXTRAS = {
    "histpred.core.strict_yaml",
    "histpred.encoders.batching",
    "histpred.encoders.devices",
    "histpred.encoders.dnabert2",
    "histpred.encoders.dnabert2_network",
    "histpred.encoders.hf",
    "histpred.encoders.rnafm",
    "histpred.encoders.weights",
    "histpred.evaluation.analysis",
    "histpred.evaluation.baselines",
    "histpred.evaluation.blocks",
    "histpred.evaluation.bootstrap",
    "histpred.evaluation.calibration",
    "histpred.evaluation.compare",
    "histpred.evaluation.kinds",
    "histpred.evaluation.metrics",
    "histpred.evaluation.paper",
    "histpred.evaluation.ranking",
    "histpred.evaluation.rows",
    "histpred.evaluation.scores",
    "histpred.evaluation.sources",
    "histpred.evaluation.vectors",
    "histpred.experiments.figures",
    "histpred.experiments.page_tables",
    "histpred.experiments.plan",
    "histpred.experiments.report",
    "histpred.experiments.results",
    "histpred.experiments.run",
    "histpred.experiments.sheet",
    "histpred.experiments.tables",
    "histpred.experiments.tasks",
    "histpred.labels.folder",
    "histpred.reports.evaluate",
    "histpred.reports.evaluation",
    "histpred.reports.evaluation_figures",
    "histpred.reports.evaluation_tables",
    "histpred.reports.figures",
    "histpred.reports.findings",
    "histpred.reports.kinds",
    "histpred.reports.label_figures",
    "histpred.reports.model_figures",
    "histpred.reports.readings",
    "histpred.training.checkpoint",
    "histpred.training.chromosome",
    "histpred.training.counting",
    "histpred.training.data",
    "histpred.training.deephistone",
    "histpred.training.describe",
    "histpred.training.export",
    "histpred.training.fitting",
    "histpred.training.losses",
    "histpred.training.members",
    "histpred.training.onnx_graph",
    "histpred.training.onnx_networks",
    "histpred.training.onnx_scorer",
    "histpred.training.onnx_spectra",
    "histpred.training.perceptron",
    "histpred.training.pooled",
    "histpred.training.spectra",
    "histpred.training.starting",
    "histpred.training.train",
}
CLAUSES = ("Whether", "Of", "That")
MODULES = [module.name for module in pkgutil.walk_packages(histpred.__path__, "histpred.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    if name in NEED_EXTRAS:
        for package in ("torch", "transformers", "onnx", "sklearn", "matplotlib"):
            pytest.importorskip(package, reason="needs the extras encoders, labels and train")
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def public_docstrings() -> Iterator[tuple[str, str]]:
    """Place (file:line) and first docstring line of each module, public class and function."""
    package = Path(histpred.__file__).parent
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module):
                name, line = "", 1
            elif isinstance(node, ast.ClassDef | ast.FunctionDef):
                name, line = node.name, node.lineno
            else:
                continue
            if not name.startswith("_") and (text := ast.get_docstring(node)):
                yield f"{path.relative_to(package.parent)}:{line}", text.splitlines()[0]


def test_no_first_line_begins_like_a_clause():
    """Write "Return True if ...", not "Whether ..."; name the thing, not "Of ..." or "That ..."."""
    lines = dict(public_docstrings())
    assert len(lines) > 500
    clauses = {where: line for where, line in lines.items() if line.split()[0] in CLAUSES}
    assert not clauses, "\n".join(f"{where}: {line}" for where, line in clauses.items())
