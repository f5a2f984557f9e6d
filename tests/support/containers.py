"""The image of the kind cpu as tests use it, built with podman once for all tests."""

from __future__ import annotations

import ast
import fcntl
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import histpred
from support.command_line import ROOT, Argument

IMAGE = f"histpred:{histpred.__version__}"
BASE = "docker.io/library/debian:bookworm-slim"
REVISION = "tested"
BUILD_SECONDS = 1200


def ended(
    *command: Argument, timeout: int, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command without input, in `folder` if it is given, with its output as text."""
    return subprocess.run(
        [*map(os.fspath, command)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )


def podman(*arguments: Argument, timeout: int = 120) -> subprocess.CompletedProcess[str]:
    """Run podman, with its output as text."""
    return ended("podman", *arguments, timeout=timeout)


@functools.cache
def why_no_podman() -> str:
    """Return why no image can be built here; '' if one can."""
    if shutil.which("podman") is None:
        return "needs podman on PATH"
    if podman("image", "exists", BASE).returncode != 0:
        return f"needs the image {BASE} in podman's store"
    return ""


@functools.cache
def built_image() -> str:
    """Return the name of the image of the kind cpu, built from this checkout, or skip the test.

    Layers that podman has kept are used again, also by tests in other processes, which wait.
    """
    reason = why_no_podman()
    if reason:
        pytest.skip(reason)
    lock = Path(tempfile.gettempdir()) / f"histpred-image-{os.getuid()}.lock"
    with tempfile.TemporaryDirectory() as folder, lock.open("w") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        build = podman(
            "build",
            "--isolation=chroot",
            "--pull=never",
            *mounts_of_pip_settings(Path(folder)),
            f"--build-arg=BASE={BASE}",
            f"--build-arg=REVISION={REVISION}",
            f"--file={ROOT / 'containers' / 'Dockerfile'}",
            f"--tag={IMAGE}",
            ROOT,
            timeout=BUILD_SECONDS,
        )
    assert build.returncode == 0, f"{build.stdout[-4000:]}\n{build.stderr[-4000:]}"
    return IMAGE


def pins(name: str) -> dict[str, str]:
    """Return package -> version of a lock of containers/locks."""
    text = (ROOT / "containers" / "locks" / f"{name}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^(\S+)==(\S+) ", text, flags=re.MULTILINE))


def mounts_of_pip_settings(folder: Path) -> list[str]:
    """Return options of `podman build` that give pip the settings it has here.

    They are written to a file in `folder` that is mounted, as are the files and folders that they
    name: a machine behind a mirror can build, and nothing of the mirror stays in the image.
    """
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
    settings = pip_settings(listed)
    configuration = folder / "pip.conf"
    lines = [f"{name} = {value}\n" for name, value in settings.items()]
    configuration.write_text("".join(["[global]\n", *lines]), encoding="utf-8")
    words = {word for value in settings.values() for word in value.split()}
    named = sorted(word for word in words if word.startswith("/") and Path(word).exists())
    return [
        f"--volume={configuration}:/etc/pip.conf:ro",
        *(f"--volume={path}:{path}:ro" for path in named),
    ]


def pip_settings(listed: str) -> dict[str, str]:
    """Return option -> value from `pip config list`. The environment wins, as with pip.

    Without indexes that are files: what they refer to may lie anywhere.

    >>> pip_settings("global.timeout='9'\\n:env:.find-links='/a /b'\\nfreeze.all='1'\\n")
    {'timeout': '9', 'find-links': '/a /b'}
    """
    lines = [line.partition("=") for line in listed.splitlines()]
    settings = {
        key.removeprefix(f"{section}."): ast.literal_eval(value).split()
        for section in ("global", "install", ":env:")
        for key, _, value in lines
        if key.startswith(f"{section}.")
    }
    usable = {
        name: " ".join(word for word in words if not word.startswith("file:"))
        for name, words in settings.items()
    }
    return {name: value for name, value in usable.items() if value}
