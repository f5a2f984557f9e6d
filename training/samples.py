"""The data folder human/chr22 as the training scripts take it: bins, tiles, genes."""

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
from histpred.training.spectra import BinCounts, fold_of

MARKS = ("H2AFZ", "H3K27ac", "H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9ac", "H3K9me3")
BIN = 200  # bp; a tile is a bin
NEAR = 2_000  # bp; the labels of genes are of peaks so near to the transcription start
END = 40_000_000  # bp; no label beyond it is used
BINS_AT_ONCE = 20_000
WINDOWS_AT_ONCE = 1_000


class Places(NamedTuple):
    """Points of the chromosome with what is known of them.

    position: int [n], bp. labels: bool [n, marks], what is predicted in the end. targets: float32
    [n, marks], the number of samples with the mark there by the highest number anywhere. near:
    the highest such share of a place within 2 kb. non_coding: bool [n], of genes.
    """

    position: np.ndarray
    labels: np.ndarray
    targets: np.ndarray
    near: np.ndarray
    non_coding: np.ndarray

    def where(self, keep: np.ndarray) -> Places:
        """Those of a boolean mask [n]."""
        return Places(*(values[keep] for values in self))


def read_chromosome(path: Path) -> np.ndarray:
    """chr22 as codes, uint8 [bp]."""
    with pysam.FastaFile(str(path)) as fasta:
        sequence = clean(fasta.fetch("chr22").encode())
    return codes_of([sequence], len(sequence))[0]


def bin_counts(codes: np.ndarray) -> torch.Tensor:
    """4-mers of the whole bins of a chromosome, uint8 [bins, 256]."""
    rows = codes[: len(codes) // BIN * BIN].reshape(-1, BIN)
    count = BinCounts(BIN, BIN // 2)
    blocks = [
        count(torch.from_numpy(rows[i : i + BINS_AT_ONCE]))[:, 0].byte()
        for i in range(0, len(rows), BINS_AT_ONCE)
    ]
    return torch.cat(blocks)


def spectra_around(codes: np.ndarray, positions: np.ndarray, reach: int) -> np.ndarray:
    """Shares of canonical 1- to 4-mers in `reach` bp either side of positions, [n, k-mers]."""
    count, fold = BinCounts(BIN, reach), fold_of(both_strands=True)
    blocks = []
    for first in range(0, len(positions), WINDOWS_AT_ONCE):
        places = positions[first : first + WINDOWS_AT_ONCE, None] + np.arange(-reach, reach)
        counts = count(torch.from_numpy(codes[places])).sum(1)
        blocks.append((counts / counts.sum(1, keepdim=True).clamp(min=1) @ fold).numpy())
    return np.concatenate(blocks)


def read_tiles(path: Path) -> Places:
    """The 200 bp tiles, each with its middle as the point."""
    table = pd.read_csv(path, sep="\t")
    return _places(table, (table["start"] + table["end"]).to_numpy() // 2)


def read_genes(path: Path) -> Places:
    """The genes, each with its transcription start as the point."""
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
    """The highest share [n, marks] at a position within NEAR bp, of positions in any order."""
    order = position.argsort(kind="stable")
    ascending, shares_of = position[order], shares[order]
    first = np.searchsorted(ascending, position - NEAR)
    last = np.searchsorted(ascending, position + NEAR, side="right")
    return np.array([shares_of[i:j].max(axis=0) for i, j in zip(first, last, strict=True)])


def accessions(folder: Path) -> list[str]:
    """The ENCODE accessions in the names of the peak files of the marks."""
    names = " ".join(path.name for path in folder.iterdir() if path.name.startswith(MARKS))
    return sorted(set(re.findall("ENCFF[0-9]{3}[A-Z]{3}", names)))
