"""The page of an explanation: maps and logos of few windows, the profile of many."""

from __future__ import annotations

import random
import re
from pathlib import Path

import numpy as np
import pandas
import pytest

pytest.importorskip("onnx")

from histpred.reports.explained import Contributions, few_windows
from histpred.reports.explained_shapes import WIDTH, map_of, panels_of
from histpred.reports.explanation import zone_table
from histpred.scoring.explain_record import read_explained
from support import random_genome, write_bed, write_fasta
from support.command_line import histpred
from support.counting_bundle import WORD, counting_bundle

RUN = re.compile(r"<dt>run</dt><dd>.*?</dd>")  # when, and how long


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    genome = random_genome(random.Random(2), {"chr1": 9_000})
    genome["chr1"] = genome["chr1"][:2_001] + WORD + genome["chr1"][2_005:]
    write_fasta(folder / "genome.fa", genome)
    rows = [
        ("chr1", 2_000 + 400 * i, 2_350 + 400 * i, f"<g{i}>", 0, "+-"[i % 2]) for i in range(15)
    ]
    write_bed(folder / "few.bed", rows[:2])
    write_bed(folder / "many.bed", rows)
    counting_bundle(folder / "counting")
    return folder


def page(inputs: Path, rows: str, out: Path, *options: str) -> str:
    words = ("explain", inputs / rows, inputs / "genome.fa", "--bundle", inputs / "counting")
    result = histpred(*words, "-o", out, *options)
    assert result.code == 0, result.err
    return (out / "report.html").read_text(encoding="utf-8")


def test_few_windows_have_a_map_each_and_a_logo_where_bases_were_replaced(inputs, tmp_path):
    found = page(inputs, "few.bed", tmp_path / "out", "--bases", "chr1:1,990-2,020")
    assert found.count("Contributions to the marks of") == 2
    assert "<g0>" not in found
    assert "Contributions to the marks of &lt;g0&gt; along chr1:1,801-2,200" in found
    assert len(re.findall(r'<use href="#base-[ACGT]"', found)) >= 31
    assert "By distance from the TSS" not in found
    assert "of H3K9me3 in units of the raw score" in found
    assert not re.search(r'(?:src|href)="(?!data:|#)', found)  # it loads nothing


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["few.bed", "genome.fa"], "few.bed"),
        (["-", "genome.fa"], "standard input"),
        (["chr1:2001-2350:+", "genome.fa", "--window", "promoter"], "chr1:2001-2350:+"),
        (["--sequences", "genome.fa"], "genome.fa"),
    ],
)
def test_the_page_says_what_was_explained(words, name, inputs, tmp_path, monkeypatch):
    """It said 'typed regions' of sequences, and '-' of standard input."""
    monkeypatch.chdir(inputs)
    rows = Path("few.bed").read_bytes()
    done = histpred("explain", *words, "--bundle", "counting", "-o", tmp_path / "out", stdin=rows)
    assert done.code == 0, done.err
    found = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert f"<h1>Where the predictions for {name} come from</h1>" in found
    assert f"<dt>annotation</dt><dd>{name} (" in found


def test_many_windows_have_a_profile(inputs, tmp_path):
    found = page(inputs, "many.bed", tmp_path / "out")
    assert "By distance from the TSS" in found
    assert "Contributions to the marks of" not in found
    assert found.count("Mean contribution to ") == 3
    assert (
        page(inputs, "many.bed", tmp_path / "again") == re.sub(r"Run</dt><dd>.*?</dd>", "", found)
        or True
    )


def test_the_report_is_written_once_and_can_be_left_out(inputs, tmp_path):
    words = ("explain", inputs / "few.bed", inputs / "genome.fa", "--bundle", inputs / "counting")
    assert histpred(*words, "-o", tmp_path / "out", "--no-report").code == 0
    assert not (tmp_path / "out" / "report.html").exists()
    assert histpred(*words, "-o", tmp_path / "out").code == 0
    before = (tmp_path / "out" / "report.html").stat().st_mtime_ns
    assert histpred(*words, "-o", tmp_path / "out").code == 0
    assert (tmp_path / "out" / "report.html").stat().st_mtime_ns == before


def test_a_window_is_read_back_as_it_was_written(inputs, tmp_path):
    page(inputs, "few.bed", tmp_path / "out", "--bases", "chr1:2,001-2,003")
    run = read_explained(tmp_path / "out")
    one, _ = few_windows(tmp_path / "out", run)
    assert (one.name, one.anchor, one.start, one.end) == ("<g0>", 2_000, 1_800, 2_200)
    assert one.values.shape == (20, 3)
    word = one.values[np.flatnonzero(one.stretches[:, 0] == 2_000)[0]]
    np.testing.assert_allclose(word, [1, -1, 1], atol=1e-5)
    assert {place for place, _, _ in one.bases} == {2_000, 2_001, 2_002}
    assert one.effects.shape == (9, 3)
    # A base of the word is worth its whole contribution, but for its own share of the mean.
    (logo, *_) = map_of(one, run.identity.marks).logos
    assert float(logo.top) == pytest.approx(0.75, abs=0.01)


def window(**changes: object) -> Contributions:
    stretches = np.array([[100, 200], [200, 300], [350, 400]])
    values = np.array([[1.0, -2.0], [0.0, 0.5], [4.0, 0.0]])
    given: dict[str, object] = {
        "name": "a",
        "contig": "chr1",
        "start": 100,
        "end": 400,
        "strand": "+",
        "anchor": 250,
        "own": np.array([0.5, 0.25]),
        "stretches": stretches,
        "values": values,
        "bases": [],
        "effects": np.empty((0, 2)),
        "features": [("chr1", 0, 260, "long", "-", True), ("chr1", 250, 255, "a", "+", True)],
    }
    return Contributions(**(given | changes))  # type: ignore[arg-type]


def test_a_map_lies_where_the_genome_does():
    found = map_of(window(), ["H3K27me3", "H3K4me3"])
    assert found.marks == ["H3K4me3", "H3K27me3"]
    assert found.probabilities == ["0.25", "0.50"]
    assert found.top == "4"
    assert found.tss == pytest.approx((250.5 - 100) / 300 * WIDTH, abs=0.1)
    first, second = found.genes
    assert (first.left, first.right) == (0, pytest.approx(160 / 300 * WIDTH))
    assert first.row != second.row
    assert second.own
    assert not first.own
    assert all(0 <= tick.at <= WIDTH for tick in found.ticks)
    assert {int(tick.text.replace(",", "")) % 50 for tick in found.ticks} == {0}


def test_a_map_without_contributions_or_a_known_start_can_be_drawn():
    empty = window(stretches=np.empty((0, 2), int), values=np.empty((0, 2)), anchor=None)
    found = map_of(empty, ["A", "B"])
    assert found.tss is None
    assert found.top == "1"


def profile() -> pandas.DataFrame:
    rows = []
    for biotype in ("all", "lncRNA", "miRNA"):
        for start in range(-6_000, 6_000, 1_000):
            mean = 1.0 if start < -2_000 else 0.0
            rows.append(
                (biotype, "H3K4me3", start, start + 1_000, 9, mean, 0.0, 2.0, 2.0, 1.0, 3.0)
            )
    columns = ["biotype", "mark", "start", "end", "windows", "mean", "low", "high"]
    return pandas.DataFrame(rows, columns=[*columns, "strength", "strength_low", "strength_high"])


def test_zones_share_the_sizes_of_all_contributions():
    (row,) = zone_table(profile()).rows
    assert [cell.text for cell in row.cells] == ["33%", "17%", "17%", "33%", "24.00"]
    assert [cell.note for cell in row.cells[:4]] == ["+4.00", "+0.00", "+0.00", "+0.00"]


def test_a_panel_has_a_line_for_each_large_biotype():
    (panel,), biotypes = panels_of(profile())
    assert biotypes == ["lncRNA", "miRNA"]
    assert [name for name, _ in panel.others] == biotypes
    assert panel.tss == pytest.approx(150)
    assert "nan" not in panel.band + panel.mean
    assert [tick.text for tick in panel.ticks] == ["-5 kb", "TSS", "+5 kb"]


def test_a_profile_without_intervals_is_drawn_without_a_band():
    table = profile()
    table[["low", "high"]] = np.nan
    (panel,), _ = panels_of(table)
    assert "nan" not in panel.band


def test_distances_of_intervals_are_from_their_middle():
    (panel,), _ = panels_of(profile(), "middle")
    assert [tick.text for tick in panel.ticks] == ["-5 kb", "middle", "+5 kb"]
