from __future__ import annotations

import re
import warnings
import xml.etree.ElementTree
from collections.abc import Callable
from html import escape
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas
import pytest

for package in ("matplotlib", "sklearn", "scipy"):
    pytest.importorskip(package, reason="needs the extra train")

import matplotlib  # noqa: E402

from histpred.evaluation.result import MACRO, MICRO, MODEL  # noqa: E402
from histpred.reports import evaluation_figures as plots  # noqa: E402
from histpred.reports.evaluation_figures import FIGURE_NAMES, draw  # noqa: E402

PNG = b"\x89PNG\r\n\x1a\n"
SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    """What is written in an SVG, a string an element."""
    root = xml.etree.ElementTree.fromstring(svg)
    return ["".join(element.itertext()).strip() for element in root.iter(f"{SVG}text")]


@pytest.fixture
def draw_only(monkeypatch, tmp_path) -> Callable:
    """`draw` with some of the figures only, into tmp_path: they take about a second each."""

    def some(result, *names: str) -> dict:
        monkeypatch.setattr(plots, "DRAWERS", {name: plots.DRAWERS[name] for name in names})
        return draw(result, tmp_path)

    return some


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("figures")


@pytest.fixture(scope="module")
def drawings(result, folder) -> dict:
    return draw(result, folder)


def test_every_figure_is_drawn_in_order(drawings, folder):
    assert tuple(drawings) == FIGURE_NAMES
    files = {f"{name}.{suffix}" for name in FIGURE_NAMES for suffix in ("png", "svg")}
    assert {path.name for path in folder.iterdir()} == files
    for name, drawing in drawings.items():
        assert (folder / f"{name}.png").read_bytes().startswith(PNG)
        assert drawing.title
        assert drawing.caption.endswith(".")


@pytest.mark.parametrize("name", FIGURE_NAMES)
def test_the_element_says_what_the_file_says(drawings, folder, name):
    said = texts(drawings[name].svg)
    assert said == texts((folder / f"{name}.svg").read_text())
    assert said
    assert drawings[name].svg.startswith("<svg ")


@pytest.mark.parametrize(
    "name", ["accuracy_by_mark", "auroc_by_mark", "classes", "mark_similarity", "co_targeting"]
)
def test_marks_are_named(drawings, result, name):
    assert set(result.marks) <= set(texts(drawings[name].svg))


def test_the_bundle_s_best_mark_comes_first(drawings, result):
    figures = next(iter(result.models.values())).figures.loc[list(result.marks), "auroc"]
    wanted = [*figures.dropna().sort_values(ascending=False).index]
    wanted += [mark for mark in result.marks if mark not in wanted]
    said = [text for text in texts(drawings["auroc_by_mark"].svg) if text in result.marks]
    assert said == wanted


def test_models_are_named_with_their_macro_auroc(drawings, result):
    said = texts(drawings["auroc_by_mark"].svg)
    for name, one in result.models.items():
        assert f"{name} (macro {one.figures.loc[MACRO, 'auroc']:.2f})" in said


def test_accuracy_shows_models_and_no_baselines(drawings, result):
    said = set(texts(drawings["accuracy_by_mark"].svg))
    models = {name for name, one in result.models.items() if one.kind == MODEL}
    assert said & set(result.models) == models


def test_accuracy_is_that_of_the_paper_s_reading_if_there_is_one(result, draw_only):
    """The paper's Fig. 2 has the thresholds of its appendix F."""
    bundle = next(iter(result.models.values()))
    one = result._replace(models={"tiny 1.0": bundle})
    alone = one._replace(models={"tiny 1.0": bundle._replace(paper=None)}, validation="None.")
    cases = ((one, bundle.paper.figures, "the paper's"), (alone, bundle.figures, "histpred's"))
    orders = []
    for given, figures, whose in cases:
        drawing = draw_only(given, "accuracy_by_mark")["accuracy_by_mark"]
        assert f"by {whose} reading" in drawing.caption
        shown = [text for text in texts(drawing.svg) if text in result.marks]
        accuracy = figures["accuracy"].reindex(shown)
        assert list(accuracy) == sorted(accuracy, reverse=True)
        orders.append(shown)
    assert orders[0] != orders[1]


def test_numbers_of_windows_are_whole(make_result, draw_only):
    """Ticks at 2.5 and 7.5 were written as 2 and 8."""
    result = make_result(rows=27)
    windows = result.windows.assign(biotype=["lncRNA"] * 17 + ["miRNA"] * 10)
    drawing = draw_only(result._replace(windows=windows), "biotypes")["biotypes"]
    ticks = [int(text) for text in texts(drawing.svg) if text.isdigit()]
    assert len({b - a for a, b in pairwise(ticks)}) == 1


def test_curves_carry_the_areas_of_the_table(drawings, result):
    said = texts(drawings["roc"].svg)
    for name, one in result.models.items():
        auroc, auprc = one.figures.loc[MICRO, ["auroc", "auprc"]]
        assert f"{name}: AUROC {auroc:.2f}, AUPRC {auprc:.2f}" in said


def test_classes_show_the_share_of_positives(drawings, result):
    said = texts(drawings["classes"].svg)
    for column in result.labels.T:
        known = column[~np.isnan(column)]
        assert f"{np.count_nonzero(known) / len(known):.0%}" in said


def test_biotypes_show_count_and_share(drawings, result):
    said = texts(drawings["biotypes"].svg)
    for biotype, count in result.windows["biotype"].value_counts().items():
        assert biotype in said
        assert f"{count:,} ({count / len(result.windows):.1%})" in said


def test_calibration_leaves_out_marks_without_a_positive(drawings, result):
    said = set(texts(drawings["reliability"].svg))
    columns = zip(result.marks, result.labels.T, strict=True)
    with_positives = {mark for mark, column in columns if np.nansum(column) > 0}
    assert with_positives < set(result.marks)
    assert {mark for mark in result.marks if mark in said} == with_positives


def test_both_heat_maps_have_one_order(drawings, result):
    orders = [
        [text for text in texts(drawings[name].svg) if text in result.marks]
        for name in ("mark_similarity", "co_targeting")
    ]
    assert orders[0] == orders[1]
    # Across, then down.
    assert orders[0][: len(result.marks)] == orders[0][len(result.marks) :]


def test_similar_marks_stand_side_by_side(make_result, draw_only):
    result = make_result(rows=40)
    near = np.kron(np.eye(2), np.ones((4, 4)))
    apart = [*range(0, 8, 2), *range(1, 8, 2)]
    matrix = np.empty((8, 8))
    matrix[np.ix_(apart, apart)] = 0.9 * near + 0.1 * np.eye(8)
    marks = list(result.marks)
    similarity = pandas.DataFrame(matrix, index=marks, columns=marks)
    result = result._replace(similarity=similarity)
    drawn = draw_only(result, "mark_similarity")["mark_similarity"]
    said = [text for text in texts(drawn.svg) if text in marks][:8]
    assert {marks.index(mark) % 2 for mark in said[:4]} in ({0}, {1})


def test_groups_are_named_with_their_windows(drawings, result):
    for by in ("biotype", "chromosome"):
        said = texts(drawings[f"by_{by}"].svg)
        for row in result.groups[result.groups["by"] == by].itertuples():
            assert f"{row.group} ({row.windows:,})" in said


def test_elements_of_a_page_share_no_id_and_load_nothing(drawings):
    page = "".join(drawing.svg for drawing in drawings.values())
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids)) > 0
    targets = re.findall(r'href="([^"]+)"', page) + re.findall(r"url\(([^)]+)\)", page)
    assert {target[1:] for target in targets if not target.startswith("data:image/png")} <= set(ids)
    assert all(target.startswith(("#", "data:image/png")) for target in targets)


def test_each_has_a_title_and_greys_of_the_page_it_is_on(drawings, folder):
    """So that it follows a dark page. The file stays as it is: black on white."""
    for name, drawing in drawings.items():
        assert f"<title>{escape(drawing.title)}</title>" in drawing.svg
        assert not re.search(r"#([0-9a-f]{2})\1\1(?![0-9a-f])", drawing.svg), name
        assert "color-mix(in srgb, var(--ink) 100.0%, var(--page))" in drawing.svg
        assert "#ffffff" in (folder / f"{name}.svg").read_text(encoding="utf-8")


def test_the_same_result_gives_the_same_bytes(make_result, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        draw(make_result(make_result().marks[:3], models=3, rows=40), tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_drawing_leaves_matplotlib_and_warnings_as_they_were(make_result, draw_only):
    before = matplotlib.rcParams.copy(), [*warnings.filters]
    draw_only(make_result(rows=40), "auroc_by_mark")
    assert (matplotlib.rcParams.copy(), warnings.filters) == before


def test_undefined_figures_are_drawn(undefined_result, tmp_path):
    drawings = draw(undefined_result, tmp_path)
    assert "tiny 1.0 (macro undefined)" in texts(drawings["auroc_by_mark"].svg)


def test_one_mark_and_one_model(make_result, tmp_path):
    drawings = draw(make_result(["H3K4me3"], models=1, rows=40), tmp_path)
    assert "similarity_against_co_targeting" not in drawings
    assert "mark_similarity" not in drawings
    assert "H3K4me3" in texts(drawings["auroc_by_mark"].svg)


def test_what_a_result_lacks_is_left_out(make_result, tmp_path):
    """One biotype, one chromosome, no labels of one class, no vectors, no training rows."""
    result = make_result(make_result().marks[:2], models=2, rows=40, relations=False)
    windows = result.windows.assign(biotype=".", chrom="chr1")
    groups = result.groups.drop_duplicates(["by", "model"])
    labels = np.zeros_like(result.labels)
    drawings = draw(result._replace(windows=windows, groups=groups, labels=labels), tmp_path)
    assert set(drawings) == {"accuracy_by_mark", "auroc_by_mark", "classes", "reliability"}
    assert {path.stem for path in tmp_path.iterdir()} == set(drawings)


def test_names_are_never_markup_nor_formulas(make_result, draw_only):
    hostile = "<script>alert(1)</script>"
    result = make_result(["H3K4me3", "$x^$_{", "_hidden", hostile], models=2, rows=40)
    names = ["_bundle $1$", hostile]
    result = result._replace(models=dict(zip(names, result.models.values(), strict=True)))
    drawings = draw_only(result, "accuracy_by_mark", "roc", "co_targeting", "by_biotype")
    said = {text.strip("\u200b") for text in texts(drawings["accuracy_by_mark"].svg)}
    assert {*result.marks, *names} <= said
    assert all("<script" not in drawing.svg for drawing in drawings.values())


def test_many_marks_and_biotypes(make_result, draw_only):
    marks = [f"H3K{number}ac" for number in range(50)]
    result = make_result(marks, models=2, rows=60)
    biotypes = [f"biotype{number % 30}" for number in range(60)]
    result = result._replace(windows=result.windows.assign(biotype=biotypes))
    of_marks = ("accuracy_by_mark", "auroc_by_mark", "classes", "mark_similarity")
    drawings = draw_only(result, *of_marks, "biotypes", "reliability")
    for name in of_marks:
        assert set(marks) <= set(texts(drawings[name].svg))
    # The 14 with most windows, and 16 of 2 windows each.
    assert {"16 others", "32 (53.3%)"} <= set(texts(drawings["biotypes"].svg))
    panels = [text for text in texts(drawings["reliability"].svg) if text in marks]
    assert len(panels) == 12


def test_groups_that_no_figure_can_hold_are_left_to_the_table(result, draw_only):
    table = result.groups[result.groups["by"] == "chromosome"]
    rows = [table.assign(by="block", group=f"chr1:{number}") for number in range(61)]
    for many, count in ((pandas.concat(rows), 0), (pandas.concat(rows[:60]), 1)):
        assert len(draw_only(result._replace(groups=many), "by_block")) == count
