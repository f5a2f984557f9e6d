"""Measures the speeds in docs/encoders.md, in one run on one machine.

    HISTPRED_EXTRAS=encoders bin/test --version    # makes the environment
    .venv/bin/python benchmarks/encoders.py --fasta chr22.fa.gz --annotation chr22.gtf.gz \\
        --tokenizer tokenizer.json [--device cuda] [SECTION ...]

FASTA, GTF and tokenizer are real (hg19 chr22 with its RefSeq genes, DNABERT-2's published
tokenizer). The weights are random numbers in the true architecture, since speed does not depend on
their values. Competitors take turns. The limit is arithmetic: the FLOPs of the matrix products,
divided by the FLOP/s of one large product of the same precision on the same device in the same run.
"""

from __future__ import annotations

import argparse
import functools
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from clocks import clock, cpu_clock
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from histpred.core.cores import usable_cores  # noqa: E402
from histpred.encoders import Embedded  # noqa: E402
from histpred.encoders.batching import Forward, TorchEncoder  # noqa: E402
from histpred.encoders.chunks import ChunkPolicy, chunks_of  # noqa: E402
from histpred.encoders.devices import DTYPES, precisions_of  # noqa: E402
from histpred.encoders.dnabert2 import Dnabert2Encoder, load_model  # noqa: E402
from histpred.encoders.embedder import Embedder  # noqa: E402
from histpred.genome.plan import open_windows, scorable  # noqa: E402
from histpred.genome.reference import Reference  # noqa: E402
from histpred.genome.request import Request  # noqa: E402
from histpred.genome.windows import Row, usual  # noqa: E402
from support.dnabert2 import PUBLISHED, write_dnabert2  # noqa: E402

BATCH = 32  # of the straightforward way
ROUNDS = 3


def main() -> None:
    """Run the named sections, or all of them."""
    known = {
        "straightforward": straightforward,
        "ladder": ladder,
        "grid": grid,
        "tokeniser": tokeniser,
        "profile": profile,
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fasta", required=True)
    parser.add_argument("--annotation", required=True)
    parser.add_argument("--tokenizer", required=True, type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--count", type=int, help="chunks of 2 kb; default 64, on a GPU 8192")
    parser.add_argument("sections", nargs="*", help=", ".join(known))
    options = parser.parse_args()
    options.count = options.count or (64 if options.device == "cpu" else 8192)

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_dnabert2(folder, PUBLISHED, scale=0.02)
        (folder / "tokenizer.json").write_bytes(options.tokenizer.read_bytes())
        for name in options.sections or known:
            print(f"\n### {name}\n", flush=True)
            known[name](options, folder)


# (a) against what a user would write


def straightforward(options: argparse.Namespace, folder: Path) -> None:
    """Embed real chunks of 2 kb in padded batches of fp32, and with histpred in each precision."""
    chunks = real_chunks(options, options.count)
    bases = sum(map(len, chunks))
    model = load_model(folder).to(options.device)
    forward = functools.partial(published_equations, model)
    plain = Straightforward(Dnabert2Encoder({}, folder, "cpu", "fp32"), forward, options.device)
    tokens = sum(len(tokens.ids) for tokens in plain.encoder.tokenise(chunks))
    ways: dict[str, Callable[[], np.ndarray]] = {"straightforward fp32": lambda: plain(chunks)}
    for precision in precisions_of(torch.device(options.device)):
        encoder = Dnabert2Encoder({}, folder, options.device, precision)
        ways[f"histpred {precision}"] = lambda e=encoder: e.embed(chunks).vectors
    times, results = take_turns(ways, options.device)

    reference = results["histpred fp32"]
    base = times["straightforward fp32"]
    rows = []
    for name, seconds in times.items():
        precision = name.split()[-1]
        work = flops(model, tokens / len(chunks)) * tokens
        reached = work / seconds / peak(options.device, precision)
        rows.append(
            [
                name,
                f"{bases / seconds / 1e3:,.1f}",
                f"{tokens / seconds:,.0f}",
                f"{base / seconds:.2f}",
                f"{reached:.0%}",
                f"{drift(results[name], reference):.1e}",
            ]
        )
    print(f"{len(chunks)} chunks, {bases:,} bp, {tokens:,} tokens, {options.device}\n")
    header = ["way", "kbp/s", "tokens/s", "times as fast", "of the arithmetic limit", "drift"]
    table(header, rows)


def take_turns(
    ways: dict[str, Callable[[], np.ndarray]], device: str
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """The median seconds of each way, and its vectors; on a CPU, see `full_clock`."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    results: dict[str, np.ndarray] = {}
    if device != "cpu":  # the first call allocates and chooses kernels
        for way in ways.values():
            way()
    for _ in range(ROUNDS):
        for name, way in ways.items():

            def keep(name: str = name, way: Callable[[], np.ndarray] = way) -> None:
                results[name] = way()  # the vectors are on the host

            times[name].append(full_clock(keep, device))
    return {name: statistics.median(seconds) for name, seconds in times.items()}, results


class Straightforward:
    """A network as its model card suggests, in fp32 or under autocast.

    Batches are padded in the order of the chunks, attention is written out, hidden states are
    copied to the host, and numpy takes the mean over the tokens that count. `encoder` only
    tokenises.
    """

    def __init__(
        self,
        encoder: TorchEncoder,
        forward: Forward,
        device: str,
        precision: str = "fp32",
        pad: int = 3,
    ) -> None:
        self.encoder, self.forward, self.device, self.pad = encoder, forward, device, pad
        self.precision = precision

    def __call__(self, sequences: Sequence[bytes]) -> np.ndarray:
        kind = torch.device(self.device).type
        half = torch.autocast(kind, DTYPES[self.precision], enabled=self.precision != "fp32")
        means = []
        for start in range(0, len(sequences), BATCH):
            chunks = self.encoder.tokenise(sequences[start : start + BATCH])
            longest = max(len(chunk.ids) for chunk in chunks)
            ids = torch.full((len(chunks), longest), self.pad)
            mask = torch.zeros((len(chunks), longest), dtype=torch.bool)
            for row, chunk in enumerate(chunks):
                ids[row, : len(chunk.ids)] = torch.from_numpy(chunk.ids)
                mask[row, : len(chunk.ids)] = True
            with torch.no_grad(), half:
                hidden = self.forward(ids.to(self.device), mask.to(self.device))
            states = hidden.float().cpu().numpy()
            for row, chunk in enumerate(chunks):
                means.append(states[row, : len(chunk.ids)][chunk.counted].mean(axis=0))
        return np.array(means)


def published_equations(model: nn.Module, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """DNABERT-2's equations, one after the other."""
    batch, length = ids.shape
    x = model.embeddings(ids)
    slopes = torch.tensor(model._slopes, device=ids.device)
    positions = torch.arange(length, device=ids.device)
    bias = -slopes[:, None, None] * (positions[:, None] - positions[None, :]).abs()
    bias = bias[None] + (~mask)[:, None, None, :] * -10000.0
    for layer in model.encoder.layer:
        heads = layer.attention.self.heads
        qkv = layer.attention.self.Wqkv(x).view(batch, length, 3, heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + bias
        mixed = torch.softmax(scores, dim=-1) @ value
        mixed = mixed.permute(0, 2, 1, 3).reshape(batch, length, -1)
        x = layer.attention.output(mixed, x)
        gated, plain = layer.mlp.gated_layers(x).chunk(2, dim=-1)
        x = layer.mlp.layernorm(layer.mlp.wo(torch.nn.functional.gelu(gated) * plain) + x)
    return x


# (b) the grid against chunks cut window by window


def grid(options: argparse.Namespace, folder: Path) -> None:
    """Count the bases of context windows that the encoder embeds under both policies."""
    rows: list[list[object]] = []
    for policy in ("window", "grid"):
        for level in ("gene", "transcript"):
            counting = Counting()
            embedder = Embedder(counting, ChunkPolicy(policy, 2000), None)
            started = time.perf_counter()
            windows, total, union = 0, 0, Union()
            with opened(options, level) as (found, reference):
                for batch in embedder.embed(found, reference):
                    for window in (row.window for row in batch.rows):
                        windows += 1
                        total += window.end - window.start
                        union.add(window.chrom, window.strand, window.start, window.end)
            rows.append(
                [
                    policy,
                    level,
                    f"{windows:,}",
                    f"{total / 1e6:.1f}",
                    f"{union.bases() / 1e6:.1f}",
                    f"{counting.bases / 1e6:.1f}",
                    f"{counting.chunks:,}",
                    f"{time.perf_counter() - started:.1f}",
                ]
            )
    header = ["chunks", "windows of each", "windows", "sum, Mbp", "union, Mbp"]
    table([*header, "embedded, Mbp", "embedded chunks", "s without the encoder"], rows)


class Counting:
    """An encoder that counts chunks and bases."""

    dimension, longest, chunks_at_once, device, precision = 8, None, 512, "cpu", "fp32"
    files: tuple[Path, ...] = ()

    def __init__(self) -> None:
        self.chunks = self.bases = 0

    def embed(self, chunks: Sequence[bytes]) -> Embedded:
        """Zeros."""
        self.chunks += len(chunks)
        self.bases += sum(map(len, chunks))
        return Embedded(np.zeros((len(chunks), 8), np.float32), np.ones(len(chunks), int))


class Union:
    """Bases covered on each strand."""

    def __init__(self) -> None:
        self.intervals: dict[tuple[str, str], list[tuple[int, int]]] = {}

    def add(self, chrom: str, strand: str, start: int, end: int) -> None:
        """Add an interval."""
        self.intervals.setdefault((chrom, strand), []).append((start, end))

    def bases(self) -> int:
        """The number of covered bases."""
        total = 0
        for intervals in self.intervals.values():
            reached = -1
            for start, end in sorted(intervals):
                total += max(end - max(start, reached), 0)
                reached = max(reached, end)
        return total


# (c) the tokeniser


def tokeniser(options: argparse.Namespace, folder: Path) -> None:
    """Measure the tokenizer as the encoder calls it, in Mbp/s, by length of the chunks."""
    encoder = Dnabert2Encoder({}, folder, "cpu", "fp32")
    rows = []
    for length in (500, 2000, 10_000, 100_000):
        sequences = real_chunks(options, max(4_000_000 // length, 8), length)
        bases = sum(map(len, sequences))
        runs = [clock(encoder.tokenise, sequences) for _ in range(ROUNDS)]
        tokens = sum(len(tokens.ids) for tokens in encoder.tokenise(sequences))
        seconds = statistics.median(runs)
        rows.append([f"{length:,}", f"{bases / seconds / 1e6:.2f}", f"{bases / tokens:.2f}"])
    cores = len(os.sched_getaffinity(0))
    table(["chunk, bp", f"Mbp/s on {cores} cores", "bp a token"], rows)


# (d) the CPU


def ladder(options: argparse.Namespace, folder: Path) -> None:
    """Embed the same chunks by precision, threads and batch size."""
    if options.device != "cpu":
        print("only with --device cpu")
        return
    chunks = real_chunks(options, 24)
    bases = sum(map(len, chunks))
    cores = len(os.sched_getaffinity(0))
    rows: list[list[object]] = []
    for precision in precisions_of(torch.device("cpu")):
        encoder = Dnabert2Encoder({}, folder, "cpu", precision)
        batcher, tokens = encoder._batcher, encoder.tokenise(chunks)
        batcher.tokens_at_once = 4096
        longest_first = sorted(tokens, key=lambda chunk: -len(chunk.ids))
        ways = {
            "a chunk on each core (histpred's)": lambda b=batcher, t=tokens: b.means(t),
            "a chunk on all cores": lambda b=batcher, t=tokens: [b._run([c]) for c in t],
            "4,096 tokens on all cores": lambda b=batcher, t=longest_first: b._in_batches(t),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                torch.set_num_threads(cores)
                times[name].append(clock(way))
        for name, runs in times.items():
            rows.append([precision, name, f"{bases / statistics.median(runs) / 1e3:.1f}"])
    table(["precision", f"how, on {cores} cores", "kbp/s"], rows)


def profile(options: argparse.Namespace, folder: Path) -> None:
    """Show the shares of Python and of each kernel in the time of embedding."""
    precision = precisions_of(torch.device(options.device))[0]
    encoder = Dnabert2Encoder({}, folder, options.device, precision)
    chunks = real_chunks(options, min(options.count, 32 if options.device == "cpu" else 8192))
    encoder.embed(chunks[:8])
    tokenising = clock(encoder.tokenise, chunks)
    tokens = encoder.tokenise(chunks)
    means = clock(encoder._batcher.means, tokens)
    activities = [torch.profiler.ProfilerActivity.CPU]
    if options.device != "cpu":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    torch.set_num_threads(1)  # like the encoder's own threads, which the profiler does not see
    with torch.profiler.profile(activities=activities) as measured, torch.inference_mode():
        if options.device == "cpu":
            for chunk in tokens[:4]:
                encoder._batcher._means([chunk])
        else:
            encoder._batcher.means(tokens)
    key = "self_cpu_time_total" if options.device == "cpu" else "self_device_time_total"
    events = [e for e in measured.key_averages() if getattr(e, key) > 0]
    events.sort(key=lambda event: -getattr(event, key))
    total = sum(getattr(event, key) for event in events)
    print(f"tokenising {tokenising:.2f} s, model and pooling {means:.2f} s ({precision})\n")
    rows = [[event.key, f"{getattr(event, key) / total:.1%}"] for event in events[:10]]
    table(["operation", "share of the model's time"], rows)


# Shared


def flops(model: nn.Module, length: float) -> float:
    """FLOPs of a network's matrix products, for each token of a chunk of `length` tokens."""
    layers = model.encoder
    weights = sum(m.weight.numel() for m in layers.modules() if isinstance(m, nn.Linear))
    width = model.embeddings.word_embeddings.embedding_dim
    return 2 * weights + 4 * len(layers.layer) * width * length


@functools.cache
def peak(device: str, precision: str, size: int = 0) -> float:
    """The FLOP/s of a large matrix product, of `size` rows or as many as suit the device."""
    size = size or (2048 if device == "cpu" else 8192)
    if precision == "int8":
        a = torch.randint(-9, 9, (size, size), dtype=torch.int8)
        multiply = lambda: torch._int_mm(a, a)  # noqa: E731
    else:
        b = torch.rand(size, size, device=device, dtype=DTYPES[precision])
        multiply = lambda: b @ b  # noqa: E731
    best = math.inf
    for _ in range(5):
        best = min(best, full_clock(lambda: [multiply() for _ in range(3)], device) / 3)
    return 2 * size**3 / best


def full_clock(function: Callable[[], object], device: str) -> float:
    """Seconds of a call; on a CPU, CPU seconds / cores: as if no other program used the cores."""
    if device == "cpu":
        return cpu_clock(function) / usable_cores()
    return clock(function, device=device)


def drift(found: np.ndarray, reference: np.ndarray) -> float:
    """The largest relative error of a vector."""
    lengths = np.linalg.norm(reference, axis=1)
    return float((np.linalg.norm(found - reference, axis=1) / lengths).max())


def real_chunks(options: argparse.Namespace, count: int, length: int = 2000) -> list[bytes]:
    """Chunks of the context windows of real genes, spread over the chromosome."""
    found: dict[bytes, None] = {}
    with opened(options, "gene") as (windows, reference):
        for batch in windows:
            for row in batch:
                policy = ChunkPolicy("window", length)
                for chunk in chunks_of(row.window, row.sequence, reference, policy):
                    if chunk.sequence.count(b"N") < length / 10:
                        found[chunk.sequence] = None
    every = list(found)
    step = max(len(every) // count, 1)
    chosen = every[::step][:count]
    return (chosen * (count // len(chosen) + 1))[:count]


@contextmanager
def opened(
    options: argparse.Namespace, level: str
) -> Iterator[tuple[Iterator[list[Row]], Reference]]:
    """Windows of the annotation with 30 kb upstream, and the reference."""
    spec = usual("context")._replace(max_n_fraction=0.9)
    request = Request(str(options.annotation), str(options.fasta), level)
    with (
        tempfile.TemporaryDirectory() as scratch,
        open_windows(request, spec, Path(scratch)) as found,
    ):
        yield scorable(found.ledger, found.reference, spec), found.reference


def table(header: list[str], rows: list[list[object]]) -> None:
    """A Markdown table."""
    for line in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(map(str, line)) + " |", flush=True)


if __name__ == "__main__":
    main()
