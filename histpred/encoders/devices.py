"""Device and precision of torch encoders: what `auto` means here, int8 and bf16 on the CPU."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch import Tensor, nn

from histpred.core.errors import DeviceError, UsageError
from histpred.core.runtime import parse_device

logger = logging.getLogger(__name__)

FP32, FP16, BF16, INT8 = "fp32", "fp16", "bf16", "int8"
PRECISIONS = {"cpu": (FP32, INT8, BF16), "cuda": (FP16, FP32, BF16), "mps": (FP32, FP16)}
"""The precisions of each type of device; the first is what 'auto' means there. Not every CPU has
bf16: see `precisions_of`."""

DTYPES = {FP32: torch.float32, FP16: torch.float16, BF16: torch.bfloat16}
BF16_FEATURES = ("avx512_bf16", "amx_bf16", "bf16")  # torch's names; the last one is ARM's
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
    possible = precisions_of(device)
    if precision == "auto":
        return possible[0]
    if precision not in possible:
        what = f"precision {precision!r} is not available on the device {str(device)!r}"
        if precision in PRECISIONS[device.type]:
            what += f": {why_no_bf16()}"
        raise UsageError(what, f"use auto or {', '.join(possible)}")
    return precision


def choose_training_precision(device: torch.device, precision: str) -> str:
    """The precision of training: bf16 on CUDA and where it is asked for, otherwise fp32.

    UsageError if bf16 is asked for and the device lacks it.
    """
    if precision == BF16:
        return choose_precision(device, precision)
    return BF16 if device.type == "cuda" else FP32


def precisions_of(device: torch.device) -> tuple[str, ...]:
    """The precisions of a device of this machine; the first is what 'auto' means."""
    possible = PRECISIONS[device.type]
    if device.type == "cpu" and why_no_bf16():
        return tuple(precision for precision in possible if precision != BF16)
    return possible


def bf16_features() -> list[str]:
    """The CPU's instructions for products in bf16, by torch's names."""
    # torch's other tests say yes where bf16 is emulated, which is slower than fp32.
    features = torch.cpu.get_capabilities()
    return [name for name in BF16_FEATURES if features.get(name)]


def why_no_bf16() -> str:
    """The reason why products in bf16 are not fast on this CPU, '' if they are."""
    if not torch.backends.mkldnn.is_available():
        return f"this torch ({torch.__version__}) was built without oneDNN, which computes in bf16"
    if not hasattr(torch.cpu, "get_capabilities"):
        return f"this torch ({torch.__version__}) is too old to say whether the CPU computes in it"
    if not bf16_features():
        return (
            "this CPU has no bf16 arithmetic (x86: avx512_bf16 or amx_bf16; ARM: bf16), without "
            "which it is slower than fp32"
        )
    return ""


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


class Bf16Linear(nn.Module):
    """A linear layer [..., in] -> [..., out] made from a float one; its product is in bf16.

    All else in the network stays in float32: the sums of a residual, norms, attention and means. So
    the vectors drift a third as much as those of a network that is in bf16 as a whole.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        bias = None if linear.bias is None else linear.bias.detach().bfloat16()
        self.register_buffer("weight", linear.weight.detach().bfloat16())
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        """The same as nn.Linear's, float32 in and out."""
        return nn.functional.linear(x.bfloat16(), self.weight, self.bias).float()


ROUNDED = {INT8: Int8Linear, BF16: Bf16Linear}


def round_linear(model: nn.Module, precision: str) -> None:
    """Replace every nn.Linear in `model` by one of this precision of `ROUNDED`, in place."""
    for name, child in model.named_children():
        if type(child) is nn.Linear:
            setattr(model, name, ROUNDED[precision](child))
        else:
            round_linear(child, precision)


def _scale(rows: Tensor) -> Tensor:
    """The size of a step for each row [n, 1]; 1 for a row of zeros.

    A row with a NaN gets NaN, so that its result is NaN. Rounded to int8 it would become a number.
    """
    scale = rows.abs().amax(dim=1, keepdim=True) / STEPS
    return torch.where(scale == 0, 1, scale)
