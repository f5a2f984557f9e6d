"""The steps of gpu.sh that embed: throughput beside a straightforward way, parity with the CPU."""

from __future__ import annotations

import argparse
import functools
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import encoders
import numpy as np
from clocks import clock
from gpu_report import Plan
from torch import nn

from histpred.encoders import CALLS_AT_ONCE
from histpred.encoders.batching import Forward, TorchEncoder
from histpred.encoders.dnabert2 import Dnabert2Encoder, load_model
from histpred.encoders.rnafm import RnaFmEncoder
from support import dnabert2, rnafm

DATA = encoders.ROOT / "test-data" / "human-chr22-20M"
GENOME, GENES = str(DATA / "genome.fa.gz"), str(DATA / "genes.gtf.gz")

BASES_PER_TOKEN = 5.15  # human DNA, published tokenizer
GOAL_MBP, GOAL_SHARE, GOAL_TIMES = 9.0, 0.57, 10.0
SAMPLE = 64  # chunks that show the bases per token
SCALE = 0.02  # standard deviation of the weights: what such networks start their training from
FASTER = {"cuda": ("fp16", "bf16"), "cpu": ("fp32", "int8")}
COMPARED = {"cuda": ("fp32", "fp16", "bf16"), "cpu": ("fp32", "int8")}
MOST_DRIFT = {"fp32": 1e-4, "fp16": 5e-3, "bf16": 4e-2, "int8": 2e-1}
"""The largest relative error of a vector against fp32 on the CPU. Computed on a CPU, DNABERT-2's
is 5e-4 in fp16 and 4e-3 in bf16."""


def of_size(plan: Plan, module: ModuleType) -> Any:
    """The published sizes of a network, or tiny ones."""
    return module.PUBLISHED if plan.sizes.published else module.TINY


class Network(NamedTuple):
    """An encoder with random weights, and the straightforward way to run it."""

    name: str
    write: Callable[[Plan, Path], object]
    encoder: Callable[[dict[str, object], Path, str, str], TorchEncoder]
    reference: Callable[[Path, str], tuple[TorchEncoder, nn.Module, Forward]]
    pad: int

    def weights(self, plan: Plan) -> Path:
        """The folder of the weights, which is made once for all steps."""
        folder = plan.scratch / self.name
        if not folder.exists():
            partial = folder.with_suffix(f".{os.getpid()}")
            partial.mkdir()
            self.write(plan, partial)
            partial.rename(folder)
        return folder


def reference_of_dnabert2(folder: Path, device: str) -> tuple[TorchEncoder, nn.Module, Forward]:
    model = load_model(folder).to(device)
    forward = functools.partial(encoders.published_equations, model)
    return Dnabert2Encoder({}, folder, "cpu", "fp32"), model, forward


def reference_of_rnafm(folder: Path, device: str) -> tuple[TorchEncoder, nn.Module, Forward]:
    """RNA-FM with its attention written out, as in the authors' code."""
    encoder = RnaFmEncoder({}, folder, device, "fp32")
    encoder._model.set_attn_implementation("eager")
    return encoder, encoder._model, encoder._hidden


DNABERT2 = Network(
    "dnabert2",
    lambda plan, folder: dnabert2.write_dnabert2(
        folder, of_size(plan, dnabert2), scale=SCALE, tokenizer=plan.tokenizer
    ),
    Dnabert2Encoder,
    reference_of_dnabert2,
    pad=3,
)
RNAFM = Network(
    "rnafm",
    lambda plan, folder: rnafm.write_official(
        folder, rnafm.random_state(of_size(plan, rnafm), SCALE)
    ),
    RnaFmEncoder,
    reference_of_rnafm,
    pad=1,
)


def dnabert2_throughput(plan: Plan) -> None:
    """Run the step dnabert2."""
    throughput(plan, DNABERT2)


def rnafm_throughput(plan: Plan) -> None:
    """Run the step rnafm."""
    throughput(plan, RNAFM)


def chunks_of(count: int, length: int) -> list[bytes]:
    """Chunks of the context windows of test-data's genes."""
    return encoders.real_chunks(argparse.Namespace(fasta=GENOME, annotation=GENES), count, length)


def chunks_of_tokens(encoder: TorchEncoder, count: int, tokens: int) -> list[bytes]:
    """Chunks of about so many tokens each, with the two special ones."""
    sample = chunks_of(SAMPLE, 500)
    made = sum(len(chunk.ids) - 2 for chunk in encoder.tokenise(sample))
    return chunks_of(count, round(sum(map(len, sample)) / made * (tokens - 2)))


def throughput(plan: Plan, network: Network) -> None:
    """Embed chunks of real DNA in each precision, beside the padded reference forward."""
    folder, device = network.weights(plan), plan.device
    tokeniser, model, forward = network.reference(folder, device)
    chunks = chunks_of_tokens(tokeniser, plan.sizes.chunks, plan.sizes.tokens)
    plain = functools.partial(encoders.Straightforward, tokeniser, forward, device, pad=network.pad)
    ways: dict[str, Callable[[Sequence[bytes]], np.ndarray]] = {"reference fp32": plain()}
    if plan.kind == "cuda":  # autocast on a CPU is another matter
        ways["reference fp16"] = plain(precision="fp16")
    made = {p: network.encoder({}, folder, device, p) for p in FASTER[plan.kind]}
    ways |= {f"histpred {p}": functools.partial(embed, encoder) for p, encoder in made.items()}

    chosen = {}
    for name, way in ways.items():
        with others_go_on(plan, f"{network.name}, {name}"):
            chosen[name] = affordable(way, chunks, plan)
    bound = {name: functools.partial(ways[name], chosen[name]) for name in chosen}
    seconds, vectors = encoders.take_turns(bound, device)
    speeds = {}
    for name in bound:
        lengths = [len(chunk.ids) for chunk in tokeniser.tokenise(chosen[name])]
        bases, tokens = sum(map(len, chosen[name])), sum(lengths)
        speed = tokens / seconds[name]
        work = speed * encoders.flops(model, tokens / len(lengths))
        share = work / encoders.peak(device, name.split()[-1], plan.sizes.product)
        speeds[name] = speed, share
        times = speed / speeds["reference fp32"][0]
        both = min(len(vectors[name]), len(vectors["reference fp32"]))
        drift = encoders.drift(vectors[name][:both], vectors["reference fp32"][:both])
        plan.report.add(
            f"{network.name}, {name}",
            f"{speed:,.0f} tokens/s, {bases / seconds[name] / 1e6:.3g} Mbp/s, {share:.0%} of the "
            f"matrix limit, {times:.2f} times the reference, relative error {drift:.1e}",
            tokens_per_second=speed,
            bases_per_second=bases / seconds[name],
            share_of_the_matrix_limit=share,
            times_the_reference=times,
            drift=drift,
            chunks=len(lengths),
            tokens_per_chunk=tokens / len(lengths),
            seconds=seconds[name],
        )
    judge(plan, network, speeds)
    for precision, encoder in made.items():
        if f"histpred {precision}" in chosen:
            alone(plan, f"{network.name}, {precision}", encoder, chosen[f"histpred {precision}"])


def judge(plan: Plan, network: Network, speeds: dict[str, tuple[float, float]]) -> None:
    """Compare the fastest precision with the goals."""
    ours = [name for name in speeds if name.startswith("histpred")]
    if not ours:
        return
    name = max(ours, key=speeds.__getitem__)
    (speed, share), (base, _) = speeds[name], speeds["reference fp32"]
    told = f"{network.name}, fastest ({name.split()[-1]})"

    def add(what: str, found: float, text: str, goal: float, words: str) -> None:
        plan.report.add(f"{told}: {what}", text, words, plan.met(found >= goal), value=found)

    add("share of the matrix limit", share, f"{share:.0%}", GOAL_SHARE, f"{GOAL_SHARE:.0%}")
    times = speed / base
    add("times the fp32 reference", times, f"{times:.1f}", GOAL_TIMES, f"{GOAL_TIMES:.0f}")
    if network is DNABERT2:
        at = speed * BASES_PER_TOKEN / 1e6
        what = f"speed at {BASES_PER_TOKEN} bp a token"
        words = f"{GOAL_MBP:.0f} Mbp/s on a card of the H200's class"
        add(what, at, f"{at:.3g} Mbp/s", GOAL_MBP, words)


def alone(plan: Plan, what: str, encoder: TorchEncoder, chunks: Sequence[bytes]) -> None:
    """Time the tokenizer by itself, and the network with its pooling by itself."""
    tokenising = clock(encoder.tokenise, chunks)
    tokens = encoder.tokenise(chunks)
    running = clock(encoder._batcher.means, tokens, device=plan.device)
    count = sum(len(chunk.ids) for chunk in tokens)
    plan.report.add(
        f"{what}, its parts",
        f"network and pooling {count / running:,.0f} tokens/s, tokenizer "
        f"{count / tokenising:,.0f} tokens/s",
        network_tokens_per_second=count / running,
        tokenizer_tokens_per_second=count / tokenising,
    )


@contextmanager
def others_go_on(plan: Plan, what: str) -> Iterator[None]:
    """Report an error of the block and go on; the log has its traceback."""
    try:
        yield
    except Exception as error:  # of torch, CUDA or cuBLAS, each with its own types
        traceback.print_exc()
        plan.report.fail(what, error)


def embed(encoder: TorchEncoder, chunks: Sequence[bytes]) -> np.ndarray:
    """Embed as predict does: while some chunks are on the device, the next are tokenised."""
    size = min(encoder.chunks_at_once, -(-len(chunks) // 4))
    blocks = [chunks[i : i + size] for i in range(0, len(chunks), size)]
    with ThreadPoolExecutor(CALLS_AT_ONCE) as workers:
        return np.concatenate([done.vectors for done in workers.map(encoder.embed, blocks)])


def affordable(
    way: Callable[[Sequence[bytes]], np.ndarray], chunks: Sequence[bytes], plan: Plan
) -> Sequence[bytes]:
    """As many chunks as take about `sizes.seconds`."""
    few = chunks[: plan.sizes.fewest]
    way(few)  # the first call allocates and chooses kernels
    taken = clock(way, few, device=plan.device)
    return chunks[: max(int(len(few) * plan.sizes.seconds / taken), len(few))]


def parity(plan: Plan) -> None:
    """Embed the same chunks in fp32 on the CPU and in each precision on the device."""
    for network in (DNABERT2, RNAFM):
        folder = network.weights(plan)
        encoder = network.encoder({}, folder, "cpu", "fp32")
        lengths = [n for n in plan.sizes.compared if n <= (encoder.longest or n)]
        chunks = [chunk for length in lengths for chunk in chunks_of(4, length)]
        expected = encoder.embed(chunks).vectors.astype(np.float64)
        for precision in COMPARED[plan.kind]:
            what = f"{network.name}, {plan.kind} {precision} against CPU fp32"
            with others_go_on(plan, what):
                found = network.encoder({}, folder, plan.device, precision).embed(chunks).vectors
                compare(plan, what, found, expected, MOST_DRIFT[precision])


def compare(plan: Plan, what: str, found: np.ndarray, expected: np.ndarray, most: float) -> None:
    """Report how far vectors are from those expected; more than `most` is an error."""
    sizes = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    cosine = float(((found * expected).sum(axis=1) / sizes).min())
    largest, drift = float(np.abs(found - expected).max()), encoders.drift(found, expected)
    close = drift <= most  # False for NaN
    plan.report.add(
        what,
        f"cosine at least {cosine:.7f}, largest difference {largest:.1e}, largest relative error "
        f"{drift:.1e}",
        f"relative error at most {most:.0e}",
        plan.met(close),
        cosine=cosine,
        largest_difference=largest,
        drift=drift,
    )
    if not close:
        plan.report.fail(what, f"relative error {drift:.1e}, at most {most:.0e} expected")
