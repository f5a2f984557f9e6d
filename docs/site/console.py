"""Run the commands of a page's ```console blocks, and compare or renew the outputs that it shows.

    python docs/site/console.py docs/how-to/one-locus.md

runs them in an empty folder that has a link to test-data/, one after the other as a reader would,
and writes their outputs into the page. A line of `...` stands for any lines. A command must succeed
unless its output shows an error. Output is what a terminal shows: both streams.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.DOTALL | re.MULTILINE)
PROMPT = "$ "
ANY_LINES = "..."
LONGEST = 300  # seconds; a command that trains takes most of them on a busy machine


class Done(NamedTuple):
    """What a command printed, and its exit code."""

    output: str
    code: int


Run = Callable[[str], Done]


class Step(NamedTuple):
    """A command as it is shown, with its continued lines, and the output below it."""

    command: str
    output: str


class CommandFailed(Exception):
    """A command ended with an exit code that its output does not explain."""


def steps(block: str) -> list[Step]:
    """Return the commands of a block."""
    found: list[Step] = []
    for line in block.splitlines(keepends=True):
        if line.startswith(PROMPT):
            found.append(Step(line.removeprefix(PROMPT), ""))
        elif found[-1].command.endswith("\\\n"):
            found[-1] = Step(found[-1].command + line, "")
        else:
            found[-1] = found[-1]._replace(output=found[-1].output + line)
    return found


def matches(shown: str, output: str) -> bool:
    """Return True if an output is the one that is shown."""
    pieces = re.split(rf"^{re.escape(ANY_LINES)}\n", shown, flags=re.MULTILINE)
    return re.fullmatch("(?:.*\n)*?".join(map(re.escape, pieces)), output) is not None


def renewed(text: str, run: Run) -> str:
    """Return the text of a page with the outputs that its commands have now."""

    def block(found: re.Match[str]) -> str:
        return "".join(
            f"{PROMPT}{step.command}{output_of(step, run(step.command))}"
            for step in steps(found[0])
        )

    return BLOCK.sub(block, text)


def output_of(step: Step, done: Done) -> str:
    """Return what the page should show: what it shows already if that is right."""
    if done.code and "error: " not in done.output:
        raise CommandFailed(f"{step.command}: exit code {done.code}\n{done.output}")
    return step.output if matches(step.output, done.output) else done.output


def runner(folder: Path) -> Run:
    """Return a function that runs a command in `folder`, where test-data/ is, as bash does."""
    programs = folder / ".programs"
    programs.mkdir()
    (folder / "test-data").symlink_to(ROOT / "test-data")
    histpred = programs / "histpred"
    histpred.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m histpred "$@"\n')
    histpred.chmod(0o755)
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}

    def run(command: str) -> Done:
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail\n{command}"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=LONGEST,
            check=False,
        )
        return Done(done.stdout, done.returncode)

    return run


def main(arguments: list[str] | None = None) -> None:
    """Renew the outputs of pages."""
    for page in map(Path, sys.argv[1:] if arguments is None else arguments):
        with tempfile.TemporaryDirectory() as folder:
            text = renewed(page.read_text(encoding="utf-8"), runner(Path(folder)))
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
