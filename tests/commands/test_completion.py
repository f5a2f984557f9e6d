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
# Type a line as a user does, TAB included, and print what it became.
ZSH = """
zmodload zsh/zpty
zpty terminal zsh -f -i
zpty -w terminal 'bindkey -e; setopt noautoremoveslash; autoload -Uz compinit'
zpty -w terminal 'compinit -u -d compdump'
zpty -w terminal 'eval "$(histpred completion zsh)"; print REA""DY'
zpty -r terminal shown '*READY*'
zpty -w -n terminal "$1"$'\\t'$'\\x01'"print -r -- 'LI''NE<"$'\\x05'">'"$'\\n'
zpty -r terminal shown '*LINE<*>*'
print -r -- "$shown"
zpty -d terminal
"""
FISH = "histpred completion fish | source; complete -C $argv[1]"
# A line, and the word that TAB makes of its last one.
LINES = {
    "histpred pre": "predict",
    "histpred predict genes-of": "genes-of-mine.bed",
    "histpred predict one,": "one,two.bed",
    "histpred predict a.bed g.fa -o fol": "folder/",
    "histpred predict a.bed g.fa --bundle y": "yeast",
    "histpred predict a.bed g.fa --bundle=y": "--bundle=yeast",
    "histpred predict a.bed g.fa --store=fol": "--store=folder/",
    "histpred predict a.bed g.fa --marks H3K4me3,H3K27a": "H3K4me3,H3K27ac",
    "histpred predict a.bed g.fa --call-p": "--call-precision",
    "histpred labels pe": "peaks",
}


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"needs {shell}")


needs_bash = needs("bash")


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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two files and a folder to complete."""
    here = tmp_path / "here"
    (here / "folder").mkdir(parents=True)
    for name in ("genes-of-mine.bed", "one,two.bed"):
        (here / name).write_text("")
    return here


@needs("zsh")
@pytest.mark.parametrize(("line", "word"), LINES.items(), ids=LINES)
def test_an_interactive_zsh_completes(
    line: str, word: str, on_path: dict[str, str], folder: Path
) -> None:
    shown = answer(["zsh", "-f", "-c", ZSH, "zsh", line], on_path, folder)
    typed = shown.rpartition("LINE<")[2].partition(">")[0]
    assert typed.rstrip() == f"{line.rpartition(' ')[0]} {word}"


@needs("fish")
@pytest.mark.parametrize(("line", "word"), LINES.items(), ids=LINES)
def test_fish_completes(line: str, word: str, on_path: dict[str, str], folder: Path) -> None:
    shown = answer(["fish", "--no-config", "-c", FISH, line], on_path, folder)
    assert [found.partition("\t")[0] for found in shown.splitlines()] == [word]


def answer(command: list[str], environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        env=environment | {"HOME": str(folder.parent), "TERM": "dumb"},
        cwd=folder,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_asks_for_completions_of_its_shell(shell: str) -> None:
    done = histpred("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert f"_HISTPRED_COMPLETE={shell}_complete" in done.out


def test_other_shells_are_refused() -> None:
    done = histpred("completion", "tcsh")
    assert done.code == 2
    assert "bash" in done.err
