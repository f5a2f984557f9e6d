"""DeepHistone's DNA tower, as published and as the paper adapts it: bases to a logit for each mark.

Yin et al. 2019 (doi:10.1186/s12864-019-5489-4; code: QijinYin/DeepHistone, MIT licence) convolve
one-hot bases and, in a second tower, accessibility. As in appendix D of the paper, only the tower
of bases is kept. The first published 2-D convolution covers all four bases and the others have
height 1, so all are written as 1-D convolutions here. There is no sigmoid.

Each layer of a block adds 128 (block1) or 256 (block2) channels to its input; a transition halves
them and takes the maximum of four places. The 512 channels of 62 places that are left of 1,000 bp
are flattened in the vanilla form; in the adapted one, maximum and mean of the 750 places of 12,000
bp remain. The dense part has 29,365,975 parameters in the first, 949,975 in the second.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

FLATTEN, GLOBAL = POOLINGS = ("flatten", "global")
WIDTH = 925  # of the last hidden layer, as published
KERNEL = 9
SHRINK = 4


class OneHot(nn.Module):
    """Codes, uint8 [batch, length] (A C G T N = 0 to 4), to float32 [batch, 4, length]; N is 0."""

    table: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.eye(5, 4), persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        return nn.functional.embedding(codes.int(), self.table).transpose(1, 2)


class DenseLayer(nn.Module):
    """Batch norm, ReLU, convolution: adds `growth` channels to [batch, channels, length]."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)
        self.convolution = nn.Conv1d(channels, growth, KERNEL, padding=KERNEL // 2)

    def forward(self, values: Tensor) -> Tensor:
        return torch.cat([values, self.convolution(self.norm(values).relu())], dim=1)


class GlobalPooling(nn.Module):
    """Maximum and mean of each channel: [batch, channels, length] to [batch, 2 x channels]."""

    def forward(self, values: Tensor) -> Tensor:
        return torch.cat([values.amax(dim=2), values.mean(dim=2)], dim=1)


class DeepHistone(nn.Module):
    """The tower of bases with one output for each mark; windows have `length` bp.

    `pooling` is 'flatten' as published, or 'global' as the paper adapts it. Raises ValueError for
    another pooling, or if a window is too short for the two poolings by four.
    """

    def __init__(self, marks: int, pooling: str, length: int) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise ValueError(f"unknown pooling {pooling!r}: use {' or '.join(POOLINGS)}")
        if length < SHRINK**2:
            raise ValueError(f"windows of {length} bp: they must have {SHRINK**2} or more")
        self.length = length
        features = 2 * 512 if pooling == GLOBAL else length // SHRINK // SHRINK * 512
        self.encoder = nn.Sequential(
            OrderedDict(
                one_hot=OneHot(),
                conv1=nn.Conv1d(4, 128, KERNEL, padding=KERNEL // 2),
                block1=_dense_block(128, 128),
                trans1=_transition(512, 256),
                block2=_dense_block(256, 256),
                trans2=_transition(1024, 512),
                pool=GlobalPooling() if pooling == GLOBAL else nn.Flatten(),
                dense=nn.Sequential(
                    nn.Dropout(0.5), nn.Linear(features, WIDTH), nn.BatchNorm1d(WIDTH), nn.ReLU()
                ),
            )
        )
        self.output = nn.Linear(WIDTH, marks)

    def forward(self, codes: Tensor) -> Tensor:
        """Logits [batch, marks] of codes, uint8 [batch, length] (A C G T N = 0 to 4)."""
        logits: Tensor = self.output(self.encoder(codes))
        return logits


def vanilla(marks: int) -> DeepHistone:
    """DeepHistone as published, for 1,000 bp centred on the TSS (paper, appendix D)."""
    return DeepHistone(marks, FLATTEN, 1_000)


def adapted(marks: int) -> DeepHistone:
    """DeepHistone as the paper adapts it, for 11,000 bp upstream of the TSS, 1,000 downstream."""
    return DeepHistone(marks, GLOBAL, 12_000)


def _dense_block(channels: int, growth: int) -> nn.Sequential:
    return nn.Sequential(*(DenseLayer(channels + i * growth, growth) for i in range(3)))


def _transition(channels: int, reduced: int) -> nn.Sequential:
    return nn.Sequential(
        nn.BatchNorm1d(channels), nn.ReLU(), nn.Conv1d(channels, reduced, 1), nn.MaxPool1d(SHRINK)
    )
