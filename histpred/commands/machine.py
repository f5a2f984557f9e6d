"""What the machine offers to histpred: packages, cores, memory, GPUs, folders and variables.

These checks serve `histpred doctor`. A missing package, file or program is a finding, not an error.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from histpred.core.cores import (
    allowed_cores,
    control_groups,
    cores_of_system,
    cpu_quota,
    slurm_cores,
    system_text,
)
from histpred.core.extras import how_to_install
from histpred.core.version import __version__

OK, NOTE, PROBLEM = "ok", "note", "problem"

OLDEST_PYTHON = (3, 11)
NEEDED = (
    *("click", "deflate", "jinja2", "markdown-it-py", "numpy", "onnxruntime", "pandas", "protobuf"),
    *("pybigwig", "pydantic", "pysam"),
)
ENCODERS = ("torch", "transformers", "tokenizers", "safetensors", "huggingface_hub", "pyarrow")
OPTIONAL = dict.fromkeys(ENCODERS, "encoders") | {"onnxruntime-gpu": "gpu"}
"""Package -> the extra of histpred that installs it."""

VARIABLES = {
    "HISTPRED_CACHE": "folder of FASTA indexes and copies",
    "HISTPRED_ENCODERS": "folder of encoder weights",
    "HISTPRED_EXTRAS": "extras installed in a checkout's environment",
    "HISTPRED_NO_SKIP": "for tests",
    "HISTPRED_REGENERATE": "for tests",
    "HISTPRED_VENV": "folder of a checkout's environment",
}

GIB = 1024**3
LITTLE_MEMORY = 4 * GIB  # needed by a large encoder with its batches
LITTLE_SPACE = 2 * GIB  # needed for weights and a store of embeddings

SECONDS = 20  # time limit for nvidia-smi
GPU_FLAGS = dict.fromkeys(("Apptainer", "Singularity"), "--nv")
GPU_FLAGS |= dict.fromkeys(("Docker", "Podman"), "--gpus all")
"""Container -> the flag that gives it access to NVIDIA GPUs."""


class Finding(NamedTuple):
    """The result of a check: its subject, what was found, OK, NOTE or PROBLEM, and what to do."""

    what: str
    found: str
    verdict: str = OK
    hint: str = ""


def in_gib(size: int) -> str:
    return f"{size / GIB:,.1f} GiB"


def lines(findings: Iterable[Finding]) -> list[str]:
    """Findings as aligned lines, each hint on a line of its own.

    >>> lines([Finding("disk", "full", PROBLEM, "make room"), Finding("sky", "blue")])
    ['problem  disk  full', '               make room', 'ok       sky   blue']
    """
    findings = list(findings)
    width = max((len(finding.what) for finding in findings), default=0)
    rows = []
    for what, found, verdict, hint in findings:
        rows.append(f"{verdict:<{len(PROBLEM)}}  {what:<{width}}  {found}")
        if hint:
            rows.append(" " * (len(PROBLEM) + 2 + width + 2) + hint)
    return rows


def versions() -> list[Finding]:
    """Versions of Python, histpred and its packages."""
    python = Finding("Python", f"{platform.python_version()} ({platform.platform()})")
    if sys.version_info[:2] < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        python = python._replace(verdict=PROBLEM, hint=f"histpred needs Python {oldest} or newer")

    findings = [python, Finding("histpred", __version__)]
    gpu = version_of("onnxruntime-gpu")
    for package in NEEDED:
        if version := version_of(package):
            findings.append(Finding(package, version))
        elif package == "onnxruntime" and gpu:
            findings.append(Finding(package, f"{gpu} (onnxruntime-gpu)"))
        else:
            findings.append(Finding(package, "not installed", PROBLEM, f"pip install {package}"))
    for package, extra in OPTIONAL.items():
        version = version_of(package)
        missing = f"not installed; {how_to_install(extra)}"
        findings.append(Finding(package, version or missing, OK if version else NOTE))
    return findings


def version_of(package: str) -> str:
    """The version of an installed package, '' if it is not installed."""
    try:
        return metadata.version(package) or ""
    except metadata.PackageNotFoundError:
        return ""


def cores_and_memory(root: Path = Path("/")) -> list[Finding]:
    """The cores and the memory that this process may use; /proc and /sys are read below `root`.

    A container or a scheduler may allow less than the machine has.
    """
    cores, possible = allowed_cores(root), cores_of_system()
    found = f"{cores} of {os.cpu_count() or cores}"
    quota, job = cpu_quota(root), slurm_cores(os.environ)
    if quota is not None and quota < possible:
        found += f", limited by a quota of {quota:g}"
    if job is not None and job < possible:
        found += f", limited by Slurm to {job}"
    processors = Finding("cores", found)

    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        total = None
    limit = memory_limit(control_groups(root))
    usable = min((size for size in (total, limit) if size), default=None)
    if usable is None:
        return [processors, Finding("memory", "unknown")]
    limited = f", limited from {in_gib(total)}" if total and limit and limit < total else ""
    memory = Finding("memory", f"{in_gib(usable)}{limited}")
    if usable < LITTLE_MEMORY:
        hint = f"a large encoder needs about {in_gib(LITTLE_MEMORY)}"
        memory = memory._replace(verdict=NOTE, hint=hint)
    return [processors, memory]


def memory_limit(groups: Iterable[Path]) -> int | None:
    """The memory that the control groups allow, in bytes; None for no limit."""
    limits = [system_text(group / "memory.max").strip() for group in groups]
    return min((int(limit) for limit in limits if limit.isdecimal()), default=None)


def gpus(root: Path = Path("/"), environment: Mapping[str, str] | None = None) -> list[Finding]:
    """The container, the NVIDIA devices and their driver."""
    environment = os.environ if environment is None else environment
    name, evidence = container(root, environment)
    findings = [Finding("container", f"{name} ({evidence})" if name else "none")]

    nodes = sorted(f"/dev/{node.name}" for node in (root / "dev").glob("nvidia[0-9]*"))
    devices = Finding("NVIDIA devices", ", ".join(nodes) or "none")
    if not nodes and (root / "dev/dxg").exists():
        devices = devices._replace(found="/dev/dxg (Windows Subsystem for Linux)")
    elif not nodes and name:
        flag = GPU_FLAGS.get(name) or "--gpus all (Docker, Podman) or --nv (Apptainer)"
        hint = f"to use a GPU of the machine, start the container with {flag}"
        devices = devices._replace(verdict=NOTE, hint=hint)
    findings.append(devices)

    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible in ("", "-1"):
        hint = "this hides all GPUs: unset it to use them"
        findings.append(Finding("CUDA_VISIBLE_DEVICES", visible or "empty", NOTE, hint))
    elif visible is not None:
        findings.append(Finding("CUDA_VISIBLE_DEVICES", visible))
    return findings + _driver(bool(nodes))


def container(root: Path, environment: Mapping[str, str]) -> tuple[str, str]:
    """The container that this process runs in ('' for none), and the evidence for it."""
    for name, found, evidence in (
        ("Apptainer", "APPTAINER_CONTAINER" in environment, "APPTAINER_CONTAINER"),
        ("Singularity", "SINGULARITY_CONTAINER" in environment, "SINGULARITY_CONTAINER"),
        ("Podman", (root / "run/.containerenv").exists(), "/run/.containerenv"),
        ("Docker", (root / ".dockerenv").exists(), "/.dockerenv"),
    ):
        if found:
            return name, evidence
    named = environment.get("container", "")
    known = {name.lower(): name for name in GPU_FLAGS}
    return known.get(named, named), f"container={named}"


def _driver(has_devices: bool) -> list[Finding]:
    """The driver as nvidia-smi reports it; nothing if there is neither nvidia-smi nor a device."""
    what = "NVIDIA driver"
    program = shutil.which("nvidia-smi")
    if program is None:
        hint = "the driver may be only partly installed"
        return [Finding(what, "no nvidia-smi on PATH", NOTE, hint)] if has_devices else []
    query = [program, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return [Finding(what, f"nvidia-smi does not run: {error}", NOTE)]
    output = (done.stdout or done.stderr).strip().splitlines()
    if done.returncode or not output:
        reason = output[0] if output else f"exit code {done.returncode}"
        hint = "repair the driver, or use --device cpu"
        return [Finding(what, f"nvidia-smi fails: {reason}", NOTE, hint)]
    return [Finding(what, line) for line in output]


def folders() -> list[Finding]:
    """The current, the temporary and the home folder: access and free space."""
    findings = []
    for what, find, hint in (
        ("current folder", Path.cwd, "give -o a folder elsewhere"),
        ("temporary folder", lambda: Path(tempfile.gettempdir()), "set TMPDIR to another folder"),
        ("home folder", Path.home, "set HISTPRED_ENCODERS to a folder for encoder weights"),
    ):
        try:
            folder = find()
            if not os.access(folder, os.W_OK | os.X_OK):
                findings.append(Finding(what, f"{folder}: not writable", NOTE, hint))
                continue
            free = shutil.disk_usage(folder).free
        except (OSError, RuntimeError) as error:
            findings.append(Finding(what, f"not found: {error}", NOTE))
            continue
        finding = Finding(what, f"{folder}: writable, {in_gib(free)} free")
        if free < LITTLE_SPACE:
            finding = finding._replace(verdict=NOTE, hint="make room before large runs")
        findings.append(finding)
    return findings


def variables(environment: Mapping[str, str] | None = None) -> list[Finding]:
    """The HISTPRED_* variables that are set."""
    environment = os.environ if environment is None else environment
    unknown = f"histpred has no such variable, only {', '.join(VARIABLES)}"
    return [
        Finding(name, f"{value or 'empty'} ({VARIABLES[name]})")
        if name in VARIABLES
        else Finding(name, value, NOTE, unknown)
        for name, value in sorted(environment.items())
        if name.startswith("HISTPRED_")
    ]
