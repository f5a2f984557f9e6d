"""Nextflow as tests run it: on PATH or beside the checkout, without network."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.command_line import ROOT, Argument, environment

BESIDE = ROOT.parent / "shared" / "tools" / "nextflow"


def find_nextflow() -> Path | None:
    """Return the nextflow command, or None if it or Java is missing."""
    if shutil.which(os.environ.get("JAVA_CMD", "java")) is None:
        return None
    on_path = shutil.which("nextflow")
    if on_path:
        return Path(on_path)
    return BESIDE if BESIDE.is_file() else None


needs_nextflow = pytest.mark.skipif(
    find_nextflow() is None, reason="needs nextflow on PATH, and Java"
)


@functools.cache
def class_archive(nextflow: Path) -> Path:
    """Return where the classes of Nextflow are kept, read and checked, for this Java."""
    java = subprocess.run(
        [os.environ.get("JAVA_CMD", "java"), "-version"], capture_output=True, check=True
    )
    key = f"{java.stderr!r} {nextflow} {nextflow.stat().st_mtime_ns} {os.getuid()}"
    name = f"histpred-nextflow-{hashlib.sha256(key.encode()).hexdigest()[:16]}.jsa"
    return Path(tempfile.gettempdir()) / name


@contextmanager
def java_options(nextflow: Path) -> Iterator[str]:
    """Options with which Java starts Nextflow in less CPU time (a sixth less).

    The first run writes the archive of classes, and later ones read it. Java says nothing of an
    archive that it cannot use, and does without.
    """
    quiet = "-Xlog:disable -XX:+IgnoreUnrecognizedVMOptions -XX:+UseSerialGC"
    archive = class_archive(nextflow)
    making = archive.with_suffix(".making")
    try:
        if not archive.exists():
            making.touch(exist_ok=False)
    except FileExistsError:  # another process writes it
        yield quiet
        return
    if archive.exists():
        making.unlink(missing_ok=True)
        yield f"{quiet} -XX:SharedArchiveFile={archive}"
        return
    try:
        yield f"{quiet} -XX:ArchiveClassesAtExit={making}"
    finally:
        if making.exists():
            if making.stat().st_size:
                making.rename(archive)
            else:  # Java was killed
                making.unlink()


def run_nextflow(
    arguments: Sequence[Argument], cwd: Path, env: Mapping[str, str | None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run nextflow in `cwd`, without network and colours.

    `env` has changes to the environment; None removes a variable.
    """
    nextflow = find_nextflow()
    assert nextflow is not None, "the test lacks @needs_nextflow"
    changes: dict[str, str | None] = {
        "NXF_OFFLINE": "true",
        "NXF_ANSI_LOG": "false",
        "NXF_SYNTAX_PARSER": None,
    }
    if nextflow == BESIDE:  # an installed one has its own jars there, and cannot do without
        changes["NXF_HOME"] = str(cwd / ".nextflow-home")
    with java_options(nextflow) as options:
        return subprocess.run(
            [str(nextflow), *map(os.fspath, arguments)],
            cwd=cwd,
            env=environment({"NXF_OPTS": options, **changes, **(env or {})}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=600,
            check=False,
        )
