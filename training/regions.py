"""Marks that chr22 has no samples of: what 43,523 short regions of the whole genome say of them.

A region comes without what lies around it, so a mark has two parts: what networks make of the
region's own spectrum, and how the mark goes with the eight marks of chr22 (`links`), of which the
surroundings say much. Both are learned from the other chromosomes, and weigh the same: chr22 is
left for judging.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from fitting import Bins
from samples import BIN, END, MARKS
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional

from histpred.core.sequence import reverse_complement
from histpred.encoders.onnx import codes_of
from histpred.training.spectra import BinCounts, SpectraNetwork, nested

FURTHER = (
    *("H2AK5ac", "H2AK9ac", "H2BK120ac", "H2BK12ac", "H2BK15ac", "H2BK20ac", "H2BK5ac", "H3F3A"),
    *("H3K14ac", "H3K18ac", "H3K23ac", "H3K23me2", "H3K4ac", "H3K4me2", "H3K56ac", "H3K79me1"),
    *("H3K79me2", "H3K9me1", "H4K12ac", "H4K20me1", "H4K5ac", "H4K8ac", "H4K91ac"),
)
"""Without H3K9me2 and H3T11ph, which fewer than ten regions of chr22 have to judge them by."""
CHROMOSOME = "chr22"
LONGEST = 1_500  # bp
AT_ONCE = 2_000
EPOCHS, BATCH = 12, 256
LEARNING_RATE, WEIGHT_DECAY = 2e-3, 1e-2


class Regions(NamedTuple):
    """Regions with their marks.

    counts: 4-mers of each, float32 [n, 1, 256]. labels: bool [n, marks], MARKS and then FURTHER:
    whether there is a peak in any experiment. signals: [n, len(MARKS)], log(1 + the strongest
    peak). chromosome: [n]. position: int [n], the middle on chr22, -1 for none or several.
    """

    counts: Tensor
    labels: np.ndarray
    signals: np.ndarray
    chromosome: np.ndarray
    position: np.ndarray

    def where(self, keep: np.ndarray) -> Regions:
        """Those of a boolean mask [n]."""
        return Regions(self.counts[torch.from_numpy(keep)], *(part[keep] for part in self[1:]))


def read_regions(folder: Path, chromosome: np.ndarray) -> Regions:
    """All regions of the folder human, with those of chr22 looked up in its codes, uint8 [bp]."""
    table = pd.read_csv(folder / "regions_33marks.tsv.gz", sep="\t", dtype={"gene_id": str})
    strongest = pd.read_csv(folder / "regions_33marks.maxsignal.tsv.gz", sep="\t")
    key = ["set", "id", "start1"]
    assert table[key].equals(strongest[key])
    sequences = [sequence.upper().encode() for sequence in table["sequence"]]
    count = BinCounts(LONGEST, LONGEST // 2)
    counts = [
        count(torch.from_numpy(codes_of(sequences[first : first + AT_ONCE], LONGEST).copy()))
        for first in range(0, len(sequences), AT_ONCE)
    ]
    text = np.frombuffer(b"ACGTN", np.uint8)[chromosome].tobytes()
    here = (table["chrom"] == CHROMOSOME).to_numpy()
    position = np.full(len(table), -1)
    position[here] = [place_of(sequences[row], text) for row in np.nonzero(here)[0]]
    return Regions(
        torch.cat(counts),
        table[[*MARKS, *FURTHER]].to_numpy(bool),
        np.log1p(strongest[list(MARKS)].to_numpy(float)),
        table["chrom"].to_numpy(),
        np.where(position < END, position, -1),
    )


def place_of(sequence: bytes, text: bytes) -> int:
    """The middle of the one place of a sequence, on either strand; -1 for none or several."""
    places = set()
    for strand in (sequence, reverse_complement(sequence)):
        first = text.find(strand)
        if first >= 0:
            places |= {first, text.rfind(strand)}
    return places.pop() + len(sequence) // 2 if len(places) == 1 else -1


def fit_regions(bins: Bins, regions: Regions, seed: int) -> SpectraNetwork:
    """A network of the 200 bp in the middle, trained on the regions' own spectra, which are
    standardised as the bins are.
    """
    torch.manual_seed(seed)
    network = SpectraNetwork(len(MARKS) + len(FURTHER), BIN, nested(BIN), both_strands=True)
    means = network.encoder[1]
    means.mean.copy_(bins.mean)
    means.scale.copy_(bins.scale)
    labels = torch.from_numpy(regions.labels).float()
    after_counts = network.after_counts()
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = EPOCHS * math.ceil(len(labels) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    network.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(labels)).split(BATCH):
            loss = functional.binary_cross_entropy_with_logits(
                after_counts(regions.counts[rows]), labels[rows]
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return network.eval()


def links_of(regions: Regions) -> np.ndarray:
    """How much each of MARKS, by its standardised signal, says of each of FURTHER: float32
    [MARKS, FURTHER], logistic regressions' weights.
    """
    signals = (regions.signals - regions.signals.mean(axis=0)) / regions.signals.std(axis=0)
    models = [
        LogisticRegression(max_iter=1000).fit(signals, truth)
        for truth in regions.labels[:, len(MARKS) :].T
    ]
    return np.stack([model.coef_[0] for model in models], axis=1).astype(np.float32)


def further_logits(of_marks: Tensor, links: np.ndarray, of_regions: Tensor) -> Tensor:
    """Scores [n, FURTHER] from logits of MARKS around points, and of all marks [n, MARKS and
    FURTHER] by what is at them.
    """
    linked = standardised(of_marks) @ torch.from_numpy(links)
    return standardised(linked) + standardised(of_regions[:, len(MARKS) :])


def standardised(values: Tensor) -> Tensor:
    """Each column of [n, columns] less its mean, by its standard deviation."""
    return (values - values.mean(0)) / values.std(0)
