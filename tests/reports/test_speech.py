"""What speaks for the calls, on the page of a prediction of a bundle whose answers are known."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")

from histpred.reports.landscape import Locus
from histpred.reports.speech import best_loci
from support import random_genome, write_bed, write_fasta
from support.command_line import histpred, said_well, tables
from support.counting_bundle import WORD, counting_bundle
from support.landscapes import landscape_of

HEAD = "What speaks for the calls"
STRIP = re.compile(r'<div class="strip">.*?</div>', re.DOTALL)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """Genes of which two have a word each, 40 bp behind the TSS and 110 bp before it."""
    folder = tmp_path_factory.mktemp("inputs")
    genome = random_genome(random.Random(6), {"chr1": 60_000})
    bases = genome["chr1"].replace(WORD, "GTTC")
    for place in (10_000 + 47, 20_000 - 107):
        bases = bases[:place] + WORD + bases[place + 4 :]
    write_fasta(folder / "genome.fa", {"chr1": bases})
    starts = (10_000, 20_000, 30_000, 40_000)
    write_bed(folder / "few.bed", [("chr1", at, at + 500, f"<g{at}>", 0, "+") for at in starts])
    many = [("chr1", at, at + 500, f"g{at}", 0, "+") for at in range(1_000, 59_000, 1_000)]
    write_bed(folder / "many.bed", many)
    counting_bundle(folder / "counting")
    return folder


def predict(inputs: Path, rows: str, out: Path) -> Path:
    words = ("predict", inputs / rows, inputs / "genome.fa", "--bundle", inputs / "counting")
    done = histpred(*words, "-o", out)
    assert done.code == 0, done.err
    return out


def page(inputs: Path, scores: Path, out: Path) -> str:
    done = histpred("report", scores, "--bundle", inputs / "counting", "-o", out)
    assert done.code == 0, done.err
    return out.read_text(encoding="utf-8")


@pytest.mark.parametrize("rows", ["few.bed", "many.bed"])
def test_the_word_that_a_call_rests_on_is_shown(inputs, rows, tmp_path):
    found = page(inputs, predict(inputs, rows, tmp_path / "scores"), tmp_path / "page.html")
    assert f'<h2 id="speech">{HEAD}</h2>' in found
    assert "<g10000>" not in found
    name = "&lt;g10000&gt;" if rows == "few.bed" else "g10000"
    (title,) = re.findall(f"<title>(H3K4me3 at {name}, .*?)</title>", found)
    assert title.endswith(
        "The strongest stretch is chr1:10,041-10,060, 40 bp downstream (+1.00 log-odds)."
    )
    assert "The strongest stretch is chr1:19,881-19,900, 100 bp upstream" in found
    for strip in STRIP.findall(found):
        assert strip.count('class="rising"') <= 1
        assert "falling" not in strip or "H3K27me3" in strip


def test_the_page_is_the_same_whenever_it_is_made(inputs, tmp_path):
    scores = predict(inputs, "many.bed", tmp_path / "scores")
    first = page(inputs, scores, tmp_path / "a.html")
    assert page(inputs, scores, tmp_path / "b.html") == first
    shutil.copytree(scores, tmp_path / "elsewhere")
    assert page(inputs, tmp_path / "elsewhere", tmp_path / "c.html") == first
    assert [*tmp_path.glob(".*")] == []


def test_predict_itself_writes_that_page(inputs, tmp_path):
    words = ("predict", inputs / "few.bed", inputs / "genome.fa", "--bundle", inputs / "counting")
    assert histpred(*words, "-o", tmp_path / "out", report=True).code == 0
    made = (tmp_path / "out" / "report.html").read_text()
    assert page(inputs, tmp_path / "out", tmp_path / "page.html") == made
    assert HEAD in made


def test_without_its_genome_the_page_names_histpred_explain(inputs, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(inputs, moved)
    scores = predict(moved, "few.bed", tmp_path / "scores")
    (moved / "genome.fa").unlink()
    found = page(inputs, scores, tmp_path / "page.html")
    assert STRIP.findall(found) == []
    assert (
        "the FASTA is not where it was, has changed since, or has no index; "
        "histpred report --fasta takes it from elsewhere. <code>histpred" in found
    )


def test_a_genome_that_was_moved_can_be_named(inputs, tmp_path):
    there = page(inputs, predict(inputs, "few.bed", tmp_path / "there"), tmp_path / "there.html")
    moved = tmp_path / "moved"
    shutil.copytree(inputs, moved)
    scores = predict(moved, "few.bed", tmp_path / "scores")
    (moved / "genome.fa").rename(tmp_path / "elsewhere.fa")
    words = ("report", scores, "--bundle", inputs / "counting", "-o", tmp_path / "page.html")
    done = histpred(*words, "--fasta", tmp_path / "elsewhere.fa")
    assert done.code == 0, done.err
    found = (tmp_path / "page.html").read_text()
    assert STRIP.findall(found) == STRIP.findall(there) != []
    assert [*tmp_path.glob(".*")] == []


def test_a_genome_that_is_named_is_read_without_an_index(inputs, tmp_path, monkeypatch):
    scores = predict(inputs, "few.bed", tmp_path / "scores")
    monkeypatch.setattr("histpred.reports.surroundings.LARGEST", 0)
    assert STRIP.findall(page(inputs, scores, tmp_path / "without.html")) == []
    words = ("report", scores, "--bundle", inputs / "counting", "-o", tmp_path / "page.html")
    done = histpred(*words, "--fasta", inputs / "genome.fa", "--cache", tmp_path / "cache")
    assert done.code == 0, done.err
    assert STRIP.findall((tmp_path / "page.html").read_text())
    assert [*(tmp_path / "cache").glob("*.fai")]


@pytest.mark.parametrize("other", ["another genome", "nothing"])
def test_another_genome_is_refused(inputs, tmp_path, other):
    scores = predict(inputs, "few.bed", tmp_path / "scores")
    if other == "another genome":
        bases = (inputs / "genome.fa").read_text().replace(WORD, "GTTC", 1)
        (tmp_path / "other.fa").write_text(bases)
    words = ("report", scores, "--bundle", inputs / "counting", "-o", tmp_path / "page.html")
    done = histpred(*words, "--fasta", tmp_path / "other.fa")
    assert done.code == 1
    assert said_well(done.err)
    expected = f"is not the genome of {scores}" if other == "another genome" else "no such file"
    assert expected in done.err
    assert not (tmp_path / "page.html").exists()


def test_gather_explains_on_the_genome_that_it_is_given(inputs, tmp_path):
    whole = page(inputs, predict(inputs, "few.bed", tmp_path / "whole"), tmp_path / "whole.html")
    away = tmp_path / "away"
    shutil.copytree(inputs, away)
    bundle = ("--bundle", inputs / "counting")
    scattered, part, genome = tmp_path / "scattered", tmp_path / "part", away / "genome.fa"
    assert histpred("scatter", away / "few.bed", genome, *bundle, "-o", scattered).code == 0
    shard = scattered / "shards" / "0001.tsv"
    assert histpred("predict", shard, genome, *bundle, "-o", part).code == 0
    genome.unlink()
    words = ("gather", scattered, part, *bundle, "-o")
    assert histpred(*words, tmp_path / "without", report=True).code == 0
    assert STRIP.findall((tmp_path / "without" / "report.html").read_text()) == []
    given = ("--fasta", inputs / "genome.fa")
    done = histpred(*words, tmp_path / "with", *given, report=True)
    assert done.code == 0, done.err
    found = (tmp_path / "with" / "report.html").read_text()
    assert STRIP.findall(found) == STRIP.findall(whole) != []
    assert tables(tmp_path / "with") == tables(tmp_path / "without")


def test_a_prediction_without_calls_has_no_such_chapter(inputs, tmp_path):
    write_bed(tmp_path / "dull.bed", [("chr1", 50_000, 50_500, "dull", 0, "+")])
    words = ("predict", tmp_path / "dull.bed", inputs / "genome.fa", "--marks", "H3K9me3")
    done = histpred(*words, "--bundle", inputs / "counting", "-o", tmp_path / "scores")
    assert done.code == 0, done.err
    assert HEAD not in page(inputs, tmp_path / "scores", tmp_path / "page.html")


def test_the_best_of_every_mark_come_first_and_each_window_once():
    def locus(number: int) -> Locus:
        return Locus("chr1", number, number + 9, f"g{number}", "+", ".", np.zeros(2), np.ones(2))

    marks = ("H3K4me3", "H3K9ac", "H3K27me3")
    top = {
        name: tuple(locus(100 * row + rank) for rank in range(5)) for row, name in enumerate(marks)
    }
    top["H3K27ac"] = (locus(0), locus(7))
    found = best_loci(landscape_of([[0.9, 0.9]])._replace(top=top))
    assert {one.start for one in list(found.values())[:3]} == {0, 100, 200}
    assert len(found) == 16


def test_a_page_explains_no_more_windows_than_it_can_quickly(inputs, tmp_path, monkeypatch):
    scores = predict(inputs, "many.bed", tmp_path / "scores")
    whole = page(inputs, scores, tmp_path / "whole.html")
    assert "left out" not in whole
    monkeypatch.setattr("histpred.reports.speech.MOST", 3)
    some = page(inputs, scores, tmp_path / "some.html")
    every = {re.findall("at (g[0-9]+),", strip)[0] for strip in STRIP.findall(whole)}
    kept = {re.findall("at (g[0-9]+),", strip)[0] for strip in STRIP.findall(some)}
    assert len(kept) == 3
    assert f"{len(every) - 3} further windows of the best five of each mark are left out" in some
