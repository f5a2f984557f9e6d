"""Where the predictions of an evaluation come from: what explain says of the same windows."""

from __future__ import annotations

import random
from pathlib import Path

import pandas
import pytest

for package in ("onnx", "sklearn", "scipy", "matplotlib", "pyarrow"):
    pytest.importorskip(package, reason="needs the extra train")

from histpred.evaluation import sources  # noqa: E402
from support import random_genome, write_bed, write_fasta  # noqa: E402
from support.command_line import histpred  # noqa: E402
from support.counting_bundle import counting_bundle  # noqa: E402


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    rng = random.Random(3)
    lengths = {"chr1": 30_000, "chr2": 9_000}
    write_fasta(folder / "genome.fa", random_genome(rng, lengths))
    rows = [
        (chrom, start, start + 200, f"{chrom}-{start}", 0, rng.choice("+-"))
        for chrom, length in lengths.items()
        for start in range(300, length - 600, 700)
    ]
    write_bed(folder / "rows.bed", rows)
    lines = ["id\tH3K4me3\tH3K27me3\tH3K9me3"]
    lines += ["\t".join([str(row[3]), *rng.choices("01", k=3)]) for row in rows]
    (folder / "labels.tsv").write_text("\n".join(lines) + "\n")
    counting_bundle(folder / "counting")
    return folder


def evaluate(inputs: Path, out: Path, *options: str) -> pandas.DataFrame:
    files = (inputs / "rows.bed", inputs / "genome.fa", inputs / "labels.tsv")
    result = histpred("evaluate", inputs / "counting", *files, "-o", out, *options)
    assert result.code == 0, result.err
    return pandas.read_csv(out / "profile.tsv", sep="\t")


def test_the_profile_of_an_evaluation_is_that_of_explain(inputs, tmp_path):
    found = evaluate(inputs, tmp_path / "evaluation")
    words = ("explain", inputs / "rows.bed", inputs / "genome.fa", "--no-report")
    done = histpred(*words, "--bundle", inputs / "counting", "-o", tmp_path / "explained")
    assert done.code == 0, done.err
    expected = pandas.read_csv(tmp_path / "explained" / "profile.tsv", sep="\t")
    pandas.testing.assert_frame_equal(found, expected, rtol=1e-4, atol=1e-6)
    assert found["strength"].max() > 0
    page = (tmp_path / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert "Where predictions come from" in page
    assert "drawn at random" not in page


def test_of_many_windows_some_are_drawn_with_the_seed(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MOST_WINDOWS", 7)
    one, same, other = (
        evaluate(inputs, tmp_path / name, "--seed", seed)
        for name, seed in (("one", "1"), ("same", "1"), ("other", "2"))
    )
    assert one["windows"].max() == 7
    pandas.testing.assert_frame_equal(one, same)
    assert not one.equals(other)
    page = (tmp_path / "one" / "report.html").read_text(encoding="utf-8")
    assert "Stretches of 7 evaluated windows, drawn at random, were replaced by N" in page


def test_intervals_have_no_start(inputs, tmp_path):
    files = (inputs / "rows.bed", inputs / "genome.fa", inputs / "labels.tsv")
    words = ("evaluate", inputs / "counting", *files, "--window", "interval:200:200")
    result = histpred(*words, "-o", tmp_path / "out")
    assert result.code == 0, result.err
    assert not (tmp_path / "out" / "profile.tsv").exists()
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Where predictions come from" not in page


def test_marks_that_are_not_evaluated_are_left_out(inputs, tmp_path):
    found = evaluate(inputs, tmp_path / "out", "--marks", "H3K27me3")
    assert set(found["mark"]) == {"H3K27me3"}
