"""The data folder human: two chromosomes in one array, with their tiles and genes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pysam
import torch

from histpred.core.sequence import clean
from histpred.encoders.onnx import codes_of, sequences_of
from histpred.evaluation.baselines import NEAR as BASELINE_REACH
from histpred.evaluation.baselines import sequence_features
from histpred.evaluation.kinds import FAR, distances
from histpred.genome.biotypes import is_coding
from histpred.genome.windows import WindowSpec
from histpred.training.counting import BinCounts

MARKS = ("H2AFZ", "H3K27ac", "H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9ac", "H3K9me3")
BIN = 200  # bp; a tile is a bin
NEAR = 2_000  # bp; a gene has a mark if a peak lies within this distance of the TSS
FEWEST_SAMPLES, SHARE_OF_SAMPLES = 2, 0.25  # that a positive label needs, both
ENDS = {"chr22": 40_000_000, "chr20": 45_000_000}  # labels beyond it are not used
APART = 40_000  # bp of N between the chromosomes: more than a network reads to one side
BINS_AT_ONCE = 20_000
WINDOWS_AT_ONCE = 1_000


class Genome(NamedTuple):
    """The chromosomes of ENDS one after another, with N between them.

    codes: uint8 [bp]. starts: where each chromosome begins in them, in bp, a multiple of BIN.
    """

    codes: np.ndarray
    starts: dict[str, int]

    def sequences(self, positions: np.ndarray, reach: int) -> list[bytes]:
        """The bases within `reach` bp of positions."""
        return sequences_of(self.codes[positions[:, None] + np.arange(-reach, reach)])


class Places(NamedTuple):
    """Loci with their labels.

    position: int [n], bp in the codes of a `Genome`. labels: bool [n, marks], what the bundle
    predicts. targets: float32 [n, marks], the number of samples with the mark, divided by its
    maximum on the chromosome. coding, far: bool [n], for genes; a far gene is non-coding, and its
    TSS is more than 2 kb from that of any coding gene.
    """

    position: np.ndarray
    labels: np.ndarray
    targets: np.ndarray
    coding: np.ndarray
    far: np.ndarray

    def where(self, keep: np.ndarray) -> Places:
        """The loci of a boolean mask [n]."""
        return Places(*(values[keep] for values in self))


def read_genome(folder: Path) -> Genome:
    """Read the chromosomes of the folder human."""
    parts, starts, length = [], {}, 0
    for name in ENDS:
        with pysam.FastaFile(str(folder / name / f"hg19.{name}.fa.gz")) as fasta:
            sequence = clean(fasta.fetch(name).encode())
        starts[name] = length
        whole = -(-(len(sequence) + APART) // BIN) * BIN
        parts.append(codes_of([sequence.ljust(whole, b"N")], whole)[0])
        length += whole
    return Genome(np.concatenate(parts), starts)


def bin_counts(codes: np.ndarray) -> torch.Tensor:
    """Counts of 4-mers in the whole bins of a genome, uint8 [bins, 256]."""
    rows = codes[: len(codes) // BIN * BIN].reshape(-1, BIN)
    count = BinCounts(BIN, BIN // 2)
    blocks = torch.from_numpy(rows).split(BINS_AT_ONCE)
    return torch.cat([count(block)[:, 0].byte() for block in blocks])


def features_of(genome: Genome, positions: np.ndarray) -> np.ndarray:
    """What the baselines of `histpred evaluate` read around positions, float32 [n, features]."""
    window = WindowSpec("interval", BASELINE_REACH, BASELINE_REACH, 1.0, whole=True)
    blocks = []
    for first in range(0, len(positions), WINDOWS_AT_ONCE):
        some = positions[first : first + WINDOWS_AT_ONCE]
        blocks.append(sequence_features(genome.sequences(some, BASELINE_REACH), window))
    return np.concatenate(blocks)


def read_tiles(folder: Path, genome: Genome) -> Places:
    """Read the tiles of 200 bp; the locus of a tile is its middle."""
    return _read(folder, genome, "tiles")


def read_genes(folder: Path, genome: Genome) -> Places:
    """Read the genes; the locus of a gene is its TSS."""
    return _read(folder, genome, "genes")


def needed_samples(folder: Path) -> dict[str, int]:
    """How many samples a positive label of each mark needs, on the chromosome with the most."""
    columns = [
        pd.read_csv(folder / name / "labels_genes.tsv.gz", sep="\t", nrows=0).columns
        for name in ENDS
    ]
    numbers = {
        mark: max(sum(name.startswith(f"{mark}.") for name in names) for names in columns)
        for mark in MARKS
    }
    return {
        mark: max(FEWEST_SAMPLES, int(np.ceil(SHARE_OF_SAMPLES * number)))
        for mark, number in numbers.items()
    }


def _read(folder: Path, genome: Genome, kind: str) -> Places:
    parts = [
        _places(pd.read_csv(folder / name / f"labels_{kind}.tsv.gz", sep="\t"), start, ENDS[name])
        for name, start in genome.starts.items()
    ]
    return Places(*map(np.concatenate, zip(*parts, strict=True)))


def _places(table: pd.DataFrame, start: int, end: int) -> Places:
    if "tss" in table:
        position = table["tss"].to_numpy() + (table["strand"] == "-").to_numpy()
        coding = table["biotype"].map(is_coding).to_numpy(bool)
        far = ~coding & (distances(position, position[coding]) > FAR)
    else:
        position = (table["start"] + table["end"]).to_numpy() // 2
        coding = far = np.zeros(len(table), bool)
    samples = table[[f"n.{mark}" for mark in MARKS]].to_numpy(np.float32)
    labels = table[[f"c25.{mark}" for mark in MARKS]].to_numpy(bool)
    shares = samples / np.maximum(samples.max(axis=0), 1)
    return Places(position + start, labels, shares, coding, far).where(position < end)


def accessions(folder: Path) -> list[str]:
    """ENCODE accessions in the names of the marks' peak files, sorted."""
    names = " ".join(path.name for path in folder.iterdir() if path.name.startswith(MARKS))
    return sorted(set(re.findall("ENCFF[0-9]{3}[A-Z]{3}", names)))
