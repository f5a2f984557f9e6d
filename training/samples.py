"""The rows of the data folder human/chr22 as windows with labels: tiles, and genes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from fitting import Examples

from histpred.core.regions import around_start
from histpred.core.sequence import reverse_complement
from histpred.encoders.kmer import KmerEncoder

MARKS = ("H2AFZ", "H3K27ac", "H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9ac", "H3K9me3")
HALF_WINDOW = 1_000  # bp upstream, and bp downstream
MAX_N_FRACTION = 0.5
TRAIN_END = 30_000_000  # bp; graded targets are scaled by what was seen before it


class Sample(NamedTuple):
    """Windows with their embeddings, labels and graded targets; `coding` is of genes only."""

    examples: Examples
    gc: np.ndarray
    coding: np.ndarray


def read_tiles(path: Path, chromosome: bytes, encoder: KmerEncoder) -> Sample:
    """Every tile as the middle of a window on '+'."""
    table = pd.read_csv(path, sep="\t")
    middles = ((table["start"] + table["end"]) // 2).to_numpy()
    windows = [chromosome[middle - HALF_WINDOW : middle + HALF_WINDOW] for middle in middles]
    return sample(table, middles, windows, encoder)


def read_genes(path: Path, chromosome: bytes, encoder: KmerEncoder) -> Sample:
    """Every gene's window around its transcription start, on its own strand."""
    table = pd.read_csv(path, sep="\t")
    windows = []
    for gene in table.itertuples():
        start, end = around_start(gene.tx_start, gene.tx_end, gene.strand, HALF_WINDOW, HALF_WINDOW)
        window = chromosome[start:end]
        windows.append(reverse_complement(window) if gene.strand == "-" else window)
    return sample(table, table["tss"].to_numpy(), windows, encoder)


def sample(
    table: pd.DataFrame, position: np.ndarray, windows: list[bytes], encoder: KmerEncoder
) -> Sample:
    """Windows with at most MAX_N_FRACTION of N; a graded target is the samples by their maximum."""
    labels = table[[f"c25.{mark}" for mark in MARKS]].to_numpy(bool)
    samples = table[[f"n.{mark}" for mark in MARKS]].to_numpy(np.float32)
    targets = samples / samples[position < TRAIN_END].max(axis=0)
    examples = Examples(encoder.spectra(windows), np.minimum(targets, 1), labels, position)

    real = np.array([len(window) - window.count(b"N") for window in windows])
    gc = np.array([window.count(b"G") + window.count(b"C") for window in windows]) / np.maximum(
        real, 1
    )
    kept = real >= (1 - MAX_N_FRACTION) * 2 * HALF_WINDOW
    coding = table.get("biotype", table["chrom"]).eq("protein_coding").to_numpy()
    return Sample(examples.where(kept), gc[kept], coding[kept])


def within(sample: Sample, stretch: tuple[int, int]) -> Sample:
    """The windows that lie whole within a stretch (bp)."""
    position = sample.examples.position
    kept = (position - HALF_WINDOW >= stretch[0]) & (position + HALF_WINDOW <= stretch[1])
    return Sample(sample.examples.where(kept), sample.gc[kept], sample.coding[kept])


def accessions(folder: Path) -> list[str]:
    """The ENCODE accessions in the names of the peak files of the marks."""
    names = " ".join(path.name for path in folder.iterdir() if path.name.startswith(MARKS))
    return sorted(set(re.findall("ENCFF[0-9]{3}[A-Z]{3}", names)))
