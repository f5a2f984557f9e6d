"""benchmarks/training.py times both ways to train, on few rows."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("torch", reason="needs the extra train")

from support.scripts import load_script


@pytest.mark.slow
def test_both_ways_are_timed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = load_script("benchmarks/training.py")
    monkeypatch.setattr(script, "REPEATS", 1)
    options = ["--rows", "8", "--marks", "3", "--dimension", "16"]
    monkeypatch.setattr(sys, "argv", ["training.py", *options])
    script.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["histpred", "pair by pair"]
    assert all("pairs/s" in line for line in lines[:2])
    assert lines[2].startswith("ratio ")
