"""onnxruntime sessions: silent, offline, and on a known device. Only this module imports it.

A graph is checked before onnxruntime opens it, its constants are not computed beforehand, and its
arrays share a limited memory. So no graph of a bundle can ask for more than the machine has.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from histpred.core.cores import usable_cores
from histpred.core.errors import (
    MORE_MEMORY,
    BundleError,
    DeviceError,
    ModelError,
    TemporaryError,
    UsageError,
    first_line,
    is_memory,
)
from histpred.core.extras import hides_gpu, how_to_use_gpu
from histpred.core.graph import check_graph

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime
    from google.protobuf.message import Message

logger = logging.getLogger(__name__)

Change = Callable[["Message"], None]
"""Alters a graph, read as `histpred.core.graph` does, in place."""

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
MOST_MEMORY = 16 << 30  # bytes of a graph's arrays; the largest of ours takes 10 kB for each base
DRIVER_HINT = (
    "is there an NVIDIA GPU, with a driver for the CUDA that onnxruntime-gpu was built for "
    "(nvidia-smi), and are CUDA and cuDNN installed? Or use --device cpu"
)
HIDES_GPU = "onnxruntime lies over onnxruntime-gpu, in the same folder"


def load_onnxruntime() -> ModuleType:
    """Import onnxruntime without telemetry; it prints fatal messages only.

    Release 1.32 starts telemetry when it is imported: it writes files to the home and temporary
    folders and uploads data. The environment variable prevents that; calling
    `disable_telemetry_events` after the import would be too late.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    onnxruntime = importlib.import_module("onnxruntime")
    onnxruntime.set_default_logger_severity(4)
    return onnxruntime


def parse_device(device: str) -> tuple[str, int]:
    """Split a device into its kind and number: 'cuda:1' is ('cuda', 1), 'cuda' is ('cuda', 0).

    Raises UsageError unless the device is auto, cpu, cuda, cuda:N or mps.
    """
    name, colon, index = device.partition(":")
    numbered = name == "cuda" and index.isdecimal()
    if name not in {"auto", "cpu", "cuda", "mps"} or (colon and not numbered):
        raise UsageError(f"unknown device {device!r}", "use auto, cpu, cuda, cuda:N or mps")
    return name, int(index or 0)


def open_session(
    path: Path, device: str, threads: int | None = None, change: Change | None = None
) -> tuple[onnxruntime.InferenceSession, str]:
    """Open an onnxruntime session for the graph at `path`; return it and the device that it uses.

    device: 'cpu', 'cuda', 'cuda:N' or 'auto' (CUDA if available, else the CPU). 'mps' means the
    CPU, because onnxruntime does not support it. threads: number of CPU threads; None: one for each
    core that this process may use. change: alters the graph before it is opened. Raises
    BundleError if onnxruntime cannot open the file, DeviceError if CUDA is named and cannot be
    used, and UsageError for an unknown device or less than 1 thread.
    """
    name, number = parse_device(device)
    if threads is not None and threads < 1:
        raise UsageError(f"cannot run {threads} threads", "use 1 or more")

    onnxruntime = load_onnxruntime()
    providers = onnxruntime.get_available_providers()
    has_cuda = CUDA in providers
    hidden = hides_gpu(providers)
    if name == "cuda" and not has_cuda:
        why = HIDES_GPU if hidden else "this onnxruntime has no CUDA"
        reason = f"device {device!r} was asked for: {why}"
        libraries = "install the CUDA and cuDNN that onnxruntime-gpu was built for"
        raise DeviceError(reason, f"{how_to_use_gpu()}, and {libraries}; or use --device cpu")
    if name == "auto" and hidden:
        logger.warning("scoring on the CPU: %s: %s", HIDES_GPU, how_to_use_gpu())
    if name in ("auto", "cuda") and has_cuda:
        # TF32 rounds matrices to ten bits; CPU and GPU would differ by more than 1e-4.
        options = {"device_id": str(number), "use_tf32": "0"}
        session, reason = _start_cuda(path, options, threads, change)
        if session:
            return session, f"cuda:{number}"
        if name == "cuda":
            raise DeviceError(f"device {device!r} was asked for: {reason}", DRIVER_HINT)
        logger.warning("CUDA is installed but does not start; scoring on the CPU: %s", reason)

    return _create(path, [CPU], threads, change), "cpu"


def _start_cuda(
    path: Path, options: dict[str, str], threads: int | None, change: Change | None
) -> tuple[onnxruntime.InferenceSession | None, str]:
    """A session on CUDA, or None and the reason; onnxruntime may fall back silently."""
    try:
        session = _create(path, [(CUDA, options), CPU], threads, change)
    except BundleError as error:  # a missing device or a broken file: the CPU session will show
        return None, str(error.__cause__)
    if session.get_providers()[0] != CUDA:
        return None, "its libraries cannot be loaded"
    return session, ""


def _create(
    path: Path,
    providers: list[str | tuple[str, dict[str, str]]],
    threads: int | None,
    change: Change | None,
) -> onnxruntime.InferenceSession:
    content = path.read_bytes()
    model = check_graph(content, path)
    if change:
        change(model)
        content = model.SerializeToString()
    onnxruntime = load_onnxruntime()
    _limit_memory()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads or usable_cores()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry("session.use_env_allocators", "1")
    try:
        # The fallback prints to standard output.
        return onnxruntime.InferenceSession(
            content,
            options,
            providers=providers,
            enable_fallback=0,
            disabled_optimizers=["ConstantFolding"],
        )
    except _errors() as error:
        if is_memory(error):
            raise TemporaryError(f"{path}: out of memory", MORE_MEMORY) from error
        reason = f"{path}: onnxruntime cannot open it: {error}"
        raise BundleError(reason, "get the bundle again") from error


def run_session(
    session: onnxruntime.InferenceSession,
    path: Path,
    output: str,
    inputs: Mapping[str, np.ndarray],
    shape: tuple[int, ...],
) -> np.ndarray:
    """Return the output of a graph, float32 of this shape; `path` is its name in messages.

    Raises ModelError if the graph fails, or gives another shape or type, and TemporaryError if it
    needs more memory than there is.
    """
    values: np.ndarray
    try:
        (values,) = session.run([output], inputs)
    except _errors() as error:
        asked = re.search(r"(?:buffer of size|requested bytes of) (\d+)", str(error))
        if asked is None and not is_memory(error):
            what = f"{path}: onnxruntime cannot run it: {first_line(error)}"
            raise ModelError(what, "get the bundle again") from error
        if asked and int(asked[1]) > MOST_MEMORY:
            what = f"{path}: asks for {int(asked[1]) >> 30:,} GiB of memory at once"
            raise ModelError(what, f"graphs get at most {MOST_MEMORY >> 30} GiB") from error
        raise TemporaryError(f"{path}: out of memory", MORE_MEMORY) from error
    if values.shape != shape or values.dtype != "float32":
        found = f"{output} of shape {list(values.shape)} and type {values.dtype}"
        what = f"{path}: gave {found}, expected {list(shape)} and float32"
        raise ModelError(what, "the graph mixes the rows of a batch, or is damaged")
    return values


def _errors() -> tuple[type[Exception], ...]:
    """The exceptions of onnxruntime."""
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    return (
        *(RuntimeError, ValueError, errors.EPFail, errors.Fail, errors.InvalidArgument),
        *(errors.InvalidGraph, errors.InvalidProtobuf, errors.NoModel, errors.NotImplemented),
        errors.RuntimeException,
    )


@cache
def _limit_memory() -> None:
    """Limit the memory of all sessions of this process that run on the CPU."""
    onnxruntime = load_onnxruntime()
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    limit = onnxruntime.OrtArenaCfg({"max_mem": min(MOST_MEMORY, physical)})
    try:
        onnxruntime.create_and_register_allocator(memory, limit)
    except _errors():  # a program that uses histpred has set its own
        logger.debug("onnxruntime's memory was limited before")
