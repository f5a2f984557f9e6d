"""onnxruntime, kept quiet, offline and honest about its device: the one place that imports it."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from histpred.core.errors import BundleError, DeviceError, UsageError

if TYPE_CHECKING:
    import onnxruntime

logger = logging.getLogger(__name__)

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
CUDA_HINT = (
    "install onnxruntime-gpu (pip install 'histpred[gpu]') in place of onnxruntime, with the CUDA "
    "and cuDNN it was built for; or use --device cpu"
)


def load_onnxruntime() -> ModuleType:
    """The module onnxruntime, without telemetry and with nothing but fatal messages.

    Release 1.32 prepares telemetry as soon as it is imported: files in the home and the temporary
    folder, and an upload. The variable keeps it from all of that; `disable_telemetry_events` would
    come too late.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    return onnxruntime


def parse_device(device: str) -> tuple[str, int]:
    """The kind of a device and its number: 'cuda:1' is ('cuda', 1), 'cuda' is ('cuda', 0).

    Raises UsageError for anything but auto, cpu, cuda, cuda:N and mps.
    """
    name, _, index = device.partition(":")
    if name not in {"auto", "cpu", "cuda", "mps"} or (
        index and not (name == "cuda" and index.isdecimal())
    ):
        raise UsageError(f"unknown device {device!r}", "use auto, cpu, cuda, cuda:N or mps")
    return name, int(index or 0)


def open_session(
    path: Path, device: str, threads: int | None = None
) -> tuple[onnxruntime.InferenceSession, str]:
    """An onnxruntime session on the graph at `path`, and the device that it really runs on.

    Parameters
    ----------
    device
        'cpu', 'cuda', 'cuda:N', or 'auto': CUDA where there is one, else the CPU; 'mps' is the CPU,
        since onnxruntime has no such device.
    threads
        CPU threads; None for the cores this process may use.

    Raises
    ------
    BundleError
        Where onnxruntime cannot open the file.
    DeviceError, UsageError
        For a device that is named and not there, or that is none.
    """
    name, number = parse_device(device)
    if threads is not None and threads < 1:
        raise UsageError(f"{threads} threads", "use 1 or more")

    onnxruntime = load_onnxruntime()
    has_cuda = CUDA in onnxruntime.get_available_providers()
    if name == "cuda" and not has_cuda:
        raise DeviceError(
            f"device {device!r} was asked for: this onnxruntime has no CUDA", CUDA_HINT
        )

    if name in ("auto", "cuda") and has_cuda:
        # TF32 would round the matrices to ten bits: CPU and GPU could not agree to 1e-4
        session, reason = _start_cuda(path, {"device_id": str(number), "use_tf32": "0"}, threads)
        if session:
            return session, f"cuda:{number}"
        if name == "cuda":
            raise DeviceError(f"device {device!r} was asked for: {reason}", CUDA_HINT)
        logger.warning("CUDA is installed but does not start, scoring on the CPU: %s", reason)

    return _create(path, [CPU], threads), "cpu"


def _start_cuda(
    path: Path, options: dict[str, str], threads: int | None
) -> tuple[onnxruntime.InferenceSession | None, str]:
    """A session on CUDA, or None and the reason; onnxruntime may fall back without a word."""
    try:
        session = _create(path, [(CUDA, options), CPU], threads)
    except BundleError as error:  # a broken file as much as a missing device: the CPU will tell
        return None, str(error.__cause__)
    if session.get_providers()[0] != CUDA:
        return None, "its libraries cannot be loaded"
    return session, ""


def _create(
    path: Path, providers: list[str | tuple[str, dict[str, str]]], threads: int | None
) -> onnxruntime.InferenceSession:
    onnxruntime = load_onnxruntime()
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads or usable_cores()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(
            path,
            options,
            providers=providers,
            enable_fallback=0,  # it would print to standard output
        )
    except (
        RuntimeError,
        ValueError,
        errors.EPFail,
        errors.Fail,
        errors.InvalidArgument,
        errors.InvalidGraph,
        errors.InvalidProtobuf,
        errors.NoModel,
        errors.NotImplemented,
        errors.RuntimeException,
    ) as error:
        raise BundleError(
            f"{path}: onnxruntime cannot open it: {error}", "get the bundle again"
        ) from error


def usable_cores() -> int:
    """Cores this process may run on, which a container or a scheduler may have made fewer than
    there are.
    """
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
