"""The sections of benchmarks/first_release.py run, on a small genome and few windows.

`start` and `demo` are left out: tests/test_package.py runs their commands.
"""

from __future__ import annotations

import shutil
from types import ModuleType

import pytest

from support.scripts import load_script

pytestmark = pytest.mark.slow


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    script = load_script("benchmarks/first_release.py")
    small = {"CONTIG_BASES": 60_000, "FEW": 3, "MANY": 6, "SEQUENCES": 8, "ROUNDS": 1}
    small["TRACKED"] = ((6, "tiles"),)
    for name, value in small.items():
        monkeypatch.setattr(script, name, value)
    return script


def test_the_encoder_and_the_scorer_have_rates(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    script.main(["encoder"])
    printed = capsys.readouterr().out
    assert "| encoder, all cores |" in printed
    assert "| scorer, all cores |" in printed


def test_memory_is_a_row_for_each_number_of_windows(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    script.main(["memory"])
    rows = capsys.readouterr().out.splitlines()[-2:]
    assert [row.split(" | ")[0] for row in rows] == ["| 3", "| 6"]


@pytest.mark.skipif(shutil.which("bedtools") is None, reason="needs bedtools")
def test_extraction_compares_with_bedtools_and_pyfaidx(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyfaidx")
    script.main(["extraction"])
    printed = capsys.readouterr().out
    for competitor in ("histpred windows", "bedtools getfasta -s", "Reference.fetch", "pyfaidx"):
        assert printed.count(f"| {competitor} |") == 2


def test_tracks_and_reports_are_timed_beside_pybigwig(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    script.main(["tracks"])
    printed = capsys.readouterr().out
    for row in ("histpred tracks", "histpred report", "pandas and pyBigWig"):
        assert f"| 6 tiles | {row} |" in printed
