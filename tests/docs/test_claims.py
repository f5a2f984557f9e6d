"""The measured figures that pages state are results that benchmarks/ has as JSON.

results.json has single figures. An entry says what a figure is, the command that measures it, and
where it comes from: a cell of a table that a benchmark or a training wrote, the metrics in a
bundle's manifest, an estimate, or a single measurement. Tables and manifests are read here, and the
figure must be their value, rounded. tables.json has the whole tables of the pages that measure.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from statistics import mean

import pytest

from support.command_line import ROOT, parse

RESULTS = json.loads((ROOT / "benchmarks/results.json").read_text())["results"]
TABLES = json.loads((ROOT / "benchmarks/tables.json").read_text())["tables"]
ORIGINS = {"table", "manifest", "estimated", "measured"}
CHECKED = ("README.md", "docs/index.md", "docs/trust.md", "docs/tracks.md", "docs/outputs.md")
CHECKED += ("docs/encoders.md", "docs/report.md", "docs/explanation/*.md", "docs/how-to/*.md")
CHECKED += ("docs/train-your-own.md", "docs/tutorials/*.md", "docs/stability.md")
MEASURING = ("benchmarks/README.md", "docs/experiments/README.md")
MEASURING += ("docs/explain.md", "docs/explanation/upstream-dna.md", "docs/variants.md")
PAGES = sorted({path for pattern in (*CHECKED, *MEASURING) for path in ROOT.glob(pattern)})

UNIT = r"(?:%|ms|s|minutes?|hours?|[kMG]B|[kM]bp/s)"
FIGURE = re.compile(rf"(?<![\w.,])(?:\d[\d,]*(?:\.\d+)? {UNIT}(?![\w/])|[+-]?0\.\d\d+)")
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)


def figures(text: str) -> Iterator[str]:
    """Numbers with a unit of measurement, and shares with two digits or more.

    Commands, their outputs, the targets of links and goals in brackets are left out.
    """
    code, others = (r"^```.*?^```", r"^    .*?$", r"`[^`\n]*`"), (r"\]\([^)]*\)", r"\(goal[^)]*\)")
    for ignored in (*code, *others):
        text = re.sub(ignored, "", text, flags=re.DOTALL | re.MULTILINE)
    yield from FIGURE.findall(text)


def value(figure: str) -> tuple[float, float]:
    """A figure as a number, and half a unit of its last digit."""
    number, _, unit = figure.partition(" ")
    scale = 0.01 if unit == "%" else 1
    digits = len(number.partition(".")[2])
    return float(number.replace(",", "")) * scale, 0.5 * 10**-digits * scale


def read_table(text: str) -> list[list[str]]:
    """The cells of a table, without the line below the header."""
    header, _, *rows = [
        [part.strip() for part in line.strip("|").split("|")] for line in text.splitlines()
    ]
    return [header, *rows]


def measurements(text: str) -> list[list[list[str]]]:
    """The tables of a page with a cell that begins with a number."""
    number = re.compile(r"\**[+-]?\d")
    found = map(read_table, TABLE.findall(text))
    return [cells for cells in found if any(map(number.match, chain(*cells[1:])))]


def cell(page: str, after: str, row: list[str], column: str, number: int = 0) -> float:
    """A number in the first table after some words, in the row with these cells."""
    _, found, rest = (ROOT / page).read_text().partition(after)
    assert found, f"{page} has no {after!r}"
    lines = TABLE.search(rest)
    assert lines, f"{page} has no table after {after!r}"
    header, *rows = read_table(lines[0])
    (match,) = [cells for cells in rows if set(row) <= set(cells)]
    numbers = re.findall(r"[+-]?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?", match[header.index(column)])
    return float(numbers[number].replace(",", ""))


def in_manifest(bundle: str, field: str) -> float:
    """A number in a shipped bundle's manifest; '*' stands for all, of which it is the mean."""
    path = ROOT / "histpred/bundle/shipped" / bundle / "bundle.json"
    values = [json.loads(path.read_text())]
    for key in field.split("/"):
        values = [
            each for found in values for each in (found.values() if key == "*" else [found[key]])
        ]
    return mean(values)


def test_figures_are_told_from_other_numbers() -> None:
    text = "0.87 in 20 s, 0.05 %, 3.4 MB, 15 kb, 0.5, v0.12.3, -0.03, 85 %, [9 s](1_9 s.md), `7 s`"
    assert list(figures(text)) == ["0.87", "20 s", "0.05 %", "3.4 MB", "-0.03", "85 %", "9 s"]
    assert value("85 %") == pytest.approx((0.85, 0.005))
    assert value("1,200 MB") == (1200, 0.5)
    assert list(figures("5 s (goal: 4 s), 6 s (goals: 3 s and 2 MB)")) == ["5 s", "6 s"]


def test_a_table_of_measurements_is_told_from_others() -> None:
    table = "| a | b |\n|---|---|\n| x | **+1.5** s |\n"
    other = "| a | b |\n|---|---|\n| x | up to 5 |\n"
    assert measurements(f"{table}\n{other}") == [[["a", "b"], ["x", "**+1.5** s"]]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_figure_of_a_page_is_a_result(page: Path) -> None:
    name, text = str(page.relative_to(ROOT)), page.read_text(encoding="utf-8")
    known = {figure for result in RESULTS for figure in result["figures"]}
    if name in MEASURING:  # tables are compared as a whole, and sentences repeat their cells
        rows = chain.from_iterable(table["rows"] for table in TABLES if table["page"] == name)
        known |= {figure for found in chain(*rows) for figure in FIGURE.findall(found)}
        text = TABLE.sub("", text)
    unknown = sorted(figure for figure in {*figures(text)} if not {figure, f"+{figure}"} & known)
    assert unknown == [], "add them to benchmarks/results.json, with what measured them"


@pytest.mark.parametrize("name", MEASURING)
def test_the_tables_of_a_page_are_results(name: str) -> None:
    shown = measurements((ROOT / name).read_text(encoding="utf-8"))
    stated = [[table["columns"], *table["rows"]] for table in TABLES if table["page"] == name]
    assert [cells for cells in shown if cells not in stated] == [], "not in benchmarks/tables.json"
    assert [cells for cells in stated if cells not in shown] == [], f"not on {name}"


def test_every_result_is_stated_on_a_page() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")]
    said = "\n".join(path.read_text(encoding="utf-8") for path in pages)
    assert [
        figure for result in RESULTS for figure in result["figures"] if figure not in said
    ] == []


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: result["what"])
def test_a_figure_is_the_value_of_its_origin(result: dict) -> None:
    (origin,) = ORIGINS & result.keys()
    if origin == "measured":
        return
    if origin == "estimated":
        found = result["estimated"]
    else:
        found = {"table": cell, "manifest": in_manifest}[origin](**result[origin])
    for figure in result["figures"]:
        stated, half = value(figure)
        assert abs(stated - found) <= half + 1e-9, f"{figure} is stated, {found} was found"


@pytest.mark.parametrize("command", sorted({result["command"] for result in [*RESULTS, *TABLES]}))
def test_the_command_of_a_result_exists(command: str) -> None:
    program, *arguments = shlex.split(command)
    if program == "histpred":
        parse(*arguments)
    else:
        assert (ROOT / program).is_file()


METRICS = {"AUROC": "auroc", "AUPRC": "auprc", "ECE": "ece"}
EVALUATIONS = [
    (path.parent, name)
    for path in sorted(ROOT.glob("histpred/bundle/shipped/*/bundle.json"))
    for name in json.loads(path.read_text())["metrics"]
]


@pytest.mark.parametrize(
    ("bundle", "name"), EVALUATIONS, ids=lambda part: getattr(part, "name", part)
)
def test_a_shipped_card_has_the_metrics_of_its_manifest(bundle: Path, name: str) -> None:
    marks = json.loads((bundle / "bundle.json").read_text())["metrics"][name]["marks"]
    page = str((bundle / "card.md").relative_to(ROOT))
    for mark, found in marks.items():
        for column, metric in METRICS.items():
            if found["model"][metric] is not None:
                shown = cell(page, f"## Performance: {name}", [mark], column)
                assert shown == pytest.approx(found["model"][metric], abs=0.000501), (mark, column)
