"""The pipeline on test-data's megabase, with this Python's histpred."""

from __future__ import annotations

import csv
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


def assert_published(folder: Path, name: str) -> None:
    """Compare the names of published files with the snapshot tests/nextflow/snapshots/NAME.txt.

    A hub has a folder for the assembly. What is in there depends on the marks of the bundle.
    """
    results = folder / "results"
    found = sorted(
        re.sub(r"\d{4}(-\d\d){2}_\d\d(-\d\d){2}", "TIME", path.relative_to(results).as_posix())
        for path in results.rglob("*")
        if path.is_file() and path.parent.name != "hg19"
    )
    snapshot = ROOT / "tests" / "nextflow" / "snapshots" / f"{name}.txt"
    assert found == snapshot.read_text(encoding="utf-8").splitlines()


def failed_samples(folder: Path) -> dict[str, dict[str, str]]:
    table = folder / "results" / "pipeline_info" / "failed_samples.tsv"
    with open(table, encoding="utf-8", newline="") as lines:
        return {row["sample"]: row for row in csv.DictReader(lines, delimiter="\t")}


def said_last(output: str) -> list[str]:
    """Return the lines after Nextflow's own."""
    lines = output.strip().splitlines()
    starts = [at for at, line in enumerate(lines) if re.match(r"\d+ of \d+ samples failed", line)]
    return lines[starts[-1] :]


def wrapper(folder: Path, body: str) -> Path:
    """Make a folder with a `histpred` that runs `body` (bash). $REAL is the real histpred."""
    real = Path(sys.executable).with_name("histpred")
    program = folder / "histpred"
    folder.mkdir()
    program.write_text(f'#!/usr/bin/env bash\nREAL={real}\n{body}\nexec $REAL "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder
