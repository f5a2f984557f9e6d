"""How well a bundle ranks genes if it does not see the DNA of a zone around their TSS.

    python benchmarks/zones.py BUNDLE ANNOTATION FASTA LABELS [CHROMOSOME,...]

Each labelled window is scored as it is, and with the bases of each zone as N. The table has
the mean AUROC over marks with ten genes of each label or more, the difference to the whole window,
and its 95 % interval from a bootstrap over stretches of 100 kb. CHROMOSOMES: those whose genes are
used, such as a bundle's test chromosomes; without them, all.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from histpred.bundle.encoding import EncoderChoice, bundle_encoder
from histpred.bundle.folder import load_bundle
from histpred.core.execution import Execution
from histpred.genome.changes import Change, anchor_of, blocks_of
from histpred.genome.plan import OpenWindows, open_windows, scorable
from histpred.genome.regions import Window
from histpred.genome.request import Request
from histpred.labels.matrix import Labels, read_labels
from histpred.scoring.alternatives import Alternatives, log_odds
from histpred.scoring.opened import open_bundle, scorer_of
from histpred.scoring.profile import TOGETHER

FAR = 1_000_000_000
ZONES = {
    "upstream beyond 2 kb": ((-FAR, -2_000),),
    "downstream beyond 2 kb": ((2_000, FAR),),
    "all beyond 2 kb": ((-FAR, -2_000), (2_000, FAR)),
    "2 kb upstream": ((-2_000, 0),),
    "2 kb downstream": ((0, 2_000),),
    "2 kb to either side": ((-2_000, 2_000),),
}
FEWEST, ROUNDS, AT_ONCE = 10, 500, 64


def changes_of(window: Window, anchor: int, length: int, name: str) -> list[Change]:
    """The bases of a zone as N."""
    left, right = blocks_of(window)[0][0], blocks_of(window)[-1][1]
    found = []
    for first, last in ZONES[name]:
        start, end = anchor + first, anchor + last
        if window.strand == "-":
            start, end = anchor + 1 - last, anchor + 1 - first
        start, end = max(start, left, 0), min(end, right, length)
        if start < end:
            found.append(Change(start, end, b"N" * (end - start)))
    return sorted(found)


def scored(
    windows: OpenWindows, choice: EncoderChoice, chosen: set[str], alternatives: Alternatives
) -> Iterator[tuple[Window, np.ndarray]]:
    """Each window with its log-odds, [1 + zones, marks]."""
    given = []
    lengths = windows.reference.lengths
    for batch in scorable(windows.ledger, windows.reference, choice.window):
        for row in batch:
            window = row.window
            anchor = anchor_of(window, choice.window, lengths[window.chrom])
            if (chosen and window.chrom not in chosen) or anchor is None:
                continue
            length = lengths[window.chrom]
            given.append((row, [changes_of(window, anchor, length, name) for name in ZONES]))
            if len(given) == AT_ONCE:
                yield from flushed(given, choice, alternatives)
                given = []
    yield from flushed(given, choice, alternatives)


def flushed(
    given: list, choice: EncoderChoice, alternatives: Alternatives
) -> Iterator[tuple[Window, np.ndarray]]:
    for (row, _), logits in zip(given, alternatives.logits(given), strict=True):
        yield row.window, log_odds(logits, choice.scored)


def main(bundle: str, annotation: str, fasta: str, table: str, chromosomes: str = "") -> None:
    """Print the table."""
    choice = bundle_encoder(load_bundle(bundle))
    labels = read_labels(Path(table))
    chosen = set(filter(None, chromosomes.split(",")))
    names = [mark.name for mark in choice.scored]
    with tempfile.TemporaryDirectory() as work, ExitStack() as stack:
        scorer = stack.enter_context(scorer_of(choice, "cpu"))
        opened = open_bundle(choice, scorer, Execution("cpu"))
        request = Request(annotation, fasta)
        windows = stack.enter_context(open_windows(request, choice.window, Path(work)))
        alternatives = Alternatives(opened, windows.reference)
        found = list(scored(windows, choice, chosen, alternatives))
    rows = {name: number for number, name in enumerate(labels.ids)}
    pairs = [
        (rows[key], window, odds)
        for window, odds in found
        if (key := window.gene_id if window.gene_id in rows else window.name) in rows
    ]
    report(pairs, labels, names)


def report(
    pairs: list[tuple[int, Window, np.ndarray]], labels: Labels, names: Sequence[str]
) -> None:
    """Print a line for each zone."""
    columns = [labels.marks.index(name) for name in names if name in labels.marks]
    truth = labels.values[[row for row, _, _ in pairs]][:, columns]
    odds = np.stack([found for _, _, found in pairs])
    odds = odds[:, :, [names.index(labels.marks[column]) for column in columns]]
    blocks = [f"{window.chrom}:{window.start // TOGETHER}" for _, window, _ in pairs]
    _, numbers = np.unique(blocks, return_inverse=True)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(ROUNDS):
        times = np.bincount(rng.integers(0, numbers.max() + 1, numbers.max() + 1))
        times = np.pad(times, (0, numbers.max() + 1 - len(times)))
        drawn.append(np.repeat(np.arange(len(pairs)), times[numbers]))
    whole = mean_auroc(truth, odds[:, 0])
    print(f"{len(pairs):,} genes, {odds.shape[2]} marks")
    print("zone without its bases\tAUROC\tdifference\tlow\thigh")
    print(f"none\t{whole:.3f}")
    for number, zone in enumerate(ZONES, 1):
        found = mean_auroc(truth, odds[:, number])
        lost = [
            mean_auroc(truth[some], odds[some, number]) - mean_auroc(truth[some], odds[some, 0])
            for some in drawn
        ]
        low, high = np.nanquantile(lost, [0.025, 0.975])
        print(f"{zone}\t{found:.3f}\t{found - whole:+.3f}\t{low:+.3f}\t{high:+.3f}")


def mean_auroc(truth: np.ndarray, odds: np.ndarray) -> float:
    """The mean over marks with enough genes of each label."""
    values = []
    for labels, scores in zip(truth.T, odds.T, strict=True):
        known = ~np.isnan(labels)
        positives = int(labels[known].sum())
        if min(positives, known.sum() - positives) >= FEWEST:
            ranks = rankdata(scores[known])[labels[known] == 1].sum()
            pairs = positives * (known.sum() - positives)
            values.append((ranks - positives * (positives + 1) / 2) / pairs)
    return float(np.mean(values)) if values else np.nan


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    main(*sys.argv[1:])
