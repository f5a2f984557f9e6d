"""scatter, predict on each shard and gather on the command line; and what may happen on the way."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support import (
    random_bed_rows,
    random_genome,
    random_transcripts,
    write_bed,
    write_fasta,
    write_gtf,
)
from support.command_line import (
    FILES,
    Argument,
    Done,
    command,
    contents,
    environment,
    histpred,
    said_well,
    tables,
    tree,
    with_file_limit,
)

BUNDLE = ("--bundle", "human-promoter")
WORK = ".histpred-work"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """rows.bed, genes.gtf (with overlapping genes) and genome.fa."""
    folder = tmp_path_factory.mktemp("inputs")
    rng = random.Random(8)
    genome = random_genome(rng, {"chr1": 9000, "chr2": 4000}, n_fraction=0.05)
    write_fasta(folder / "genome.fa", genome)
    write_bed(folder / "rows.bed", random_bed_rows(rng, genome, 60))
    write_gtf(folder / "genes.gtf", random_transcripts(rng, genome, 12))
    return folder


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """2,000 rows: long enough to be stopped in the middle."""
    folder = tmp_path_factory.mktemp("many")
    rng = random.Random(60)
    genome = random_genome(rng, {"chr1": 80_000, "chr2": 40_000})
    write_fasta(folder / "genome.fa", genome)
    write_bed(folder / "rows.bed", random_bed_rows(rng, genome, 2000))
    return folder


def run(*arguments: Argument) -> Done:
    """A histpred that must work."""
    done = histpred(*arguments)
    assert done.code == 0, done.err
    return done


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_from_annotation_to_one_prediction(inputs, tmp_path):
    annotation, fasta = inputs / "genes.gtf", inputs / "genome.fa"
    whole, scattered, out = (tmp_path / name for name in ("whole", "scattered", "out"))
    run("predict", annotation, fasta, "-o", whole)
    done = run(
        "scatter", annotation, fasta, "-o", scattered, *BUNDLE, "--shard-bases", "9000",
        "--cache", tmp_path / "cache",
    )  # fmt: skip
    shards = sorted((scattered / "shards").iterdir())
    assert len(shards) > 2
    assert f"in {len(shards)} shards" in done.err
    parts = [tmp_path / "parts" / shard.stem for shard in shards]
    for shard, part in zip(shards, parts, strict=True):
        done = run("predict", shard, fasta, "-o", part, "--cache", tmp_path / "cache")
        assert f"{shard} is a table of windows, which are used unchanged" in done.err
    done = run("gather", scattered, *reversed(parts), "-o", out)
    assert f"rows scored in {len(parts)} parts" in done.err
    for folder in (out, whole):
        said = json.loads((folder / "run.json").read_text())["result"]["first_words"]
        assert said
        assert all(sentence in done.err for sentence in said)
    assert names(out) == FILES
    assert tables(out) == tables(whole)
    before = tree(out)
    for again in (
        run("gather", scattered, *parts, "-o", out),
        run("predict", annotation, fasta, "-o", out),
    ):
        assert f"{out} already holds this prediction: nothing to do" in again.err
    assert tree(out) == before


def test_scatter_says_that_there_is_nothing_to_do_and_what_differs(inputs, tmp_path):
    out = tmp_path / "out"
    arguments = (
        "scatter", inputs / "rows.bed", inputs / "genome.fa", "-o", out, *BUNDLE, "--shard-bases",
    )  # fmt: skip
    run(*arguments, "30000")
    before = tree(out)
    assert f"{out} already holds these shards: nothing to do" in run(*arguments, "30000").err
    refused = histpred(*arguments, "60000")
    assert refused.code == 1
    assert f"{out} holds other shards; what differs: shard bases (30000 -> 60000)" in refused.err
    assert said_well(refused.err)
    assert tree(out) == before
    run(*arguments, "60000", "--overwrite")
    assert len(names(out / "shards")) < len([name for name in before if "shards/" in name])


def test_strict_writes_the_shards_and_ends_with_3(inputs, tmp_path):
    rows = (inputs / "rows.bed").read_text() + "chr1\t7\t7\tempty\t0\t+\n"
    (tmp_path / "rows.bed").write_text(rows)
    arguments = (tmp_path / "rows.bed", inputs / "genome.fa", "-o", tmp_path / "out", *BUNDLE)
    for _ in range(2):
        done = histpred("scatter", *arguments, "--strict")
        assert done.code == 3
        assert "--strict: 1 row was skipped and 0 end past" in done.err
        assert str(tmp_path / "out" / "ledger.tsv") in done.err
    assert names(tmp_path / "out") == {"scatter.json", "ledger.tsv", "shards"}


def test_an_annotation_from_standard_input(inputs, tmp_path):
    content = (inputs / "rows.bed").read_bytes()
    for out, annotation in ((tmp_path / "a", inputs / "rows.bed"), (tmp_path / "b", "-")):
        done = histpred(
            "scatter", annotation, inputs / "genome.fa", "-o", out, *BUNDLE, stdin=content
        )
        assert done.code == 0, done.err
    shards = [{p.name: p.read_bytes() for p in (tmp_path / x / "shards").iterdir()} for x in "ab"]
    assert shards[0] == shards[1]


def test_a_missing_part_is_a_usage_error(inputs, tmp_path):
    run("scatter", inputs / "rows.bed", inputs / "genome.fa", "-o", tmp_path / "s", *BUNDLE,
        "--shard-bases", "50000")  # fmt: skip
    run("predict", tmp_path / "s/shards/0001.tsv", inputs / "genome.fa", "-o", tmp_path / "p")
    done = histpred("gather", tmp_path / "s", tmp_path / "p", "-o", tmp_path / "out")
    assert done.code == 2
    assert "no part is the prediction of shards/0002.tsv" in done.err
    assert said_well(done.err)
    assert not (tmp_path / "out").exists()


# Whole or not there


@pytest.mark.parametrize("size", [0, 1_000, 50_000, "one byte too few"])
def test_no_room_for_the_shards(size, many, tmp_path):
    arguments = ("scatter", many / "rows.bed", many / "genome.fa", "-o", tmp_path / "out", *BUNDLE)
    if size == "one byte too few":
        run(*arguments[:4], tmp_path / "unbroken", *BUNDLE)
        unbroken = tree(tmp_path / "unbroken")
        size = len(unbroken["ledger.tsv"][1]) - 1
    before = tree(tmp_path)
    done = with_file_limit(size, *arguments)
    assert done.code == 75, done.err
    assert said_well(done.err), done.err
    assert tree(tmp_path) == before


def test_no_room_for_the_whole(inputs, tmp_path):
    fasta = inputs / "genome.fa"
    whole = ("--shard-bases", "1000000000")
    run("scatter", inputs / "rows.bed", fasta, "-o", tmp_path / "s", *BUNDLE, *whole)
    run("predict", tmp_path / "s" / "shards" / "0001.tsv", fasta, "-o", tmp_path / "p")
    before = tree(tmp_path)
    sizes = [path.stat().st_size for path in (tmp_path / "p").glob("*.gz")]
    for size in (1_000, min(sizes) - 1, max(sizes) - 1):
        arguments = ("gather", tmp_path / "s", tmp_path / "p", "-o", tmp_path / "out")
        done = with_file_limit(size, *arguments)
        assert done.code == 75, done.err
        assert said_well(done.err), done.err
        assert tree(tmp_path) == before


STOPS = {
    "the ledger": lambda work: (work / "ledger.sqlite").exists(),
    "the windows": lambda work: (work / "windows.tsv").exists(),
    "the shards": lambda work: any((work / "shards").glob("*.tsv")),
}


SMALL = ("--shard-bases", "10000")


@pytest.fixture(scope="module")
def many_unbroken(many, tmp_path_factory) -> dict[str, bytes]:
    """The files of a run that nothing stopped."""
    out = tmp_path_factory.mktemp("unbroken") / "out"
    run("scatter", many / "rows.bed", many / "genome.fa", "-o", out, *BUNDLE, *SMALL)
    return contents(out)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
@pytest.mark.parametrize("stop", STOPS)
def test_a_run_stopped_in_the_middle(stop, number, many, many_unbroken, tmp_path):
    out = tmp_path / "out"
    arguments = ("scatter", many / "rows.bed", many / "genome.fa", "-o", out, *BUNDLE, *SMALL)
    with subprocess.Popen(
        command(*arguments), stderr=subprocess.PIPE, encoding="utf-8", env=environment()
    ) as child:
        until = time.monotonic() + 30
        while not STOPS[stop](out / WORK):
            assert time.monotonic() < until
            assert child.poll() is None
            time.sleep(0.001)
        child.send_signal(number)
        _, err = child.communicate()
    if child.returncode == 0:  # it was quicker
        assert "scatter.json" in names(out)
    elif number == signal.SIGTERM:
        assert child.returncode == 130
        assert said_well(err) or "interrupted" in err
        assert not list(tmp_path.iterdir())
    else:
        assert "scatter.json" not in names(out)

    run(*arguments)
    assert contents(out) == many_unbroken


PEAK = """
import sys
from histpred.cli import main
from histpred.genome import ledger, spool
spool.CACHE_KIB, ledger.KEPT = 1024, 4096  # reached by few rows
code = main(sys.argv[1:])
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
sys.exit(code)
"""


def peak_memory(*arguments: Argument) -> int:
    """Most memory that a histpred of its own held, in KiB."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *map(os.fspath, arguments)],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    return int(done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_memory_is_flat_in_the_number_of_windows(tmp_path):
    rng = random.Random(5)
    genome = random_genome(rng, {f"chr{i}": 20_000 for i in range(150)})
    fasta = write_fasta(tmp_path / "genome.fa", genome)
    peaks = []
    for count in (10_000, 60_000):  # the first is more than a ledger holds in memory here
        rows = write_bed(tmp_path / f"{count}.bed", random_bed_rows(rng, genome, count))
        options = ("--shard-bases", "10000000", "--window", "interval")
        out = tmp_path / str(count)
        peaks.append(peak_memory("scatter", rows, fasta, "-o", out, *BUNDLE, *options))
    # A hundred bytes kept of each of the 50,000 windows more would be seen.
    assert peaks[1] < peaks[0] + 4_096


# Encoders that take long


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["grid", "window"])
@pytest.mark.parametrize("stored", [False, True], ids=["without a store", "with a store"])
def test_parts_of_a_transformer_are_one_prediction_too(policy, stored, inputs, tmp_path):
    """Windows at the border of two shards share bins; with a store they are embedded once."""
    reason = "needs the extra encoders: HISTPRED_EXTRAS=encoders bin/test"
    for package in ("torch", "tokenizers", "pyarrow", "onnx"):
        pytest.importorskip(package, reason=reason)
    from histpred.encoders.chunks import ChunkPolicy
    from support.dnabert2 import write_dnabert2
    from support.random_bundle import random_bundle

    weights = tmp_path / "weights"
    write_dnabert2(weights, scale=0.3)
    random_bundle(
        tmp_path / "bundle",
        "dnabert2",
        weights,
        ["pytorch_model.bin", "config.json", "tokenizer.json"],
        chunks=ChunkPolicy(policy, 90),
        window={"kind": "context", "upstream": 300},
    )
    chosen = ("--bundle", tmp_path / "bundle", "--weights", weights)
    files = (inputs / "genes.gtf", inputs / "genome.fa")
    whole, scattered, out = (tmp_path / name for name in ("whole", "scattered", "out"))
    run("predict", *files, "-o", whole, *chosen, "--device", "cpu")
    run("scatter", *files, "-o", scattered, *chosen, "--shard-bases", "3000")
    record = json.loads((scattered / "scatter.json").read_text())
    assert record["expensive"] is True
    assert len(record["shards"]) > 2

    kept = ("--store", tmp_path / "store") if stored else ()
    parts = []
    for shard in reversed(record["shards"]):
        parts.append(tmp_path / "parts" / Path(shard["file"]).stem)
        options = (*chosen, *kept, "--device", "cpu")
        run("predict", scattered / shard["file"], files[1], "-o", parts[-1], *options)
    run("gather", scattered, *parts, "-o", out)
    assert tables(out) == tables(whole)

    found, expected = (json.loads((path / "run.json").read_text()) for path in (out, whole))
    assert found["identity"] == expected["identity"]
    assert found["encoder"] == expected["encoder"]
    if stored:
        assert found["result"]["embedded"] == expected["result"]["embedded"]
        run("predict", *files, "-o", tmp_path / "again", *chosen, *kept, "--device", "cpu")
        again = json.loads((tmp_path / "again" / "run.json").read_text())
        assert again["result"]["embedded"] == 0


def test_the_control(inputs):
    """What is scattered here is not trivially empty."""
    rows = list(csv.reader((inputs / "rows.bed").read_text().splitlines(), delimiter="\t"))
    assert len(rows) > 60
    assert {row[5] for row in rows} == {"+", "-"}


def test_the_records_name_the_paths_that_are_asked_for(inputs, tmp_path):
    """The pipeline's tasks read links, which say nothing to the user."""
    files, paths = (
        (inputs / "rows.bed", inputs / "genome.fa"),
        ("/my rows.bed", "s3://my/genome.fa"),
    )
    arguments = ("scatter", *files, *BUNDLE, "--unstranded", "-o", tmp_path / "scattered")
    assert histpred(*arguments, "--recorded-as", *paths).code == 0
    shards = sorted((tmp_path / "scattered" / "shards").iterdir())
    for shard in shards:
        part = ("predict", shard, files[1], "-o", tmp_path / "parts" / shard.stem)
        assert histpred(*part).code == 0
    parts = [tmp_path / "parts" / shard.stem for shard in shards]
    assert histpred("gather", tmp_path / "scattered", *parts, "-o", tmp_path / "out").code == 0
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (record["annotation"]["path"], record["fasta"]["path"]) == paths
