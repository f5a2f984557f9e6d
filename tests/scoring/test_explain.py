"""Contributions of stretches: known answers, both strands, sums, and the promises of a folder."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam
import pytest

pytest.importorskip("onnx")

from histpred.bundle.encoding import bundle_encoder
from histpred.bundle.folder import load_bundle
from histpred.core.errors import UsageError
from histpred.genome.request import Request
from histpred.scoring import explain
from histpred.scoring.explain_tables import ExplainTables
from support import random_genome, reverse_complement, write_bed, write_fasta
from support.command_line import Done, contents, histpred, read_scores, said_well, with_file_limit
from support.counting_bundle import (
    BIN,
    INTERCEPT,
    MARKS,
    PER_WORD,
    REACH,
    SLOPE,
    WORD,
    counting_bundle,
    words_in,
)
from support.extraction import read_ledger

SHOWN = MARKS[:3]  # the fourth is not predicted
PER_MARK = dict(zip(SHOWN, (SLOPE * PER_WORD[0], *PER_WORD[1:3]), strict=True))
LENGTH = 6_000


class Line(NamedTuple):
    """A row of contributions.tsv.gz, read without histpred."""

    chrom: str
    start: int
    end: int
    window: str
    mark: str
    value: float


class Case(NamedTuple):
    """A genome, rows on it and the bundle."""

    folder: Path
    genome: dict[str, str]
    rows: list[tuple[str | int, ...]]

    @property
    def fasta(self) -> Path:
        return self.folder / "genome.fa"

    @property
    def bed(self) -> Path:
        return self.folder / "rows.bed"

    def run(self, out: Path, *options: str | Path) -> Done:
        words = ("explain", self.bed, self.fasta, "--bundle", self.folder / "counting")
        return histpred(*words, "--no-report", "-o", out, *options)


def lines_of(table: Path) -> Iterator[list[str]]:
    with gzip.open(table, "rt", encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("#"):
                yield line.rstrip("\n").split("\t")


def contributions(out: Path) -> list[Line]:
    return [
        Line(chrom, int(start), int(end), window, mark, float(value))
        for chrom, start, end, window, mark, value in lines_of(out / "contributions.tsv.gz")
    ]


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Case:
    """Genes on both strands; one with a planted word, some at the ends of the contig and in N."""
    folder = tmp_path_factory.mktemp("case")
    rng = random.Random(4)
    genome = random_genome(rng, {"chr1": LENGTH, "chr2": 900}, n_fraction=0.05)
    genome["chr1"] = genome["chr1"].replace(WORD, "GTTC")
    planted = 3_000 + 5 * BIN + 7
    genome["chr1"] = genome["chr1"][:planted] + WORD + genome["chr1"][planted + len(WORD) :]
    places = [
        (50, 400),
        (2_950, 3_300),
        (3_000, 3_200),
        (LENGTH - 120, LENGTH - 20),
        (3_010, 3_090),
    ]
    rows: list[tuple[str | int, ...]] = [
        ("chr1", start, end, f"gene{number}", 0, "+-"[number % 2])
        for number, (start, end) in enumerate(places)
    ]
    rows += [("chr2", 100, 300, "gene2", 0, "-"), ("chr2", 400, 410, ".", 0, "+")]
    rows += [("chr1", 7, 7, "empty", 0, "+")]
    write_fasta(folder / "genome.fa", genome)
    write_bed(folder / "rows.bed", rows)
    counting_bundle(folder / "counting")
    return Case(folder, genome, rows)


@pytest.fixture(scope="module")
def done(case, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("done") / "out"
    result = case.run(out)
    assert result.code == 0, result.err
    return out


def expected(case: Case) -> dict[tuple[str, int, int, str], int]:
    """The words in each stretch that a window reads, by contig, start, end and the row's name."""
    found = {}
    for chrom, start, end, name, _, strand in case.rows[:-1]:
        anchor = int(start) if strand == "+" else int(end)
        sequence = case.genome[str(chrom)]
        for left in range(anchor - REACH, anchor + REACH, BIN):
            first, last = max(left, 0), min(left + BIN, len(sequence))
            bases = sequence[first:last]
            if first < last and set(bases) != {"N"}:
                padded = bases.rjust(BIN, "N") if first > left else bases
                found[str(chrom), first, last, str(name)] = words_in(padded)
    return found


def test_a_stretch_contributes_the_words_that_it_holds(case, done):
    wanted = expected(case)
    labels = {"chr2:400-402(+)": "."}
    found = {}
    for line in contributions(done):
        name = next((old for new, old in labels.items() if line.window.startswith(new[:8])), None)
        name = name or line.window.partition("::")[0]
        key = line.chrom, line.start, line.end, name
        assert line.value == pytest.approx(PER_MARK[line.mark] * wanted[key], abs=1e-5)
        found[*key, line.mark] = line.value
    assert len(found) == len(wanted) * len(SHOWN)
    assert sum(wanted.values()) >= 3


def test_only_the_planted_word_speaks_on_the_contig_without_others(done):
    """In the bins of gene4 it lies in two bins, so that neither holds it."""
    here = {
        (line.start, line.end, line.window)
        for line in contributions(done)
        if line.chrom == "chr1" and line.value
    }
    assert {name for *_, name in here} == {"gene1", "gene2"}
    assert all(start <= 3_000 + 5 * BIN + 7 < end for start, end, _ in here)


def test_contributions_of_a_linear_bundle_add_up_to_the_log_odds(case, done, tmp_path):
    """Without all stretches nothing is known, so the log-odds are the intercept."""
    sums: dict[tuple[str, str, str], float] = {}
    for line in contributions(done):
        key = line.chrom, line.window, line.mark
        sums[key] = sums.get(key, 0) + line.value
    with gzip.open(done / "windows.tsv.gz", "rt") as lines:
        head = next(lines).removeprefix("#").split()
        rows = [dict(zip(head, line.rstrip("\n").split("\t"), strict=True)) for line in lines]
    assert len(rows) == len(case.rows) - 1
    for row in rows:
        probability = float(row["H3K4me3"])
        odds = np.log(probability / (1 - probability)) - INTERCEPT
        assert sums[row["chrom"], row["window"], "H3K4me3"] == pytest.approx(odds, abs=1e-4)


def test_probabilities_are_those_of_predict(case, done, tmp_path):
    words = ("predict", case.bed, case.fasta, "--bundle", case.folder / "counting")
    assert histpred(*words, "-o", tmp_path / "scores").code == 0
    scores = read_scores(tmp_path / "scores" / "scores.tsv.gz")
    with gzip.open(done / "windows.tsv.gz", "rt") as lines:
        head = next(lines).removeprefix("#").split()
        for line, row in zip(lines, scores.rows, strict=True):
            cells = dict(zip(head, line.rstrip("\n").split("\t"), strict=True))
            assert (cells["name"], cells["start"]) == (row["name"], row["start"])
            for mark in SHOWN:
                assert float(cells[mark]) == pytest.approx(float(row[mark]), abs=1e-5)


def test_a_mirrored_genome_has_the_mirrored_contributions(case, done, tmp_path):
    genome = {name: reverse_complement(bases) for name, bases in case.genome.items()}
    rows = [
        (chrom, len(genome[chrom]) - end, len(genome[chrom]) - start, name, 0, "-+"["-+".find(way)])
        for chrom, start, end, name, _, strand in case.rows[:-1]
        for way in ["+" if strand == "-" else "-"]
    ]
    write_fasta(tmp_path / "genome.fa", genome)
    write_bed(tmp_path / "rows.bed", rows)
    mirrored = Case(tmp_path, genome, rows)
    shutil.copytree(case.folder / "counting", tmp_path / "counting")
    result = mirrored.run(tmp_path / "out")
    assert result.code == 0, result.err
    turned = sorted(
        (
            line.chrom,
            len(genome[line.chrom]) - line.end,
            len(genome[line.chrom]) - line.start,
            line.mark,
            line.value,
        )
        for line in contributions(tmp_path / "out")
    )
    plain = sorted((*line[:3], line.mark, line.value) for line in contributions(done))
    assert turned == plain


def test_the_table_says_its_scale_and_so_does_the_record(done):
    with gzip.open(done / "contributions.tsv.gz", "rt") as lines:
        first = next(lines)
    assert first.startswith("## contribution: the fall of the log-odds")
    assert "of H3K9me3: the raw score, because the calibration has steps" in first
    scales = json.loads((done / "run.json").read_text())["result"]["scales"]
    assert scales == {"H3K4me3": "calibrated", "H3K27me3": "calibrated", "H3K9me3": "raw"}


def test_tables_are_sorted_and_indexed(done):
    for name in ("contributions.tsv.gz", "windows.tsv.gz"):
        places = [(row[0], int(row[1]), int(row[2])) for row in lines_of(done / name)]
        assert places == sorted(places)
    with pysam.TabixFile(str(done / "contributions.tsv.gz")) as table:
        found = [row.split("\t") for row in table.fetch("chr1", 3_100, 3_110)]
    assert {row[3] for row in found} >= {"gene1", "gene2"}


def test_windows_without_a_name_or_with_one_that_is_taken_can_be_told_apart(done):
    names = [row[-5] for row in lines_of(done / "windows.tsv.gz")]
    assert len(names) == len(set(names)) == 7
    assert sum(name.startswith("gene2::chr2:") for name in names) == 1
    assert sum(name.startswith("chr2:") for name in names) == 1


def test_every_row_is_in_the_ledger_once(case, done):
    ledger = read_ledger(done / "ledger.tsv")
    assert [int(row["line"]) for row in ledger] == list(range(1, len(case.rows) + 1))
    assert {row["reason"] for row in ledger if row["status"] == "skipped"} == {"zero-length"}


def test_a_finished_folder_is_left_alone_and_another_request_is_refused(case, done):
    before = contents(done)
    again = case.run(done)
    assert again.code == 0
    assert "already holds this explanation: nothing to do" in again.err
    other = case.run(done, "--resolution", "40")
    assert other.code == 1
    assert said_well(other.err)
    assert "resolution (None -> 40)" in other.err
    assert contents(done) == before


def test_a_folder_of_predict_is_refused(case, tmp_path):
    words = ("predict", case.bed, case.fasta, "--bundle", case.folder / "counting")
    assert histpred(*words, "-o", tmp_path / "scores").code == 0
    result = case.run(tmp_path / "scores")
    assert result.code == 1
    assert said_well(result.err)


def test_the_order_of_the_rows_does_not_matter(case, done, tmp_path):
    write_bed(tmp_path / "rows.bed", case.rows[::-1])
    words = ("explain", tmp_path / "rows.bed", case.fasta, "--bundle", case.folder / "counting")
    assert histpred(*words, "--no-report", "-o", tmp_path / "out").code == 0
    for name in ("contributions.tsv.gz", "windows.tsv.gz", "profile.tsv"):
        assert (tmp_path / "out" / name).read_bytes() == (done / name).read_bytes(), name


def test_some_marks_have_the_contributions_that_they_have_among_all(case, done, tmp_path):
    assert case.run(tmp_path / "out", "--marks", "H3K27me3").code == 0
    alone = contributions(tmp_path / "out")
    assert alone == [line for line in contributions(done) if line.mark == "H3K27me3"]


def test_longer_stretches_hold_the_words_of_the_shorter_ones(case, done, tmp_path):
    """Two bins together are what they are apart, for a linear bundle; none lacks a place."""
    assert case.run(tmp_path / "out", "--resolution", str(2 * BIN)).code == 0
    sums = {}
    for out in (done, tmp_path / "out"):
        sums[out] = {}
        for line in contributions(out):
            key = line.chrom, line.window, line.mark
            sums[out][key] = sums[out].get(key, 0) + line.value
    assert sums[done].keys() == sums[tmp_path / "out"].keys()
    for key, value in sums[done].items():
        assert sums[tmp_path / "out"][key] == pytest.approx(value, abs=1e-5)
    longest = max(line.end - line.start for line in contributions(tmp_path / "out"))
    assert longest == 2 * BIN


def test_a_full_disk_leaves_nothing(case, tmp_path):
    words = ("explain", case.bed, case.fasta, "--bundle", case.folder / "counting")
    result = with_file_limit(2_000, *words, "--no-report", "-o", tmp_path / "out")
    assert result.code == 75
    assert "disk is full" in result.err
    assert not (tmp_path / "out").exists()


# Base by base


def test_only_the_bases_of_the_word_matter(case, tmp_path):
    """Any substitution breaks GATC; others make it where three of its letters are there."""
    planted = case.genome["chr1"].index(WORD)
    region = f"chr1:{planted - 9}-{planted + 14}"
    result = case.run(tmp_path / "out", "--bases", region)
    assert result.code == 0, result.err
    rows = list(lines_of(tmp_path / "out" / "bases.tsv.gz"))
    assert rows
    sequence = case.genome["chr1"]
    for chrom, start, end, window, mark, ref, alt, effect in rows:
        place = int(start)
        assert (chrom, int(end), ref) == ("chr1", place + 1, sequence[place])
        assert alt in "ACGT".replace(ref, "")
        anchor = {"gene1": 3_300, "gene2": 3_000, "gene4": 3_010}[window]
        left = anchor - REACH
        changed = sequence[:place] + alt + sequence[place + 1 :]
        words = [words_in(one[left : left + 2 * REACH]) for one in (sequence, changed)]
        assert float(effect) == pytest.approx(PER_MARK[mark] * (words[1] - words[0]), abs=1e-5)
    broken = {int(row[1]) for row in rows if row[4] == "H3K4me3" and float(row[-1]) < 0}
    assert broken == set(range(planted, planted + len(WORD)))
    assert {row[6] for row in rows} == set("ACGT")


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ("chr9:5-10", "no such contig"),
        ("chr1:9000-9010", "chr1 has 6,000 bp"),
        ("chr1:1500-1510", "no window reads a base of --bases"),
        ("chr1-5", "not a region"),
    ],
)
def test_bases_that_cannot_be_replaced_are_refused(region, words, case, tmp_path):
    result = case.run(tmp_path / "out", "--bases", region)
    assert result.code == 2
    assert words in result.err
    assert not (tmp_path / "out").exists()


# The profile


def test_the_profile_is_the_mean_by_distance_from_the_start(case, done):
    """Recomputed from the words; a step is left out where no window has bases."""
    starts = {
        (chrom, name): (int(start) if strand == "+" else int(end), strand)
        for chrom, start, end, name, _, strand in case.rows[:-1]
    }
    sums: dict[int, list[int]] = {}
    for (chrom, start, end, name), words in expected(case).items():
        anchor, strand = starts[chrom, name]
        middle = (start + end) / 2
        away = anchor - middle if strand == "-" else middle - anchor
        sums.setdefault(int(away // BIN) * BIN, []).append(words)
    rows = [line.split("\t") for line in (done / "profile.tsv").read_text().splitlines()[1:]]
    found = {int(row[2]): row for row in rows if row[:2] == ["all", "H3K27me3"]}
    assert found.keys() == sums.keys()
    for start, row in found.items():
        assert int(row[3]) == start + BIN
        assert int(row[4]) == len(sums[start])
        assert float(row[5]) == pytest.approx(-np.mean(sums[start]), abs=1e-4)
        assert float(row[8]) == pytest.approx(np.mean(sums[start]), abs=1e-4)


# Real bundles


@pytest.mark.parametrize("name", ["human-promoter", "yeast"])
def test_shipped_bundles_give_the_fall_of_the_scores_of_a_masked_genome(name, tmp_path):
    """The oracle: predict on a genome in which the stretch is N."""
    rng = random.Random(1)
    manifest = load_bundle(name).manifest
    reach = manifest.window.upstream
    genome = random_genome(rng, {"chr1": 2 * reach + 3_000})
    start = reach + 1_450
    rows = [("chr1", start, start + 90, "one", 0, "-")]
    write_fasta(tmp_path / "genome.fa", genome)
    write_bed(tmp_path / "rows.bed", rows)
    words = (tmp_path / "rows.bed", tmp_path / "genome.fa", "--bundle", name)
    assert histpred("explain", *words, "--no-report", "-o", tmp_path / "out").code == 0
    every = contributions(tmp_path / "out")
    marks = [mark.name for mark in manifest.marks if not mark.unpredicted]
    assert len(every) == 2 * reach // 200 * len(marks)

    def odds(fasta: Path, out: Path) -> np.ndarray:
        assert histpred("predict", words[0], fasta, *words[2:], "-o", out).code == 0
        scores = read_scores(out / "scores.tsv.gz")
        values = np.array([scores.probability(0, mark) for mark in marks])
        return np.log(values / (1 - values))

    own = odds(tmp_path / "genome.fa", tmp_path / "own")
    for middle in (start + 90, start - 3_000):
        here = [line for line in every if line.start <= middle < line.end]
        left, right = here[0].start, here[0].end
        bases = genome["chr1"]
        masked = {"chr1": bases[:left] + "N" * (right - left) + bases[right:]}
        fasta = tmp_path / f"masked-{middle}.fa"
        write_fasta(fasta, masked)
        fall = own - odds(fasta, tmp_path / f"masked-{middle}")
        assert [line.mark for line in here] == marks
        np.testing.assert_allclose([line.value for line in here], fall, atol=2e-4)
        assert np.abs(fall).max() > 1e-3


@pytest.mark.parametrize("policy", ["window", "grid"])
def test_a_chunk_of_n_is_left_out_so_each_chunk_is_embedded_once(policy, case, tmp_path):
    """And a store has them all for the next run."""
    pytest.importorskip("torch")
    pytest.importorskip("pyarrow")
    from histpred.encoders.chunks import ChunkPolicy
    from support.random_bundle import random_bundle

    window = {"kind": "context", "upstream": 500}
    chunks = ChunkPolicy(policy, 100)
    random_bundle(tmp_path / "random", "kmer", Path(), [], chunks=chunks, window=window)
    words = ("explain", case.bed, case.fasta, "--bundle", tmp_path / "random", "--no-report")
    words = (*words, "--store", tmp_path / "store", "-o")
    read = set()
    for chrom, start, end, _, _, strand in case.rows[:-1]:
        sequence = case.genome[str(chrom)]
        left, right = (
            (int(start) - 500, int(end)) if strand == "+" else (int(start), int(end) + 500)
        )
        left, right = max(left, 0), min(right, len(sequence))
        if policy == "grid":
            places = range(left // 100 * 100, right, 100)
            pieces = [sequence[at : at + 100] for at in places]
            pieces = pieces if strand == "+" else list(map(reverse_complement, pieces))
        else:
            bases = sequence[left:right]
            bases = bases if strand == "+" else reverse_complement(bases)
            pieces = [bases[at : at + 100] for at in range(0, len(bases), 100)]
        read |= {piece for piece in pieces if set(piece) != {"N"}}
    assert histpred(*words, tmp_path / "one").code == 0
    result = json.loads((tmp_path / "one" / "run.json").read_text())["result"]
    assert result["embedded"] == len(read)
    assert histpred(*words, tmp_path / "two").code == 0
    result = json.loads((tmp_path / "two" / "run.json").read_text())["result"]
    assert result["embedded"] == 0
    assert result["reused"] == len(read)
    for name in ("contributions.tsv.gz", "windows.tsv.gz", "profile.tsv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_killed_run_with_a_large_encoder_goes_on_with_its_embeddings(case, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("tokenizers")
    from histpred.encoders.chunks import ChunkPolicy
    from support.dnabert2 import write_dnabert2
    from support.random_bundle import random_bundle

    write_dnabert2(tmp_path / "weights", scale=0.3)
    files = sorted(path.name for path in (tmp_path / "weights").iterdir())
    window = {"kind": "promoter", "upstream": 200, "downstream": 200}
    chunks = ChunkPolicy("window", 100)
    weights = tmp_path / "weights"
    random_bundle(tmp_path / "large", "dnabert2", weights, files, chunks=chunks, window=window)
    words = ("explain", case.bed, case.fasta, "--bundle", tmp_path / "large", "--no-report")
    words = (*words, "--weights", weights, "--device", "cpu", "-o")
    assert histpred(*words, tmp_path / "whole").code == 0
    whole = json.loads((tmp_path / "whole" / "run.json").read_text())["result"]
    assert not (tmp_path / "whole" / ".histpred-resume").exists()

    monkeypatch.setattr(explain, "AT_ONCE", 1)  # every window is a call of its own
    written: list[object] = []

    def write(tables: ExplainTables, one: object) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(one)

    with monkeypatch.context() as patch:
        patch.setattr(ExplainTables, "write", write)
        killed = histpred(*words, tmp_path / "out")
    assert killed.code == 130
    assert "goes on with the embeddings that are finished" in killed.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {".histpred-resume"}
    assert histpred(*words, tmp_path / "out").code == 0
    again = json.loads((tmp_path / "out" / "run.json").read_text())["result"]
    assert 0 < again["embedded"] < whole["embedded"]
    for name in ("contributions.tsv.gz", "windows.tsv.gz", "profile.tsv", "ledger.tsv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_tiles_and_stretches_of_nothing_are_refused_before_any_work(tmp_path):
    request = Request(str(tmp_path / "none.bed"), str(tmp_path / "none.fa"))
    tiles, genes = (bundle_encoder(load_bundle(), None, tile) for tile in (200, None))
    with pytest.raises(UsageError, match="tiles are not explained"):
        explain.explain(request, tiles, tmp_path / "out")
    with pytest.raises(UsageError, match="stretches of 0 bp"):
        explain.explain(request, genes, tmp_path / "out", resolution=0)
