"""Embeddings on the command line: computed once, kept, and gone on with after any death."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

REASON = "needs the extra encoders: HISTPRED_EXTRAS=encoders bin/test"
pytest.importorskip("torch", reason=REASON)
pytest.importorskip("tokenizers", reason=REASON)
pytest.importorskip("onnx", reason="needs the package onnx")
parquet = pytest.importorskip("pyarrow.parquet", reason=REASON)

from histpred.core.extras import how_to_install  # noqa: E402
from histpred.core.output import scratch_folder  # noqa: E402
from histpred.encoders import build  # noqa: E402
from histpred.encoders.chunks import ChunkPolicy  # noqa: E402
from histpred.encoders.published import PUBLISHED  # noqa: E402
from support import (  # noqa: E402
    Transcript,
    random_genome,
    random_transcripts,
    reverse_complement,
    write_fasta,
    write_gtf,
)
from support.command_line import (  # noqa: E402
    FILES,
    Argument,
    Done,
    environment,
    histpred,
    read_scores,
    said_well,
    tables,
    tree,
)
from support.dnabert2 import write_dnabert2  # noqa: E402
from support.random_bundle import random_bundle  # noqa: E402

WEIGHTS = ["pytorch_model.bin", "config.json", "tokenizer.json"]
RESUME = ".histpred-resume"
UPSTREAM = 300
GRID, CUT = ChunkPolicy("grid", 60), ChunkPolicy("window", 90)


class Request(NamedTuple):
    """What the tests share; `bundles` by the policy of their chunks."""

    folder: Path
    genome: dict[str, str]
    transcripts: list[Transcript]
    weights: Path
    bundles: dict[str, Path]

    def arguments(self, policy: str = "grid") -> list[Argument]:
        """Annotation, genome, bundle and weights."""
        files = [self.folder / "genes.gtf", self.folder / "genome.fa"]
        return [*files, "--bundle", self.bundles[policy], "--weights", self.weights]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Request:
    """Overlapping genes on a small genome with a run of N; bundles of a tiny DNABERT-2."""
    folder = tmp_path_factory.mktemp("inputs")
    rng = random.Random(8)
    genome = random_genome(rng, {"chr1": 5000, "chr2": 2000}, n_fraction=0.05)
    transcripts = random_transcripts(rng, genome, 10)
    write_fasta(folder / "genome.fa", genome)
    write_gtf(folder / "genes.gtf", transcripts)
    write_dnabert2(folder / "weights", scale=0.3)
    window = {"kind": "context", "upstream": UPSTREAM}
    bundles = {}
    for chunks in (GRID, CUT):
        bundles[chunks.policy] = folder / f"{chunks.policy}-bundle"
        random_bundle(
            bundles[chunks.policy],
            "dnabert2",
            folder / "weights",
            WEIGHTS,
            chunks=chunks,
            window=window,
        )
    return Request(folder, genome, transcripts, folder / "weights", bundles)


def run(*arguments: Argument) -> Done:
    """A histpred that must work, in this process."""
    done = histpred(*arguments)
    assert done.code == 0, done.err
    return done


def result(out: Path) -> dict:
    return json.loads((out / "run.json").read_text())["result"]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module")
def unbroken(inputs, tmp_path_factory) -> dict[str, Path]:
    """A finished prediction without --store, by policy."""
    folder = tmp_path_factory.mktemp("unbroken")
    for policy in inputs.bundles:
        run("predict", *inputs.arguments(policy), "-o", folder / policy)
    return {policy: folder / policy for policy in inputs.bundles}


@pytest.fixture(scope="module")
def filled(inputs, tmp_path_factory) -> Path:
    """A store that `embed` filled for the grid; copy it before adding to it."""
    store = tmp_path_factory.mktemp("filled") / "store"
    run("embed", *inputs.arguments(), "--store", store)
    return store


def window_of(transcript: Transcript, genome: dict[str, str]) -> tuple[str, int, int, str]:
    start, end = transcript.start, transcript.end
    if transcript.strand == "+":
        start = max(start - UPSTREAM, 0)
    else:
        end = min(end + UPSTREAM, len(genome[transcript.chrom]))
    return transcript.chrom, start, end, transcript.strand


def pieces_of(inputs: Request, window, chunks: ChunkPolicy) -> list[tuple[str, float]]:
    """A window's pieces and the share of their bases inside it, found letter by letter."""
    chrom, start, end, strand = window
    letters = inputs.genome[chrom]

    def turned(text: str) -> str:
        return text if strand == "+" else reverse_complement(text)

    def known(text: str) -> int:
        return len(text) - text.count("N")

    size = chunks.length
    if chunks.policy == "window":
        own = turned(letters[start:end])
        found = [(own[i : i + size], 1.0) for i in range(0, len(own), size)]
    else:
        found = []
        for left in range(start // size * size, end, size):
            whole = letters[left : left + size]
            inside = known(letters[max(left, start) : min(left + size, end)])
            found.append((turned(whole), inside / max(known(whole), 1)))
    return [(piece, share) for piece, share in found if known(piece) and share]


def distinct(inputs: Request, chunks: ChunkPolicy) -> set[str]:
    """The different pieces of all windows together."""
    windows = [window_of(transcript, inputs.genome) for transcript in inputs.transcripts]
    return {piece for window in windows for piece, _ in pieces_of(inputs, window, chunks)}


def stored(folder: Path) -> set[bytes]:
    """The pieces in the shards below a folder."""
    keys = [parquet.read_table(path)["piece"].to_pylist() for path in folder.rglob("*.parquet")]
    return {key for some in keys for key in some}


# predict


@pytest.mark.parametrize("chunks", [GRID, CUT], ids=str)
def test_a_prediction_embeds_each_piece_once_and_leaves_no_embeddings(chunks, inputs, unbroken):
    out = unbroken[chunks.policy]
    assert names(out) == FILES
    assert result(out)["embedded"] == len(distinct(inputs, chunks)) > 100
    record = json.loads((out / "run.json").read_text())["encoder"]
    assert record["device"] == "cpu"
    assert record["precision"] == "fp32"
    assert record["chunks"] == str(chunks)
    assert set(record["files"]) == set(WEIGHTS)
    rows = read_scores(out / "scores.tsv.gz").rows
    assert len(rows) == len(inputs.transcripts)
    assert len({row["H3K27ac"] for row in rows}) > len(rows) / 2


@pytest.mark.parametrize("policy", ["grid", "window"])
def test_a_second_prediction_from_a_store_embeds_nothing(policy, inputs, unbroken, tmp_path):
    store = tmp_path / "store"
    for name in ("first", "second"):
        run("predict", *inputs.arguments(policy), "-o", tmp_path / name, "--store", store)
        assert tables(tmp_path / name) == tables(unbroken[policy])
        assert names(tmp_path / name) == FILES
    first, second = result(tmp_path / "first"), result(tmp_path / "second")
    assert first["embedded"] == result(unbroken[policy])["embedded"]
    assert second["embedded"] == 0
    assert second["reused"] >= first["embedded"]


def test_the_same_prediction_again_has_nothing_to_do(inputs, unbroken, tmp_path):
    out = Path(shutil.copytree(unbroken["grid"], tmp_path / "out"))
    (out / RESUME).mkdir()  # of a run that was killed at its very end
    done = run("predict", *inputs.arguments(), "-o", out)
    assert "nothing to do" in done.err
    assert names(out) == FILES


# Killed


# Imports what takes seconds once, and becomes each of the jobs of a line by a fork.
FORKS = """
import json, os, signal, sys
import pyarrow.parquet, tokenizers, torch
from histpred.cli import main
from histpred.encoders import dnabert2, store

def become(number, shards, arguments):
    add = store.Store.add
    def add_and_die(self, keys, embedded):
        nonlocal shards
        add(self, keys, embedded)
        shards -= 1
        if not shards:
            os.kill(os.getpid(), getattr(signal, number))
    store.Store.add = add_and_die
    os._exit(main(arguments))

for line in sys.stdin:
    children = []
    for job in json.loads(line):
        child = os.fork()
        if not child:
            become(*job)
        children.append(child)
    ends = [os.waitpid(child, 0)[1] for child in children]
    print(json.dumps([os.waitstatus_to_exitcode(end) for end in ends]), flush=True)
"""
NEVER = -1
Job = tuple[str, int, list[str]]


class Forks(NamedTuple):
    """Starts processes of histpred that get a signal when they have written so many shards."""

    server: subprocess.Popen[str]

    def together(self, jobs: list[Job]) -> list[int]:
        """The exit codes of jobs that run at once."""
        self.server.stdin.write(json.dumps(jobs) + "\n")
        self.server.stdin.flush()
        return json.loads(self.server.stdout.readline())

    def killed(self, number: str, shards: int, *arguments: Argument) -> int:
        """The exit code of one job."""
        (code,) = self.together([(number, shards, [str(argument) for argument in arguments])])
        return code


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """As real processes as those of the command line, without the seconds of importing torch."""
    with subprocess.Popen(
        [sys.executable, "-c", FORKS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=environment(),
    ) as server:
        yield Forks(server)
        server.stdin.close()
        assert server.wait(30) == 0


@pytest.mark.parametrize(
    ("number", "shards", "policy"),
    [
        ("SIGKILL", 1, "grid"),
        ("SIGKILL", 2, "window"),
        ("SIGKILL", 3, "grid"),
        ("SIGTERM", 2, "grid"),
    ],
)
def test_a_killed_prediction_goes_on_where_it_was(
    number, shards, policy, inputs, unbroken, forks, tmp_path
):
    out = tmp_path / "out"
    arguments = ("predict", *inputs.arguments(policy), "-o", out)
    code = forks.killed(number, shards, *arguments)
    assert code == (-signal.SIGKILL if number == "SIGKILL" else 130)
    assert not names(out) & FILES
    kept = stored(out / RESUME)
    whole = result(unbroken[policy])["embedded"]
    assert 0 < len(kept) < whole

    run(*arguments)
    assert result(out)["embedded"] == whole - len(kept)
    assert result(out)["reused"] >= len(kept)
    assert tables(out) == tables(unbroken[policy])
    assert names(out) == FILES


class Full:
    """A disk that is full when a number of shards is written."""

    def __init__(self, shards: int) -> None:
        self.left = shards
        self.write_bytes = Path.write_bytes

    def __call__(self, path: Path, content: bytes) -> int:
        if ".parquet." in path.name:
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
        return self.write_bytes(path, content)


def run_full(monkeypatch: pytest.MonkeyPatch, shards: int, *arguments: Argument) -> Done:
    """Run histpred on a disk with room for so many shards."""
    full = Full(shards)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", lambda path, content: full(path, content))
        return histpred(*arguments)


def test_stopped_again_and_again_it_gets_there(inputs, unbroken, forks, tmp_path, monkeypatch):
    out = tmp_path / "out"
    arguments = ("predict", *inputs.arguments(), "-o", out)
    assert run_full(monkeypatch, 1, *arguments).code == 75
    sizes = [len(stored(out / RESUME))]
    for number in ("SIGKILL", "SIGTERM"):
        forks.killed(number, 1, *arguments)
        sizes.append(len(stored(out / RESUME)))
    assert 0 < sizes[0] < sizes[1] < sizes[2]
    run(*arguments)
    assert tables(out) == tables(unbroken["grid"])
    assert result(out)["embedded"] == result(unbroken["grid"])["embedded"] - sizes[2]
    assert names(out) == FILES


def test_what_was_left_is_of_no_use_to_another_bundle(inputs, unbroken, tmp_path, monkeypatch):
    """The same encoder, but other pieces; in the end nothing of either is left."""
    out = tmp_path / "out"
    run_full(monkeypatch, 1, "predict", *inputs.arguments("window"), "-o", out)
    assert stored(out / RESUME)
    run("predict", *inputs.arguments("grid"), "-o", out)
    assert tables(out) == tables(unbroken["grid"])
    assert names(out) == FILES


def test_a_killed_embed_goes_on_where_it_was(inputs, filled, forks, tmp_path):
    store = tmp_path / "store"
    arguments = ("embed", *inputs.arguments(), "--store", store)
    assert forks.killed("SIGKILL", 2, *arguments) == -signal.SIGKILL
    kept = stored(store)
    assert 0 < len(kept) < len(stored(filled))
    (left,) = store.glob(".histpred-work-*")
    an_hour_ago = time.time() - 3600
    os.utime(left, (an_hour_ago, an_hour_ago))
    done = run(*arguments)
    assert f" {len(stored(filled)) - len(kept)} chunks embedded" in done.err
    assert stored(store) == stored(filled)
    assert len(names(store)) == 1  # the encoder's folder


def test_the_work_of_another_run_is_left_alone(inputs, filled, tmp_path):
    store = Path(shutil.copytree(filled, tmp_path / "store"))
    an_hour_ago = time.time() - 3600
    with ExitStack() as stack:
        running = stack.enter_context(scratch_folder(store))
        (running / "ledger.sqlite").touch()
        os.utime(running, (an_hour_ago, an_hour_ago))
        run("embed", *inputs.arguments(), "--store", store)
        assert names(running) == {".lock", "ledger.sqlite"}
    assert len(names(store)) == 1


@pytest.mark.parametrize("room", [0, 2])
def test_a_full_disk_is_code_75_and_the_next_run_goes_on(
    room, inputs, unbroken, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    arguments = ("predict", *inputs.arguments(), "-o", out)
    done = run_full(monkeypatch, room, *arguments)
    assert done.code == 75, done.err
    assert said_well(done.err), done.err
    assert "the disk is full" in done.err
    if room:
        assert names(out) == {RESUME}
    else:
        assert not out.exists()
    kept = stored(out)
    assert bool(kept) is bool(room)

    run(*arguments)
    whole = result(unbroken["grid"])["embedded"]
    assert result(out)["embedded"] == whole - len(kept)
    assert tables(out) == tables(unbroken["grid"])
    assert names(out) == FILES


def test_a_damaged_shard_is_named_and_its_removal_helps(inputs, filled, unbroken, tmp_path):
    store = Path(shutil.copytree(filled, tmp_path / "store"))
    path = sorted(store.rglob("*.parquet"))[1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    out = tmp_path / "out"
    arguments = ("predict", *inputs.arguments(), "-o", out, "--store", store)
    done = histpred(*arguments)
    assert done.code == 1
    assert f"{path}: a damaged shard" in done.err
    assert said_well(done.err), done.err
    assert not out.exists()

    path.unlink()
    run(*arguments)
    assert tables(out) == tables(unbroken["grid"])
    assert 0 < result(out)["embedded"] < result(unbroken["grid"])["embedded"]


# embed


def test_embed_fills_a_store_for_predict(inputs, filled, unbroken, tmp_path):
    before = tree(filled)
    out = tmp_path / "out"
    run("predict", *inputs.arguments(), "-o", out, "--store", filled)
    assert result(out)["embedded"] == 0
    assert tables(out) == tables(unbroken["grid"])
    assert tree(filled) == before
    assert len(stored(filled)) == len(distinct(inputs, GRID))


def test_embed_says_what_it_did(inputs, filled, tmp_path):
    store = Path(shutil.copytree(filled, tmp_path / "store"))
    done = run("embed", *inputs.arguments(), "--store", store)
    rows = len(inputs.transcripts)
    assert f"{rows} windows of {rows} rows on cpu in fp32; 0 chunks embedded" in done.err
    assert tree(store).keys() == tree(filled).keys()


def test_two_embeds_on_one_store_at_once(inputs, filled, unbroken, forks, tmp_path):
    store = tmp_path / "store"
    arguments = ["embed", *map(str, inputs.arguments()), "--store", str(store)]
    assert forks.together([("SIGKILL", NEVER, arguments)] * 2) == [0, 0]
    assert stored(store) == stored(filled)
    assert tree(store).keys() == tree(filled).keys()  # the same calls: the same shards
    out = tmp_path / "out"
    run("predict", *inputs.arguments(), "-o", out, "--store", store)
    assert result(out)["embedded"] == 0
    assert tables(out) == tables(unbroken["grid"])


class TinySpec(NamedTuple):
    """What `build` asks for."""

    kind: str = "dnabert2"
    settings: dict = {}  # noqa: RUF012 - never changed
    dimension: None = None


def by_hand(inputs: Request, window, chunks: ChunkPolicy, encoder) -> np.ndarray:
    found = pieces_of(inputs, window, chunks)
    # One at a time: nothing can be mixed up.
    embedded = [encoder.embed([piece.encode()]) for piece, _ in found]
    weights = np.array(
        [
            share * one.tokens[0] if chunks.policy == "grid" else 1.0
            for one, (_, share) in zip(embedded, found, strict=True)
        ]
    )
    return np.average([one.vectors[0] for one in embedded], axis=0, weights=weights)


@pytest.mark.parametrize("chunks", [GRID, CUT], ids=str)
def test_the_table_has_the_windows_with_their_vectors(chunks, inputs, unbroken, tmp_path):
    out = tmp_path / "table.parquet"
    arguments = inputs.arguments(chunks.policy)
    run("embed", *arguments, "--store", tmp_path / "store", "-o", out)
    assert names(tmp_path) == {"store", "table.parquet", "table.parquet.ledger.tsv"}
    ledger = (tmp_path / "table.parquet.ledger.tsv").read_bytes()
    assert ledger == (unbroken[chunks.policy] / "ledger.tsv").read_bytes()

    table = parquet.read_table(out)
    columns = ["chrom", "start", "end", "name", "strand", "gene_id", "biotype"]
    columns += ["n_fraction", "known_fraction"]
    assert table.column_names == [*columns, "vector"]
    rows = table.to_pylist()
    scored = read_scores(unbroken[chunks.policy] / "scores.tsv.gz").rows
    assert len(rows) == len(scored) == len(inputs.transcripts)
    encoder = build(TinySpec(), inputs.weights)
    by_gene = {transcript.gene_id: transcript for transcript in inputs.transcripts}
    for row, score in zip(rows, scored, strict=True):
        assert [str(row[name]) for name in columns[:7]] == [score[name] for name in columns[:7]]
        window = window_of(by_gene[row["gene_id"]], inputs.genome)
        assert (row["chrom"], row["start"], row["end"], row["strand"]) == window
        bases = inputs.genome[window[0]][window[1] : window[2]]
        assert row["n_fraction"] == pytest.approx(bases.count("N") / len(bases))
        expected = by_hand(inputs, window, chunks, encoder)
        np.testing.assert_allclose(row["vector"], expected, atol=1e-5)
    vectors = np.array([row["vector"] for row in rows])
    assert np.ptp(vectors, axis=0).min() > 1e-4


def test_spliced_windows_are_cut_along_the_rna(inputs, tmp_path):
    out = tmp_path / "table.parquet"
    options = ["--window", "spliced", "--store", tmp_path / "store", "-o", out]
    run("embed", *inputs.arguments("window"), *options)
    encoder = build(TinySpec(), inputs.weights)
    by_gene = {transcript.gene_id: transcript for transcript in inputs.transcripts}
    rows = parquet.read_table(out).to_pylist()
    assert len(rows) == len(inputs.transcripts)
    assert any(len(transcript.exons) > 2 for transcript in inputs.transcripts)
    for row in rows:
        rna = by_gene[row["gene_id"]].spliced(inputs.genome)
        cut = [rna[i : i + CUT.length] for i in range(0, len(rna), CUT.length)]
        known = [piece.encode() for piece in cut if set(piece) != {"N"}]
        expected = encoder.embed(known).vectors.mean(axis=0)
        np.testing.assert_allclose(row["vector"], expected, atol=1e-5)


def test_the_table_is_the_same_from_a_filled_store(inputs, filled, tmp_path):
    arguments = inputs.arguments()
    run("embed", *arguments, "--store", filled, "-o", tmp_path / "a.parquet")
    run("embed", *arguments, "--store", tmp_path / "store", "-o", tmp_path / "b.parquet")
    a, b = (tmp_path / f"{name}.parquet" for name in "ab")
    assert a.read_bytes() == b.read_bytes()


def test_a_table_is_replaced_only_when_told_to(inputs, filled, tmp_path):
    out = tmp_path / "table.parquet"
    out.write_text("mine")
    arguments = ("embed", *inputs.arguments(), "--store", filled, "-o", out)
    done = histpred(*arguments)
    assert done.code == 1
    assert "exists" in done.err
    assert out.read_text() == "mine"
    assert names(tmp_path) == {"table.parquet"}
    run(*arguments, "--overwrite")
    before = tree(tmp_path)
    done = histpred(*arguments)
    assert (done.code, tree(tmp_path)) == (0, before)
    assert "nothing to do" in done.err
    assert parquet.read_table(out).num_rows == len(inputs.transcripts)


def test_other_chunks_than_the_bundles_may_be_asked_for(inputs, tmp_path):
    store = tmp_path / "store"
    run("embed", *inputs.arguments("window"), "--store", store, "--chunks", str(GRID))
    assert len(stored(store)) == len(distinct(inputs, GRID))


def test_an_encoder_of_a_known_kind_needs_no_bundle(inputs, unbroken, tmp_path):
    """With --weights, --chunks and --window; what it stores is the bundle's, too."""
    files = [inputs.folder / "genes.gtf", inputs.folder / "genome.fa"]
    store = tmp_path / "store"
    options = ["--encoder", "dnabert2", "--weights", inputs.weights, "--chunks", str(GRID)]
    run("embed", *files, *options, "--window", "context", "--store", store)
    out = tmp_path / "out"
    run("predict", *inputs.arguments(), "-o", out, "--store", store)
    assert result(out)["embedded"] == 0  # 30 kb upstream: all that the bundle's 300 bp need
    assert tables(out) == tables(unbroken["grid"])


# Whose embeddings a store has


def test_a_store_in_fp32_is_not_used_for_int8(inputs, filled, unbroken, tmp_path):
    store = Path(shutil.copytree(filled, tmp_path / "store"))
    out = tmp_path / "out"
    arguments = (*inputs.arguments(), "-o", out, "--store", store)
    run("predict", *arguments, "--precision", "int8")
    assert result(out)["embedded"] == result(unbroken["grid"])["embedded"]
    assert json.loads((out / "run.json").read_text())["encoder"]["precision"] == "int8"
    assert len(names(store)) == 2
    scores = [read_scores(folder / "scores.tsv.gz").rows for folder in (out, unbroken["grid"])]
    assert scores[0] != scores[1]


def test_other_weights_are_refused_with_both_digests(inputs, filled, tmp_path):
    weights = tmp_path / "weights"
    write_dnabert2(weights, seed=1, scale=0.3)
    digests = [
        hashlib.sha256((folder / WEIGHTS[0]).read_bytes()).hexdigest()
        for folder in (weights, inputs.weights)
    ]
    assert digests[0] != digests[1]
    arguments = (*inputs.arguments()[:-1], weights)
    before = tree(filled)
    for verb, options in (("predict", ["-o", tmp_path / "out"]), ("embed", [])):
        done = histpred(verb, *arguments, *options, "--store", filled)
        assert done.code == 1
        assert all(digest in done.err for digest in digests)
        assert said_well(done.err), done.err
    assert tree(filled) == before
    assert not (tmp_path / "out").exists()


def test_missing_weights_are_said(inputs, tmp_path):
    done = histpred("predict", *inputs.arguments()[:-2], "-o", tmp_path / "out")
    assert done.code == 1
    assert "the bundle needs this weights file" in done.err
    assert "--weights" in done.err
    assert said_well(done.err), done.err
    assert not (tmp_path / "out").exists()


# What cannot be


@pytest.fixture
def refused(inputs, tmp_path) -> Callable[..., None]:
    """Run an embed that must fail with a code and words, and leave nothing behind."""
    files = [inputs.folder / "genes.gtf", inputs.folder / "genome.fa"]

    def check(code: int, words: list[str], *options: Argument) -> None:
        done = histpred("embed", *files, "--store", tmp_path / "store", *options)
        assert done.code == code, done.err
        assert all(word in done.err for word in words), done.err
        assert said_well(done.err), done.err
        assert not list(tmp_path.rglob("*.parquet"))
        assert not list(tmp_path.rglob(".histpred*"))

    return check


def test_embed_needs_an_encoder_and_only_one(inputs, refused):
    refused(2, ["--bundle or --encoder"])
    refused(2, ["--bundle or --encoder"], "--bundle", inputs.bundles["grid"], "--encoder", "rnafm")


def test_an_unknown_encoder_lists_those_there_are(refused):
    refused(2, ["'dnabert3'", *(encoder.name for encoder in PUBLISHED)], "--encoder", "dnabert3")


@pytest.mark.parametrize("text", ["500", "grid:0", "bins:500", "grid:1.5"])
def test_bad_chunks_are_refused(text, inputs, refused):
    options = (*inputs.arguments()[2:], "--chunks", text)
    refused(2, [repr(text), "grid:2000"], *options)


def test_spliced_windows_on_a_grid_are_refused(inputs, refused):
    words = ["do not lie on a grid"]
    refused(2, words, *inputs.arguments()[2:], "--window", "spliced")
    options = (*inputs.arguments("window")[2:], "--chunks", "grid:60")
    refused(2, words, *options, "--window", "spliced")


def test_predict_refuses_spliced_windows_on_a_grid(inputs, tmp_path):
    out = tmp_path / "out"
    done = histpred("predict", *inputs.arguments(), "-o", out, "--window", "spliced")
    assert done.code == 2
    assert "do not lie on a grid" in done.err
    assert said_well(done.err), done.err
    assert not out.exists()


def test_a_table_of_another_suffix_is_refused(inputs, refused, tmp_path):
    refused(2, ["OUT.parquet"], *inputs.arguments()[2:], "-o", tmp_path / "table.tsv")


def test_a_table_that_would_replace_an_input_is_refused(inputs, refused, tmp_path):
    shutil.copy(inputs.folder / "genes.gtf", tmp_path / "genes.parquet")
    done = histpred(
        "embed",
        tmp_path / "genes.parquet",
        *inputs.arguments()[1:],
        "--store",
        tmp_path / "store",
        "-o",
        tmp_path / "genes.parquet",
        "--overwrite",
    )
    assert done.code == 1
    assert "is an input too" in done.err


def test_rows_that_are_all_skipped_are_an_error(inputs, tmp_path):
    (tmp_path / "genome.fa").write_text(">chr1\n" + "N" * 5000 + "\n>chr2\n" + "N" * 2000 + "\n")
    arguments = [inputs.arguments()[0], tmp_path / "genome.fa", *inputs.arguments()[2:]]
    store = tmp_path / "store"
    done = histpred("embed", *arguments, "--store", store, "-o", tmp_path / "out.parquet")
    assert done.code == 1
    assert "can be embedded" in done.err
    assert said_well(done.err), done.err
    assert names(tmp_path) == {"genome.fa", "store"}
    assert not stored(store)


@pytest.mark.parametrize("verb", ["predict", "embed"])
def test_a_missing_package_says_what_to_install(verb, inputs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("histpred.encoders.")]:
        if name.rpartition(".")[2] in ("dnabert2", "batching", "devices", "quantised", "weights"):
            monkeypatch.delitem(sys.modules, name)
    options = ["-o", tmp_path / "out"] if verb == "predict" else ["--store", tmp_path / "store"]
    done = histpred(verb, *inputs.arguments(), *options)
    assert done.code == 1
    assert "the encoder 'dnabert2' needs the package torch, which is not installed" in done.err
    assert how_to_install("encoders") in done.err
    assert said_well(done.err), done.err
    assert not list(tmp_path.iterdir())


def test_without_pyarrow_a_store_says_what_to_install(inputs, tmp_path, monkeypatch):
    """The default bundle needs no package of the extra, but --store does."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    out, files = tmp_path / "out", inputs.arguments()[:2]
    done = histpred("predict", *files, "-o", out, "--store", tmp_path / "store")
    assert done.code == 1
    assert "needs the package pyarrow" in done.err
    assert said_well(done.err), done.err
    assert not list(tmp_path.iterdir())
    run("predict", *files, "-o", out)


def test_the_default_bundle_can_fill_a_store(inputs, tmp_path):
    files, store = inputs.arguments()[:2], tmp_path / "store"
    run("predict", *files, "-o", tmp_path / "plain")
    for name in ("first", "second"):
        run("predict", *files, "-o", tmp_path / name, "--store", store)
        assert tables(tmp_path / name) == tables(tmp_path / "plain")
    assert result(tmp_path / "first")["embedded"] > 0
    assert result(tmp_path / "second")["embedded"] == 0


def test_strict_counts_for_embed_too(inputs, filled, tmp_path):
    gtf = tmp_path / "genes.gtf"
    line = 'chr9\trandom\tgene\t1\t50\t.\t+\t.\tgene_id "far"; gene_biotype "lncRNA";\n'
    gtf.write_text((inputs.folder / "genes.gtf").read_text() + line)
    store = Path(shutil.copytree(filled, tmp_path / "store"))
    arguments = [gtf, *inputs.arguments()[1:], "--store", store]
    done = histpred("embed", *arguments, "--strict")
    assert done.code == 3, done.err
    assert "--strict: 1 row was skipped" in done.err


def test_embed_is_quiet_when_told_to(inputs, filled):
    done = run("embed", *inputs.arguments(), "--store", filled, "--device", "cpu", "-q")
    assert done == Done(0, "", "")


# verify


def test_the_bundle_gives_its_known_answer(inputs, tmp_path):
    """Its weights lie in the bundle's folder here: `bundle verify` has no --weights."""
    bundle = Path(shutil.copytree(inputs.bundles["grid"], tmp_path / "bundle"))
    for name in WEIGHTS:
        shutil.copy(inputs.weights / name, bundle)
    done = run("bundle", "verify", bundle)
    assert "known answer within" in done.out
