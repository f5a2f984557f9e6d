"""Device and precision of torch encoders: what `auto` means here, and int8 on the CPU."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch import Tensor, nn

from histpred.core.errors import DeviceError, UsageError
from histpred.core.runtime import parse_device

logger = logging.getLogger(__name__)

PRECISIONS = {"cpu": ("fp32", "int8"), "cuda": ("fp16", "fp32", "bf16"), "mps": ("fp32", "fp16")}
"""The precisions of each type of device; the first is what 'auto' means there."""

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
DTYPES["int8"] = torch.float32  # only the linear layers compute in int8
STEPS = 127  # of int8
FEWEST_ROWS = 17  # torch._int_mm refuses fewer

NVIDIA_DEVICE = Path("/dev/nvidia0")
CONTAINER_HINT = (
    "in a container, add --gpus all (Docker, Podman) or --nv (Singularity, Apptainer); "
    "'histpred doctor' shows details"
)


def choose_device(device: str) -> torch.device:
    """The torch device of a name; UsageError if it is unknown, DeviceError if it is not there."""
    name, number = parse_device(device)
    if name == "mps" and not torch.backends.mps.is_available():
        raise DeviceError(
            "device 'mps' was asked for: this machine has no Apple GPU, or torch was built without "
            "support for it",
            "use --device cpu or auto",
        )
    if name in ("cpu", "mps"):
        return torch.device(name)
    reason = why_no_cuda()
    if not reason:
        count = torch.cuda.device_count()
        if number >= count:
            what = f"device {device!r} was asked for: there are {count}, counted from cuda:0"
            raise DeviceError(what, "check CUDA_VISIBLE_DEVICES and nvidia-smi")
        return torch.device("cuda", number)
    if name == "cuda":
        raise DeviceError(f"device {device!r} was asked for: {reason}", CONTAINER_HINT)
    logger.warning("running on the CPU: %s", reason)
    return torch.device("cpu")


def choose_precision(device: torch.device, precision: str) -> str:
    """The precision that `precision` means on a device; UsageError if the device lacks it."""
    possible = PRECISIONS[device.type]
    if precision == "auto":
        return possible[0]
    if precision not in possible:
        what = f"precision {precision!r} is not available on the device {str(device)!r}"
        raise UsageError(what, f"use auto or {', '.join(possible)}")
    return precision


def why_no_cuda() -> str:
    """The reason why torch cannot use CUDA here, '' if it can."""
    if torch.cuda.is_available():
        return ""
    if torch.version.cuda is None and getattr(torch.version, "hip", None) is None:
        built = f"this torch ({torch.__version__}) was built without CUDA"
        return f"{built}, though {NVIDIA_DEVICE} exists" if NVIDIA_DEVICE.exists() else built
    if NVIDIA_DEVICE.exists():
        return f"{NVIDIA_DEVICE} exists, but torch {torch.__version__} cannot start CUDA on it"
    return "there is no NVIDIA device"


class Int8Linear(nn.Module):
    """A linear layer [..., in] -> [..., out] made from a float one.

    Weights are rounded once, to 127 steps for each output; activations at each call, to 127 steps
    for each row. A row's result depends on that row alone, exactly, since integers add up to the
    same sum in any order. This is LLM.int8()'s vector-wise quantisation (Dettmers 2022,
    arXiv:2208.07339) without its outlier path.
    """

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
