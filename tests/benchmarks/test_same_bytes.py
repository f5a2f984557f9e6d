"""benchmarks/same_bytes.py: which outputs it digests, and what it calls different."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from support.command_line import parse
from support.scripts import load_script

script = load_script("benchmarks/same_bytes.py")


def write(folder: Path, name: str, content: str | dict[str, object]) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def test_digests_leave_out_inputs_pages_and_times(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, second_run in ((first, False), (second, True)):
        write(folder, "demo/scores.tsv", "chr1\t1\n")
        write(folder, "demo/report.html", f"words {second_run}")
        write(folder, "cache/index", f"{second_run}")
        write(folder, "demo_data/genome.fa", f"{second_run}")
        record = {"seconds": int(second_run), "nested": [{"started": second_run, "rows": 3}]}
        write(folder, "demo/run.json", dict(reversed(record.items())) if second_run else record)
    assert list(script.digests(first)) == list(script.digests(second))
    assert [name for name, _ in script.digests(first)] == ["demo/run.json", "demo/scores.tsv"]


def test_a_changed_byte_or_value_changes_the_digest(tmp_path: Path) -> None:
    write(tmp_path, "scores.tsv", "chr1\t1\n")
    write(tmp_path, "run.json", {"rows": 3})
    before = dict(script.digests(tmp_path))
    write(tmp_path, "scores.tsv", "chr1\t2\n")
    write(tmp_path, "run.json", {"rows": 4})
    after = dict(script.digests(tmp_path))
    assert all(before[name] != after[name] for name in ("scores.tsv", "run.json"))


def test_compare_names_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = tmp_path / "before.tsv", tmp_path / "after.tsv"
    before.write_text("same\t1\nchanged\t1\ngone\t1\n")
    after.write_text("same\t1\nchanged\t2\nadded\t1\n")
    assert script.compared(before, after) == 1
    printed = capsys.readouterr().out
    assert printed.splitlines() == [
        "differs\tchanged",
        "missing\tgone",
        "new\tadded",
        "3 files before, 3 after, 3 differ",
    ]
    assert script.compared(before, before) == 0


@pytest.mark.parametrize("line", re.sub(r"\n +", " ", script.COMMANDS).strip().splitlines())
def test_its_commands_are_commands_of_histpred(line: str) -> None:
    one_file = dict.fromkeys(("genes", "chromosome", "peaks"), "file")
    two_files = dict.fromkeys(("demo", "rows", "chr22", "yeast", "exons"), "rows.bed genome.fa")
    parse(*shlex.split(line.format(**one_file, **two_files)))
