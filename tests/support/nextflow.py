"""Nextflow as tests run it: on PATH or beside the checkout, without network."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
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
    return subprocess.run(
        [str(nextflow), *map(os.fspath, arguments)],
        cwd=cwd,
        env=environment({**changes, **(env or {})}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
