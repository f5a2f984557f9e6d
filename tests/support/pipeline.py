"""The pipeline on test-data's megabase, with this Python's histpred."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.command_line import ROOT, tables
from support.nextflow import run_nextflow

DATA = ROOT / "test-data" / "human-chr22-20M"
INPUTS = (DATA / "genes.gtf.gz", DATA / "genome.fa.gz")
PREDICTIONS = Path("results/predictions/chr22-20M")


def launch(
    folder: Path,
    *arguments: str | Path,
    profile: str = "test",
    main: Path = ROOT / "main.nf",
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run the pipeline in `folder`, with this Python's histpred before the checkout's own."""
    path = os.pathsep.join([environment.pop("first", ""), str(Path(sys.executable).parent)])
    return run_nextflow(
        ["run", main, "-profile", profile, *arguments],
        cwd=folder,
        env={"PATH": os.pathsep.join([path.strip(os.pathsep), os.environ["PATH"]]), **environment},
    )


def succeed(folder: Path, *arguments: str | Path, **more: Any) -> str:
    done = launch(folder, *arguments, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tasks(output: str, how: str = "Submitted") -> list[str]:
    """Return the processes of the submitted or cached tasks, sorted."""
    return sorted(re.findall(rf"{how} process > (?:\w+:)*(\w+)", output))


def assert_same(found: Path, expected: Path) -> None:
    assert tables(found) == tables(expected)


def wrapper(folder: Path, body: str) -> Path:
    """Make a folder with a `histpred` that runs `body` (bash). $REAL is the real histpred."""
    real = Path(sys.executable).with_name("histpred")
    program = folder / "histpred"
    folder.mkdir()
    program.write_text(f'#!/usr/bin/env bash\nREAL={real}\n{body}\nexec $REAL "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder
