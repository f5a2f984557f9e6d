"""Linear layers in int8 for the CPU.

Weights are rounded once, to 127 steps for each output. Activations are rounded at each call, to 127
steps for each row. A row's result depends on that row alone, exactly, since integers add up to the
same sum in any order. This is LLM.int8()'s vector-wise quantisation (Dettmers 2022,
arXiv:2208.07339) without its outlier path.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

STEPS = 127
FEWEST_ROWS = 17  # torch._int_mm refuses fewer


class Int8Linear(nn.Module):
    """A linear layer [..., in] -> [..., out] made from a float one."""

    weight: Tensor
    scale: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach().float()
        scale = _scale(weight)
        self.register_buffer("weight", (weight / scale).round().to(torch.int8).t().contiguous())
        self.register_buffer("scale", scale.view(1, -1).clone())
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """The same as nn.Linear's, float32 in and out."""
        rows = x.reshape(-1, x.shape[-1])
        scale = _scale(rows)
        steps = (rows * scale.reciprocal()).round_().to(torch.int8)
        missing = FEWEST_ROWS - len(steps)
        if missing > 0:
            steps = nn.functional.pad(steps, (0, 0, 0, missing))
        product = torch._int_mm(steps, self.weight)[: len(rows)]
        result = product.float().mul_(scale).mul_(self.scale)
        if self.bias is not None:
            result += self.bias
        return result.view(*x.shape[:-1], -1)


def quantise(model: nn.Module) -> None:
    """Replace every nn.Linear in `model`, in place."""
    for name, child in model.named_children():
        if type(child) is nn.Linear:
            setattr(model, name, Int8Linear(child))
        else:
            quantise(child)


def _scale(rows: Tensor) -> Tensor:
    """The size of a step for each row [n, 1]; 1 for a row of zeros.

    A row with a NaN gets NaN, so that its result is NaN. Rounded to int8 it would become a number.
    """
    scale = rows.abs().amax(dim=1, keepdim=True) / STEPS
    return torch.where(scale == 0, 1, scale)
