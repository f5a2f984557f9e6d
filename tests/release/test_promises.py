"""What docs/stability.md promises is there, and a check notices what goes."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from support.command_line import ROOT
from support.scripts import load_script

promises = load_script("release/promises.py")
PROMISED = json.loads((ROOT / "release" / "promises.json").read_text())


def test_all_promises_hold(capsys: pytest.CaptureFixture[str]) -> None:
    code = promises.main([])
    assert (capsys.readouterr().out, code) == ("all promises hold\n", 0)


def test_what_is_promised_is_what_users_type_and_read() -> None:
    """By hand, so that a surface that misses everything does not pass."""
    predict = PROMISED["commands"]["histpred predict"]
    assert predict["arguments"] == ["annotation", "fasta"]
    assert predict["options"]["--bundle"] == "human-promoter"
    assert {"-o", "--tile", "--no-table", "--transcripts"} < predict["options"].keys()
    assert PROMISED["commands"]["histpred variants"]["options"]["--background"] == "50"
    assert PROMISED["columns"][:3] == ["chrom", "start", "end"]
    assert PROMISED["exit codes"].keys() == {"0", "1", "2", "3", "75", "130"}
    assert PROMISED["pipeline"]["outdir"] == "results"
    assert PROMISED["Python"]["predict"][:3] == ["annotation", "fasta", "out"]
    assert "sha256" in str(PROMISED["fields of run.json"]["identity"])
    assert "scores.tsv.gz" in PROMISED["files of a prediction"]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["commands", "histpred predict", "options", "--tile"], None, "--tile has gone"),
        (["commands", "histpred variants", "options", "--background"], "9", "was 50, is 9"),
        (["commands", "histpred demo"], None, "histpred demo has gone"),
        (["columns"], ["chrom", "end", "start"], "end has gone, or has another place"),
        (["reasons", "too-many-n"], None, "too-many-n has gone"),
        (["fields of run.json", "result", "calls"], None, "calls has gone"),
        (["pipeline", "outdir"], "out", "was results, is out"),
        (["major version of bundles"], "2", "was 1, is 2"),
        (["Python", "train"], None, "train has gone"),
    ],
)
def test_what_goes_or_changes_is_said(path: list[str], value: Any, said: str) -> None:
    now = copy.deepcopy(PROMISED)
    place = now
    for name in path[:-1]:
        place = place[name]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    problems = list(promises.broken(PROMISED, now))
    assert any(said in problem for problem in problems), problems


def test_more_is_no_problem() -> None:
    now = copy.deepcopy(PROMISED)
    now["commands"]["histpred predict"]["options"]["--new"] = None
    now["columns"].insert(3, "new")
    now["reasons"]["new"] = None
    assert list(promises.broken(PROMISED, now)) == []


def test_defaults_of_the_machine_are_not_written(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(promises, "PROMISES", tmp_path / "promises.json")
    assert promises.main(["--write"]) == 0
    written = json.loads((tmp_path / "promises.json").read_text())
    assert list(promises.broken(PROMISED, written)) == []
    assert written["commands"]["histpred predict"]["options"]["--threads"] is None
