"""What `explain` and `variants` compute, beside scoring the whole window of each alternative.

    python benchmarks/whole_windows.py spectra GENES.gtf.gz GENOME.fa.gz
    python benchmarks/whole_windows.py dnabert2

The alternatives of a window are its stretches as N, one after another (explain), random
substitutions, and deletions of 3 bp (variants). Both ways give their log-odds: with only what
changes computed again, and with every changed window embedded whole. Prints CPU seconds of both,
the factor, and the largest difference. Reading the inputs and opening the bundle is not counted.
spectra: the default bundle on the first genes of a genome. dnabert2: a small random network of the
same architecture, on windows of 33 kb of random DNA in chunks of 1 kb; it needs torch. No network.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from clocks import cpu_clock

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from histpred.bundle.encoding import EncoderChoice, bundle_encoder  # noqa: E402
from histpred.bundle.folder import load_bundle  # noqa: E402
from histpred.core.execution import Execution  # noqa: E402
from histpred.encoders.chunks import ChunkPolicy  # noqa: E402
from histpred.encoders.embedder import embed_sequences  # noqa: E402
from histpred.genome.changes import Change, changed_sequence  # noqa: E402
from histpred.genome.plan import open_windows, scorable  # noqa: E402
from histpred.genome.reference import Reference  # noqa: E402
from histpred.genome.request import Request  # noqa: E402
from histpred.genome.windows import Row  # noqa: E402
from histpred.scoring.alternatives import Alternative, Alternatives  # noqa: E402
from histpred.scoring.opened import OpenBundle, open_bundle, scorer_of  # noqa: E402
from histpred.scoring.stretches import known_stretches, resolution_of  # noqa: E402
from histpred.scoring.variants_background import substitutions  # noqa: E402

UPSTREAM, BODY, CHUNK = 30_000, 3_000, 1_000  # bp
SUBSTITUTIONS, DELETED = 50, 3
WINDOWS = {"spectra": 20, "dnabert2": 3}

Given = list[tuple[Row, list[Alternative]]]


class Opened(NamedTuple):
    """A bundle and a genome, ready to score."""

    bundle: OpenBundle
    reference: Reference
    rows: list[Row]


@contextmanager
def opened(choice: EncoderChoice, request: Request, count: int) -> Iterator[Opened]:
    """Open a bundle and the first windows of a request."""
    with tempfile.TemporaryDirectory() as work, ExitStack() as stack:
        scorer = stack.enter_context(scorer_of(choice, "cpu"))
        bundle = open_bundle(choice, scorer, Execution("cpu"))
        windows = stack.enter_context(open_windows(request, choice.window, Path(work)))
        batches = scorable(windows.ledger, windows.reference, choice.window)
        rows = list(islice(chain.from_iterable(batches), count))
        yield Opened(bundle, windows.reference, rows)


def shared(given: Given, one: Opened) -> list[np.ndarray]:
    """Logits with only what changes embedded again."""
    return Alternatives(one.bundle, one.reference).logits(given)


def whole(given: Given, one: Opened) -> list[np.ndarray]:
    """Logits of every changed window, embedded whole."""
    choice, encoder, found = one.bundle.choice, one.bundle.encoder, []
    for row, others in given:
        sequences = [
            changed_sequence(row.window, choice.window, changes, one.reference)
            for changes in others
        ]
        sequences.insert(0, row.sequence)
        if choice.chunks is None:
            vectors = encoder.embed(sequences).vectors
        else:
            vectors = embed_sequences(encoder, choice.chunks, sequences)
        found.append(one.bundle.scorer.logits(vectors))
    return found


def stretches(row: Row, one: Opened) -> list[Alternative]:
    """Each stretch as N."""
    every = known_stretches(row.window, one.reference, resolution_of(one.bundle.choice))
    return [[Change(start, end, b"N" * (end - start))] for start, end in every]


def random_bases(row: Row, one: Opened) -> list[Alternative]:
    """Random substitutions."""
    return [[change] for change in substitutions(row.window, one.reference, SUBSTITUTIONS)]


def deletions(row: Row, one: Opened) -> list[Alternative]:
    """Deletions at the places of some of the random substitutions."""
    contig = row.window.chrom
    found: list[Alternative] = []
    for change in substitutions(row.window, one.reference, SUBSTITUTIONS)[::5]:
        start, end = change.start, change.start + 1 + DELETED
        if end < one.reference.lengths[contig]:
            found.append([Change(start, end, one.reference.fetch(contig, start, start + 1))])
    return found


KINDS: dict[str, Callable[[Row, Opened], list[Alternative]]] = {
    "explain: stretches as N": stretches,
    f"variants: {SUBSTITUTIONS} substitutions": random_bases,
    f"variants: {SUBSTITUTIONS // 5} deletions of {DELETED} bp": deletions,
}


def measure(name: str, one: Opened) -> None:
    """Print a row of the table for each kind of alternative."""
    shared([(row, random_bases(row, one)[:1]) for row in one.rows[:1]], one)  # warm
    for title, alternatives_of in KINDS.items():
        given = [(row, alternatives_of(row, one)) for row in one.rows]
        found: list[list[np.ndarray]] = []
        quick = cpu_clock(lambda given=given, found=found: found.append(shared(given, one)))
        slow = cpu_clock(lambda given=given, found=found: found.append(whole(given, one)))
        pairs = zip(*found, strict=True)
        apart = max(float(np.abs(left - right).max()) for left, right in pairs)
        many = sum(len(others) for _, others in given)
        print(
            f"| {name} | {title} | {len(given)} | {many:,} | {quick:.2f} | {slow:.1f} | "
            f"{slow / quick:.0f} | {apart:.0e} |",
            flush=True,
        )


def spectra(gtf: Path, genome: Path) -> None:
    """Measure the default bundle."""
    request = Request(str(gtf), str(genome))
    with opened(bundle_encoder(load_bundle()), request, WINDOWS["spectra"]) as one:
        measure("human-promoter", one)


def dnabert2() -> None:
    """Measure a small random network."""
    from support import random_genome, write_bed, write_fasta
    from support.dnabert2 import write_dnabert2
    from support.random_bundle import random_bundle

    count = WINDOWS["dnabert2"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_dnabert2(folder / "weights", scale=0.3)
        genome = random_genome(random.Random(1), {"chr1": 2 * count * UPSTREAM})
        write_fasta(folder / "genome.fa", genome)
        starts = [(2 * gene + 1) * UPSTREAM for gene in range(count)]
        rows = [("chr1", at, at + BODY, f"gene{at}", 0, "+") for at in starts]
        write_bed(folder / "genes.bed", rows)
        random_bundle(
            *(folder / "bundle", "dnabert2", folder / "weights"),
            ["pytorch_model.bin", "config.json", "tokenizer.json"],
            chunks=ChunkPolicy("window", CHUNK),
            window={"kind": "context", "upstream": UPSTREAM},
        )
        choice = bundle_encoder(load_bundle(folder / "bundle"), weights=folder / "weights")
        request = Request(str(folder / "genes.bed"), str(folder / "genome.fa"))
        with opened(choice, request, count) as one:
            measure(f"DNABERT-2 (small), {UPSTREAM + BODY:,} bp", one)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["spectra", "dnabert2"])
    parser.add_argument("inputs", nargs="*", type=Path)
    given = parser.parse_args()
    print(
        "| bundle | alternatives | windows | alternatives in all | CPU s | whole windows, CPU s | "
        "times | largest difference |\n|---|---|---|---|---|---|---|---|"
    )
    if given.what == "dnabert2":
        dnabert2()
    else:
        spectra(*given.inputs)


if __name__ == "__main__":
    main()
