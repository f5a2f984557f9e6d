"""The device and precision of torch encoders; `auto` takes CUDA if it works, otherwise the CPU."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from histpred.core.errors import DeviceError, UsageError
from histpred.core.runtime import parse_device

logger = logging.getLogger(__name__)

PRECISIONS = {"cpu": ("fp32", "int8"), "cuda": ("fp16", "fp32", "bf16"), "mps": ("fp32", "fp16")}
"""The precisions of each type of device; the first is what 'auto' means there."""

DTYPES = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "int8": torch.float32,  # only the linear layers compute in int8
}

NVIDIA_DEVICE = Path("/dev/nvidia0")
CONTAINER_HINT = (
    "in a container, add --gpus all (Docker, Podman) or --nv (Singularity, Apptainer); "
    "'histpred doctor' shows details"
)


def choose_device(device: str) -> torch.device:
    """The torch device that `device` ('auto', 'cpu', 'cuda', 'cuda:N', 'mps') means here.

    Raises UsageError for any other name, DeviceError for a named device that is not there.
    """
    name, number = parse_device(device)
    if name == "cpu":
        return torch.device("cpu")
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise DeviceError(
                "device 'mps' was asked for: this machine has no Apple GPU, or torch was built "
                "without support for it",
                "use --device cpu or auto",
            )
        return torch.device("mps")

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
