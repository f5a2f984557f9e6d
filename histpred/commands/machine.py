"""What this machine is, as far as histpred can be helped or hindered by it; for `histpred doctor`.

Only what can be told without anything that lies above `histpred.core`; nothing here fails where a
thing is missing.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from histpred.core.runtime import usable_cores

OK, NOTE, PROBLEM = "ok", "note", "problem"

OLDEST_PYTHON = (3, 11)
REQUIRED = (
    "click",
    "numpy",
    "onnxruntime",
    "pandas",
    "pybigtools",
    "pybigwig",
    "pydantic",
    "pysam",
)
OPTIONAL = {
    "torch": "encoders",
    "transformers": "encoders",
    "tokenizers": "encoders",
    "safetensors": "encoders",
    "huggingface_hub": "encoders",
    "pyarrow": "encoders",
    "onnxruntime-gpu": "gpu",
}
"""Package -> the extra of histpred that brings it."""

VARIABLES = {
    "HISTPRED_CACHE": "folder of FASTA indexes and copies",
    "HISTPRED_ENCODERS": "folder of encoders' weights",
    "HISTPRED_EXTRAS": "extras of a checkout's environment",
    "HISTPRED_NO_SKIP": "for tests",
    "HISTPRED_REGENERATE": "for tests",
    "HISTPRED_VENV": "folder of a checkout's environment",
}

GIB = 1024**3
LITTLE_MEMORY = 4 * GIB  # a large encoder with its batches needs about as much
LITTLE_SPACE = 2 * GIB  # weights and a store of embeddings
SECONDS = 20  # that nvidia-smi may take

NO_GPU_WANTED = "of no consequence if you want no GPU; "
GPU_FLAGS = {
    "Singularity": "--nv",
    "Apptainer": "--nv",
    "Docker": "--gpus all",
    "Podman": "--gpus all",
}
"""Container -> the flag that gives it the machine's NVIDIA GPUs."""


class Finding(NamedTuple):
    """What was looked at, what was found, OK, NOTE or PROBLEM, and what to do ('' for nothing)."""

    what: str
    found: str
    verdict: str = OK
    hint: str = ""


def lines(findings: Iterable[Finding]) -> list[str]:
    """Findings as aligned lines, each hint below its own.

    >>> lines([Finding("disk", "full", PROBLEM, "make room"), Finding("sky", "blue")])
    ['problem  disk  full', '               make room', 'ok       sky   blue']
    """
    findings = list(findings)
    width = max((len(finding.what) for finding in findings), default=0)
    made = []
    for what, found, verdict, hint in findings:
        made.append(f"{verdict:<{len(PROBLEM)}}  {what:<{width}}  {found}")
        if hint:
            made.append(" " * (len(PROBLEM) + 2 + width + 2) + hint)
    return made


def versions(histpred: str) -> list[Finding]:
    """Python, histpred and the packages that it uses."""
    found = platform.python_version()
    old = platform.python_version_tuple()[:2]
    python = Finding("Python", f"{found} ({platform.platform()})")
    if tuple(map(int, old)) < OLDEST_PYTHON:
        least = ".".join(map(str, OLDEST_PYTHON))
        python = python._replace(verdict=PROBLEM, hint=f"histpred needs Python {least} or newer")

    findings = [python, Finding("histpred", histpred)]
    gpu = version_of("onnxruntime-gpu")
    for package in REQUIRED:
        version = version_of(package)
        if package == "onnxruntime" and not version and gpu:
            findings.append(Finding(package, f"{gpu} (onnxruntime-gpu)"))
        elif version:
            findings.append(Finding(package, version))
        else:
            findings.append(
                Finding(package, "not installed", PROBLEM, "pip install histpred brings it")
            )
    for package, extra in OPTIONAL.items():
        version = version_of(package)
        missing = f"not installed; pip install 'histpred[{extra}]' brings it"
        findings.append(Finding(package, version or missing, OK if version else NOTE))
    if gpu and version_of("onnxruntime"):
        findings.append(
            Finding(
                "onnxruntime twice",
                "onnxruntime and onnxruntime-gpu are both installed, in one and the same folder",
                NOTE,
                "pip uninstall onnxruntime onnxruntime-gpu, then install the one that you want",
            )
        )
    return findings


def version_of(package: str) -> str:
    """The version of an installed package, '' if it is not."""
    try:
        return metadata.version(package) or ""
    except metadata.PackageNotFoundError:
        return ""


def cores_and_memory(root: Path = Path("/")) -> list[Finding]:
    """What this process may use, which a container or a scheduler may have made less than there is.

    `root`: where /proc and /sys are looked for.
    """
    groups = control_groups(root)
    cores = usable_cores()
    found = f"{cores} of {os.cpu_count() or cores}"
    finding = Finding("cores", found)
    quota = cpu_quota(groups)
    if quota is not None and quota < cores:
        finding = Finding(
            "cores",
            f"{found}, held back by a quota of {quota:g}",
            NOTE,
            "histpred starts a thread for each core: with 'taskset -c 0' (0-1, ...) before it, "
            "fewer threads than cores hinder each other less",
        )

    total = _memory()
    limit = memory_limit(groups)
    usable = min((size for size in (total, limit) if size), default=None)
    if usable is None:
        return [finding, Finding("memory", "cannot be told")]
    limited = f", limited from {in_gib(total)}" if total and limit and limit < total else ""
    memory = Finding("memory", f"{in_gib(usable)}{limited}")
    if usable < LITTLE_MEMORY:
        memory = memory._replace(
            verdict=NOTE, hint=f"a large encoder needs about {in_gib(LITTLE_MEMORY)}"
        )
    return [finding, memory]


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def control_groups(root: Path = Path("/")) -> list[Path]:
    """The folders of this process's control group (version 2) and of those above it."""
    mounted = root / "sys/fs/cgroup"
    own = Path()
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, path = line.partition("::")
        if number == "0" and ".." not in path:
            own = Path(path.lstrip("/"))
    return [mounted / own, *(mounted / parent for parent in own.parents)]


def cpu_quota(groups: Iterable[Path]) -> float | None:
    """The number of cores' worth of time that control groups allow, None for no limit."""
    quotas = []
    for group in groups:
        quota, _, period = _text(group / "cpu.max").strip().partition(" ")
        if quota.isdecimal() and period.isdecimal() and int(period):
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def memory_limit(groups: Iterable[Path]) -> int | None:
    """The bytes of memory that control groups allow, None for no limit."""
    limits = [_text(group / "memory.max").strip() for group in groups]
    return min((int(limit) for limit in limits if limit.isdecimal()), default=None)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def container(
    root: Path = Path("/"), environment: Mapping[str, str] | None = None
) -> tuple[str, str]:
    """The container that this process is in ('' for none) and by what it is known."""
    environment = os.environ if environment is None else environment
    signs = (
        ("Apptainer", "APPTAINER_CONTAINER" in environment, "APPTAINER_CONTAINER"),
        ("Singularity", "SINGULARITY_CONTAINER" in environment, "SINGULARITY_CONTAINER"),
        ("Podman", (root / "run/.containerenv").exists(), "/run/.containerenv"),
        ("Docker", (root / ".dockerenv").exists(), "/.dockerenv"),
    )
    for name, there, sign in signs:
        if there:
            return name, sign
    named = environment.get("container", "")
    known = {name.lower(): name for name in GPU_FLAGS}
    return known.get(named, named), f"container={named}"


def gpus(root: Path = Path("/"), environment: Mapping[str, str] | None = None) -> list[Finding]:
    """Container, NVIDIA devices and their driver."""
    environment = os.environ if environment is None else environment
    name, sign = container(root, environment)
    findings = [Finding("container", f"{name} ({sign})" if name else "none")]

    nodes = sorted(f"/dev/{node.name}" for node in (root / "dev").glob("nvidia[0-9]*"))
    devices = Finding("NVIDIA devices", ", ".join(nodes) or "none")
    if not nodes and (root / "dev/dxg").exists():
        devices = devices._replace(found="/dev/dxg (Windows Subsystem for Linux)")
    elif not nodes and name:
        flag = GPU_FLAGS.get(name) or "--gpus all (Docker, Podman) or --nv (Apptainer)"
        devices = devices._replace(
            verdict=NOTE,
            hint=f"{NO_GPU_WANTED}a GPU that the machine has is given to the container by {flag}",
        )
    findings.append(devices)
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        hides = visible in ("", "-1")
        findings.append(
            Finding(
                "CUDA_VISIBLE_DEVICES",
                visible or "empty",
                NOTE if hides else OK,
                "it hides all GPUs: unset it to use them" if hides else "",
            )
        )
    findings += _driver(bool(nodes))
    return findings


def _driver(wanted: bool) -> list[Finding]:
    """What nvidia-smi says; nothing if there is neither it nor a device."""
    program = shutil.which("nvidia-smi")
    if program is None:
        missing = Finding(
            "NVIDIA driver", "no nvidia-smi on PATH", NOTE, "the driver may not be installed whole"
        )
        return [missing] if wanted else []
    query = ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(
            [program, *query], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return [Finding("NVIDIA driver", f"nvidia-smi does not run: {error}", NOTE)]
    said = (done.stdout or done.stderr).strip().splitlines()
    if done.returncode or not said:
        found = f"nvidia-smi fails: {said[0] if said else f'exit code {done.returncode}'}"
        return [Finding("NVIDIA driver", found, NOTE, "mend the driver, or use --device cpu")]
    return [Finding("NVIDIA driver", line) for line in said]


def places() -> list[Finding]:
    """The current, the temporary and the home folder: whether they can be written to, and room."""
    findings = []
    for what, find in (
        ("current folder", Path.cwd),
        ("temporary folder", lambda: Path(tempfile.gettempdir())),
        ("home folder", Path.home),
    ):
        try:
            findings.append(_place(what, find()))
        except (OSError, RuntimeError) as error:
            findings.append(Finding(what, f"there is none: {error}", NOTE))
    return findings


def _place(what: str, folder: Path) -> Finding:
    if not os.access(folder, os.W_OK | os.X_OK):
        hints = {
            "current folder": "give -o a folder elsewhere",
            "temporary folder": "set TMPDIR to a folder that can be written to",
            "home folder": "set HISTPRED_ENCODERS to a folder for encoders' weights",
        }
        return Finding(what, f"{folder}: cannot be written to", NOTE, hints[what])
    free = shutil.disk_usage(folder).free
    finding = Finding(what, f"{folder}: can be written to, {in_gib(free)} free")
    if free < LITTLE_SPACE:
        return finding._replace(verdict=NOTE, hint="make room before large runs")
    return finding


def variables(environment: Mapping[str, str] | None = None) -> list[Finding]:
    """HISTPRED_* that are set."""
    environment = os.environ if environment is None else environment
    return [
        Finding(name, f"{value or 'empty'} ({VARIABLES[name]})")
        if name in VARIABLES
        else Finding(
            name, value, NOTE, f"histpred knows no such variable, only {', '.join(VARIABLES)}"
        )
        for name, value in sorted(environment.items())
        if name.startswith("HISTPRED_")
    ]


def in_gib(size: int | None) -> str:
    """Bytes for people.

    >>> in_gib(3 * 1024**3)
    '3.0 GiB'
    """
    return "?" if size is None else f"{size / GIB:,.1f} GiB"
