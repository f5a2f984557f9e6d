"""The data folder human/chr22: its bases in bins, its tiles and its genes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pysam
import torch

from histpred.core.sequence import clean
from histpred.encoders.onnx import codes_of
from histpred.training.counting import BinCounts, fold_of

MARKS = ("H2AFZ", "H3K27ac", "H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9ac", "H3K9me3")
BIN = 200  # bp; a tile is a bin
NEAR = 2_000  # bp; a gene has a mark if a peak lies within this distance of the TSS
END = 40_000_000  # bp; labels beyond it are not used
BINS_AT_ONCE = 20_000
WINDOWS_AT_ONCE = 1_000


class Places(NamedTuple):
    """Loci of the chromosome with their labels.

    position: int [n], bp. labels: bool [n, marks], what the bundle predicts. targets: float32 [n,
    marks], the number of samples with the mark, divided by its maximum over all loci. near: the
    highest target within 2 kb. non_coding: bool [n], for genes.
    """

    position: np.ndarray
    labels: np.ndarray
    targets: np.ndarray
    near: np.ndarray
    non_coding: np.ndarray

    def where(self, keep: np.ndarray) -> Places:
        """The loci of a boolean mask [n]."""
        return Places(*(values[keep] for values in self))


def read_chromosome(path: Path) -> np.ndarray:
    """chr22 as codes, uint8 [bp]."""
    with pysam.FastaFile(str(path)) as fasta:
        sequence = clean(fasta.fetch("chr22").encode())
    return codes_of([sequence], len(sequence))[0]


def bin_counts(codes: np.ndarray) -> torch.Tensor:
    """Counts of 4-mers in the whole bins of a chromosome, uint8 [bins, 256]."""
    rows = codes[: len(codes) // BIN * BIN].reshape(-1, BIN)
    count = BinCounts(BIN, BIN // 2)
    blocks = torch.from_numpy(rows).split(BINS_AT_ONCE)
    return torch.cat([count(block)[:, 0].byte() for block in blocks])


def spectra_around(codes: np.ndarray, positions: np.ndarray, reach: int) -> np.ndarray:
    """Shares of canonical 1- to 4-mers within `reach` bp of positions, [n, k-mers]."""
    count, fold = BinCounts(BIN, reach), fold_of(both_strands=True)
    blocks = []
    for first in range(0, len(positions), WINDOWS_AT_ONCE):
        places = positions[first : first + WINDOWS_AT_ONCE, None] + np.arange(-reach, reach)
        counts = count(torch.from_numpy(codes[places])).sum(1)
        blocks.append((counts / counts.sum(1, keepdim=True).clamp(min=1) @ fold).numpy())
    return np.concatenate(blocks)


def read_tiles(path: Path) -> Places:
    """Read the tiles of 200 bp; the locus of a tile is its middle."""
    table = pd.read_csv(path, sep="\t")
    return _places(table, (table["start"] + table["end"]).to_numpy() // 2)


def read_genes(path: Path) -> Places:
    """Read the genes; the locus of a gene is its TSS."""
    table = pd.read_csv(path, sep="\t")
    return _places(table, table["tss"].to_numpy() + (table["strand"] == "-").to_numpy())


def _places(table: pd.DataFrame, position: np.ndarray) -> Places:
    samples = table[[f"n.{mark}" for mark in MARKS]].to_numpy(np.float32)
    non_coding = table.get("biotype", table["chrom"]).ne("protein_coding").to_numpy()
    labels = table[[f"c25.{mark}" for mark in MARKS]].to_numpy(bool)
    shares = samples / samples.max(axis=0)
    near = _highest_near(position, shares)
    return Places(position, labels, shares, near, non_coding).where(position < END)


def _highest_near(position: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Highest share within NEAR bp of each position, [n, marks]; positions in any order."""
    order = position.argsort(kind="stable")
    ascending, shares_of = position[order], shares[order]
    first = np.searchsorted(ascending, position - NEAR)
    last = np.searchsorted(ascending, position + NEAR, side="right")
    return np.array([shares_of[i:j].max(axis=0) for i, j in zip(first, last, strict=True)])


def accessions(folder: Path) -> list[str]:
    """ENCODE accessions in the names of the marks' peak files, sorted."""
    names = " ".join(path.name for path in folder.iterdir() if path.name.startswith(MARKS))
    return sorted(set(re.findall("ENCFF[0-9]{3}[A-Z]{3}", names)))
