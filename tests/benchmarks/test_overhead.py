"""benchmarks/overhead.py: what it reads from a trace, and how it sums it up."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("scipy", reason="needs the extra train")

from support.command_line import parse
from support.scripts import load_script

script = load_script("benchmarks/overhead.py")

TRACE = """task_id\tname\tstatus\trealtime\t%cpu
1\tHISTPRED:BUNDLE (b)\tCOMPLETED\t500ms\t100.0%
2\tHISTPRED:SHARDS:SCATTER (rows)\tCOMPLETED\t2s\t50.0%
3\tHISTPRED:PREDICTION:PREDICT (rows 1/2 700 bp)\tCOMPLETED\t10s\t200.0%
4\tHISTPRED:PREDICTION:PREDICT (rows 2/2 300 bp)\tCOMPLETED\t1m 2s\t150.0%
5\tHISTPRED:PREDICTION:GATHER (rows)\tCOMPLETED\t1s\t100.0%
"""


@pytest.fixture
def tasks(tmp_path: Path) -> list:
    (tmp_path / "trace.txt").write_text(TRACE)
    return script.tasks_of(tmp_path / "trace.txt")


def test_tasks_have_the_seconds_of_the_trace(tasks: list) -> None:
    assert [task.process for task in tasks] == ["BUNDLE", "SCATTER", "PREDICT", "PREDICT", "GATHER"]
    assert [task.wall for task in tasks] == pytest.approx([0.5, 2, 10, 62, 1])
    assert [task.cpu for task in tasks] == pytest.approx([0.5, 1, 20, 93, 1])


def test_shards_side_by_side_take_as_long_as_the_longest(tasks: list) -> None:
    run = script.Timed(80.0, 130.0, tasks)
    assert run.path == pytest.approx(0.5 + 2 + 62 + 1)
    assert run.by_process() == pytest.approx(
        {"BUNDLE": 0.5, "SCATTER": 1, "PREDICT": 113, "GATHER": 1, script.REST: 14.5}
    )


def test_the_report_compares_with_the_plain_command(
    tasks: list, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, sharded = script.Timed(50.0, 100.0), script.Timed(80.0, 130.0, tasks)
    script.report({0: [plain], 2: [sharded]})
    printed = capsys.readouterr().out
    assert "| histpred predict | 100.00 |  | 50.00 |  |" in printed
    assert "| 2 shards | 130.00 | +30.0% | 80.00 | 65.50 |" in printed
    assert "| PREDICT | 113.00 |" in printed


def test_its_command_is_one_of_histpred() -> None:
    parse("predict", "rows.bed", "genome.fa", "-o", "out", "-q", "--tile", "200")
