"""benchmarks/gpu.sh: what it writes when steps succeed, fail and run out of time."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from support.command_line import ROOT
from support.scripts import load_script

SCRIPT = ROOT / "benchmarks" / "gpu.sh"
STEPS = ["doctor", "tests", "dnabert2", "rnafm", "parity", "training", "predict"]
FAKE = """
import json, os, signal, subprocess, sys, time
name, path = sys.argv[1], sys.argv[3]
row = {"what": "a | b", "found": "1\\n2", "goal": "9", "met": name == "doctor", "numbers": {}}
report = {"measured": [row], "gpu_bytes": {"peak_reserved": 3 << 30}, "error": ""}
if name == "machine":
    report = {"no_cuda": %r, "gpu": "Some GPU", "torch": "2", "cuda": "13", "cores": 4}
if name == "parity":
    report["error"] = "fp16: off by 1"
with open(path, "w") as out:
    json.dump(report, out)
if name == "tests":
    raise ValueError("no such kernel")
if name == "dnabert2":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(child.pid, flush=True)
    time.sleep(600)
if name == "rnafm":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(name == "parity")
"""


def rows_of(table: str) -> list[list[str]]:
    """The cells of the rows of a Markdown table, without its header."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    assert lines[0] == "| step | measured | found | goal | met |"
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """gpu.py with steps of this test; one of them has little time."""
    script = load_script("benchmarks/gpu.py")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "LEAST", 0)
    monkeypatch.setattr(script, "SECONDS", dict.fromkeys(STEPS, 60) | {"dnabert2": 5})
    monkeypatch.chdir(tmp_path)
    return script


def run(script: ModuleType, monkeypatch: pytest.MonkeyPatch, no_cuda: str, *options: str) -> int:
    steps = script.ROOT / "benchmarks" / "gpu_steps.py"
    steps.parent.mkdir()
    steps.write_text(FAKE % no_cuda)
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--out", "out", *options])
    return int(script.main())


def test_a_step_that_fails_or_takes_too_long_is_recorded_and_the_others_run(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(script, monkeypatch, "") == 1
    found = json.loads(Path("out/gpu.json").read_text())
    assert [step["name"] for step in found["steps"]] == STEPS
    assert {step["name"]: (step["status"], step["error"]) for step in found["steps"]} == {
        "doctor": ("ok", ""),
        "tests": ("failed", "ValueError: no such kernel"),
        "dnabert2": ("out of time", "stopped after 5 s"),
        "rnafm": ("failed", "killed by SIGKILL: exit code -9"),
        "parity": ("failed", "fp16: off by 1"),
        "training": ("ok", ""),
        "predict": ("ok", ""),
    }
    assert found["machine"]["gpu"] == "Some GPU"
    assert all(step["report"]["measured"] for step in found["steps"])

    table = Path("out/gpu.md").read_text()
    assert table == capsys.readouterr().out
    assert table.startswith("# histpred on Some GPU\n")
    rows = rows_of(table)
    assert [name for name, *_ in rows] == [name for name in STEPS for _ in range(2)]
    assert rows[1] == ["doctor", r"a \| b", "1 2", "9", "yes"]
    assert rows[3][-1] == "no"
    assert rows[4][2].endswith("at most 3.0 GiB of GPU memory: stopped after 5 s")

    child = int(Path("out/logs/dnabert2.log").read_text())
    status = Path(f"/proc/{child}/status")
    assert not status.exists() or "State:\tZ" in status.read_text()


def test_steps_that_no_time_is_left_for_are_recorded(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "LEAST", 5)
    assert run(script, monkeypatch, "", "--minutes", "0.05", "--dry-run") == 1
    found = json.loads(Path("out/gpu.json").read_text())
    assert {(step["status"], step["error"]) for step in found["steps"]} == {
        ("out of time", "no time was left for it")
    }


def test_without_cuda_one_sentence_says_so(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(script, monkeypatch, "there is no NVIDIA device") == 2
    assert capsys.readouterr().err == (
        "gpu.sh: no CUDA device can be used: there is no NVIDIA device "
        "(--dry-run tries the script on the CPU)\n"
    )
    assert not Path("out/gpu.json").exists()


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is an NVIDIA driver")
def test_without_a_driver_no_environment_is_made(tmp_path: Path) -> None:
    for program in ("sh", "date", "dirname"):
        (tmp_path / program).symlink_to(str(shutil.which(program)))
    environment = {"PATH": str(tmp_path), "HISTPRED_VENV": str(tmp_path / "venv")}
    done = subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("gpu.sh: this machine has no CUDA device")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "venv").exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_dry_run_goes_through_every_step(tmp_path: Path) -> None:
    for package in ("onnx", "sklearn", "tokenizers", "torch", "transformers"):
        pytest.importorskip(package, reason="needs the extras encoders and train")
    command = [SCRIPT, "--dry-run", "--out", tmp_path / "out"]
    environment = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "out" / "gpu.json").read_text())
    assert [(step["name"], step["status"]) for step in found["steps"]] == [(n, "ok") for n in STEPS]
    assert found["dry_run"]

    numbers = {
        row["what"]: row["numbers"] for step in found["steps"] for row in step["report"]["measured"]
    }
    for network in ("dnabert2", "rnafm"):
        for way in ("reference fp32", "histpred fp32", "histpred int8"):
            assert numbers[f"{network}, {way}"]["tokens_per_second"] > 0
            assert numbers[f"{network}, {way}"]["drift"] < 0.1
        assert numbers[f"{network}, cpu fp32 against CPU fp32"]["largest_difference"] == 0
        assert numbers[f"{network}, cpu int8 against CPU fp32"]["cosine"] > 0.999
    assert numbers["an epoch, histpred"]["pairs_per_second"] > 0
    assert numbers["histpred predict, DNABERT-2"]["windows"] == 28

    rows = rows_of((tmp_path / "out" / "gpu.md").read_text())
    assert len(rows) == len(STEPS) + len(numbers)
    assert {name for name, *_ in rows} == set(STEPS)
