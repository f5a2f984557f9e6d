"""Marks without samples of their own, learned from 43,523 short regions of the whole genome.

A region comes without its surroundings. So a mark has two scores of equal weight: one from networks
that read the region's own spectrum, and one from the eight marks of the tiles (`links_of`), which
the surroundings predict well. Both are learned from the other chromosomes; those of the tiles are
kept for evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from samples import BIN, ENDS, MARKS, Genome, Places
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional

from histpred.core.sequence import reverse_complement
from histpred.encoders.onnx import codes_of
from histpred.training.chromosome import Bins
from histpred.training.counting import BinCounts
from histpred.training.fitting import Losses, fit, reproducible
from histpred.training.settings import Settings
from histpred.training.spectra import SpectraNetwork, nested

FURTHER = (
    *("H2AK5ac", "H2AK9ac", "H2BK120ac", "H2BK12ac", "H2BK15ac", "H2BK20ac", "H2BK5ac", "H3F3A"),
    *("H3K14ac", "H3K18ac", "H3K23ac", "H3K23me2", "H3K4ac", "H3K4me2", "H3K56ac", "H3K79me1"),
    *("H3K79me2", "H3K9me1", "H4K12ac", "H4K20me1", "H4K5ac", "H4K8ac", "H4K91ac"),
)
"""Without H3K9me2 and H3T11ph: fewer than ten regions of chr22 have them, too few to evaluate."""
LONGEST = 1_500  # bp
AT_ONCE = 2_000
BASES = np.frombuffer(b"ACGTN", np.uint8)


class Regions(NamedTuple):
    """Regions with their marks.

    counts: 4-mers of each, float32 [n, 1, 256]. labels: bool [n, marks], MARKS and then FURTHER:
    True if there is a peak in any experiment. signals: [n, len(MARKS)], log(1 + strongest peak).
    chromosome: [n]. position: int [n], the middle in the codes of the genome; -1 if the sequence
    occurs on its chromosome nowhere or more than once, or beyond the labels.
    """

    counts: Tensor
    labels: np.ndarray
    signals: np.ndarray
    chromosome: np.ndarray
    position: np.ndarray

    def where(self, keep: np.ndarray) -> Regions:
        """The regions of a boolean mask [n]."""
        return Regions(self.counts[torch.from_numpy(keep)], *(part[keep] for part in self[1:]))

    def places(self) -> Places:
        """Positions with labels of FURTHER alone."""
        labels = self.labels[:, len(MARKS) :]
        unknown = np.empty((len(labels), 0))
        neither = np.zeros(len(labels), bool)
        return Places(self.position, labels, unknown, neither, neither)


def read_regions(folder: Path, genome: Genome) -> Regions:
    """Read the regions of the folder human, and find those of the genome's chromosomes in it."""
    table = pd.read_csv(folder / "regions_33marks.tsv.gz", sep="\t", dtype={"gene_id": str})
    strongest = pd.read_csv(folder / "regions_33marks.maxsignal.tsv.gz", sep="\t")
    key = ["set", "id", "start1"]
    assert table[key].equals(strongest[key])
    sequences = [sequence.upper().encode() for sequence in table["sequence"]]
    codes = torch.from_numpy(codes_of(sequences, LONGEST).copy())
    counts = map(BinCounts(LONGEST, LONGEST // 2), codes.split(AT_ONCE))
    position = np.full(len(table), -1)
    for name, start in genome.starts.items():
        text = BASES[genome.codes[start : start + ENDS[name]]].tobytes()
        for row in np.flatnonzero((table["chrom"] == name).to_numpy()):
            place = place_of(sequences[row], text)
            position[row] = start + place if place >= 0 else -1
    return Regions(
        torch.cat(list(counts)),
        table[[*MARKS, *FURTHER]].to_numpy(bool),
        np.log1p(strongest[list(MARKS)].to_numpy(float)),
        table["chrom"].to_numpy(),
        position,
    )


def place_of(sequence: bytes, text: bytes) -> int:
    """Middle of a sequence's only occurrence on either strand; -1 for none or several."""
    places = set()
    for strand in (sequence, reverse_complement(sequence)):
        first = text.find(strand)
        if first >= 0:
            places |= {first, text.rfind(strand)}
    return places.pop() + len(sequence) // 2 if len(places) == 1 else -1


def fit_regions(bins: Bins, regions: Regions, settings: Settings) -> SpectraNetwork:
    """Train on spectra of the regions' middle 200 bp, standardised as those of the bins."""
    labels = torch.from_numpy(regions.labels).float()
    with reproducible(settings.seed):
        network = SpectraNetwork(labels.shape[1], BIN, nested(BIN), both_strands=True)
        bins.give_scale(network)
        after_counts = network.after_counts()

        def of_epoch(number: int) -> Iterator[Tensor]:
            for rows in torch.randperm(len(labels)).split(settings.batch):
                logits = after_counts(regions.counts[rows])
                yield functional.binary_cross_entropy_with_logits(logits, labels[rows])

        fit(network, Losses(of_epoch, math.ceil(len(labels) / settings.batch)), settings)
    return network


def links_of(regions: Regions) -> np.ndarray:
    """Weights of regressions of FURTHER on the signals of MARKS, float32 [MARKS, FURTHER]."""
    signals = (regions.signals - regions.signals.mean(axis=0)) / regions.signals.std(axis=0)
    further = regions.labels[:, len(MARKS) :].T
    models = [LogisticRegression(max_iter=1000).fit(signals, truth) for truth in further]
    return np.stack([model.coef_[0] for model in models], axis=1).astype(np.float32)


def further_logits(of_marks: Tensor, links: np.ndarray, of_regions: Tensor) -> Tensor:
    """Scores of FURTHER from logits: of MARKS by the surroundings, of all marks by the middle."""
    linked = standardised(of_marks) @ torch.from_numpy(links)
    return standardised(linked) + standardised(of_regions[:, len(MARKS) :])


def standardised(values: Tensor) -> Tensor:
    """Columns of [n, columns] with mean 0 and standard deviation 1."""
    return (values - values.mean(0)) / values.std(0)
