"""Access to NVIDIA GPUs: the container, the device files and the driver.

These checks serve `histpred doctor`. A missing file or program is a finding, not an error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from histpred.commands.machine import NOTE, Finding

SECONDS = 20  # time limit for nvidia-smi
GPU_FLAGS = {
    "Singularity": "--nv",
    "Apptainer": "--nv",
    "Docker": "--gpus all",
    "Podman": "--gpus all",
}
"""Container -> the flag that gives it access to NVIDIA GPUs."""


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
    query = ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(
            [program, *query], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return [Finding(what, f"nvidia-smi does not run: {error}", NOTE)]
    output = (done.stdout or done.stderr).strip().splitlines()
    if done.returncode or not output:
        reason = output[0] if output else f"exit code {done.returncode}"
        hint = "repair the driver, or use --device cpu"
        return [Finding(what, f"nvidia-smi fails: {reason}", NOTE, hint)]
    return [Finding(what, line) for line in output]
