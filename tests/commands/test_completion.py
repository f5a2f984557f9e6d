"""The completion scripts, run by the shells that they are for."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.command_line import environment, histpred

COMPLETE = """
eval "$(histpred completion bash)"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_histpred_completion histpred 2> /dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""
needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


@pytest.fixture
def on_path(tmp_path: Path) -> dict[str, str]:
    """An environment whose PATH begins with a histpred that runs this code."""
    program = tmp_path / "bin" / "histpred"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m histpred "$@"\n')
    program.chmod(0o755)
    known = environment()
    return known | {"PATH": f"{program.parent}{os.pathsep}{known['PATH']}"}


@needs_bash
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["histpred", "pre"], ["predict"]),
        (["histpred", "predict", "a.bed", "g.fa", "--bundle", "y"], ["yeast"]),
        (
            ["histpred", "predict", "a.bed", "g.fa", "--marks", "H3K4me3,H3K27a"],
            ["H3K4me3,H3K27ac"],
        ),
        (["histpred", "labels", "pe"], ["peaks"]),
    ],
    ids=" ".join,
)
def test_bash_completes(words: list[str], expected: list[str], on_path: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE, "bash", *words],
        capture_output=True,
        encoding="utf-8",
        env=on_path,
        check=True,
    )
    assert (done.stdout.split(), done.stderr) == (expected, "")


@needs_bash
def test_an_interactive_bash_completes_verbs_and_files(
    on_path: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "genes-of-mine.bed").write_text("")
    controller, terminal = pty.openpty()
    shell = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=on_path | {"TERM": "dumb", "PS1": "$ "},
        cwd=tmp_path,
        start_new_session=True,
    )
    try:
        os.close(terminal)
        os.write(controller, b'eval "$(histpred completion bash)"; echo REA""DY\n')
        _read_until(controller, b"READY")
        os.write(controller, b"histpred predi\tgenes-of\t")
        _read_until(controller, b"predict genes-of-mine.bed")
    finally:
        shell.kill()
        shell.wait()
        os.close(controller)


def _read_until(descriptor: int, wanted: bytes, seconds: float = 30) -> None:
    """Read what a terminal shows until it shows `wanted`."""
    shown, end = b"", time.monotonic() + seconds
    while wanted not in shown:
        assert time.monotonic() < end, shown
        shown += os.read(descriptor, 4096)


@pytest.mark.parametrize(("shell", "check"), [("zsh", "-n"), ("fish", "--no-execute")])
def test_scripts_for_other_shells(shell: str, check: str, tmp_path: Path) -> None:
    done = histpred("completion", shell)
    assert done.code == 0
    assert "_HISTPRED_COMPLETE=" + shell in done.out
    if shutil.which(shell):
        (tmp_path / "script").write_text(done.out)
        subprocess.run([shell, check, tmp_path / "script"], check=True)


def test_other_shells_are_refused() -> None:
    done = histpred("completion", "tcsh")
    assert done.code == 2
    assert "bash" in done.err
