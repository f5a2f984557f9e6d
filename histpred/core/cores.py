"""The cores that this process may use, and the threads that it and its libraries start.

Only this module knows them. A container, a scheduler or `taskset` may allow fewer cores than the
machine has; a user may want fewer still.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    "VECLIB_MAXIMUM_THREADS",  # Apple's Accelerate
)
"""What torch, scikit-learn, pyarrow and the BLAS of numpy read when they are imported."""

_wanted: int | None = None  # threads, by `limited_threads`


def usable_cores() -> int:
    """The number of threads to start: those of `limited_threads`, or one for each allowed core."""
    return _wanted or allowed_cores()


def allowed_cores(root: Path = Path("/"), environment: Mapping[str, str] | None = None) -> int:
    """The number of cores that the system, a container and Slurm allow; at least 1.

    /proc and /sys are read below `root`.
    """
    environment = os.environ if environment is None else environment
    quota = cpu_quota(root)
    limits = [cores_of_system(), slurm_cores(environment)]
    limits.append(math.ceil(quota) if quota else None)
    return max(1, min(limit for limit in limits if limit))


def cores_of_system() -> int:
    """The number of cores that the system lets this process run on."""
    if hasattr(os, "sched_getaffinity"):  # missing on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def slurm_cores(environment: Mapping[str, str]) -> int | None:
    """The number of cores of a Slurm task, or of the job on this machine; None outside a job."""
    for name in ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"):
        value = environment.get(name, "")
        if "SLURM_JOB_ID" in environment and value.isdecimal() and int(value):
            return int(value)
    return None


def cpu_quota(root: Path = Path("/")) -> float | None:
    """The CPU time that the control groups of this process allow, in cores; None for no limit."""
    quotas: list[tuple[str, str]] = []
    for group in control_groups(root):
        quota, _, period = system_text(group / "cpu.max").strip().partition(" ")
        quotas.append((quota, period))
    for group in control_groups(root, "cpu"):
        quota, period = (system_text(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
        quotas.append((quota.strip(), period.strip()))
    limits = [int(q) / int(p) for q, p in quotas if q.isdecimal() and p.isdecimal() and int(p)]
    return min(limits, default=None)


def control_groups(root: Path = Path("/"), controller: str = "") -> list[Path]:
    """The folders of this process's control group and of its ancestors.

    controller: of version 1, such as 'cpu'; empty: version 2.
    """
    mounted = root / "sys/fs/cgroup" / controller
    own = Path()
    for line in system_text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")  # the number of the hierarchy
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(",") and ".." not in path:
            own = Path(path.lstrip("/"))
    return [mounted / own, *(mounted / parent for parent in own.parents)]


def system_text(path: Path) -> str:
    """The text of a file of /proc or /sys, '' if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


@contextmanager
def limited_threads(threads: int | None = None) -> Iterator[None]:
    """Have histpred and its libraries start at most `threads` threads each for computing.

    None: one for each allowed core. Libraries that are imported in the block keep the limit, since
    they read it once. Those that are there already get it for the block: torch, and with
    threadpoolctl the BLAS of numpy.
    """
    global _wanted
    allowed = allowed_cores()
    if threads is None and allowed == cores_of_system():  # the libraries know as much
        yield
        return
    with ExitStack() as stack:
        before = _wanted
        _wanted = threads or allowed
        stack.callback(_restore, before)
        if threads or not any(name in os.environ for name in VARIABLES):
            stack.enter_context(_environment(dict.fromkeys(VARIABLES, str(_wanted))))
            stack.enter_context(_limited_libraries(_wanted))
        yield


def _restore(threads: int | None) -> None:
    global _wanted
    _wanted = threads


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _limited_libraries(threads: int) -> Iterator[None]:
    """Limit the libraries that have been imported."""
    with ExitStack() as stack:
        if "torch" in sys.modules:
            import torch

            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(threads)
        if "numpy" in sys.modules:
            try:
                from threadpoolctl import threadpool_limits
            except ModuleNotFoundError:  # it comes with scikit-learn
                pass
            else:
                stack.enter_context(threadpool_limits(threads, "blas"))
        yield
