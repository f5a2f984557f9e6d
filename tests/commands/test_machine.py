from __future__ import annotations

import re
import tempfile
from collections import namedtuple
from pathlib import Path

import pytest

from histpred.commands import machine
from histpred.commands.machine import (
    NOTE,
    OK,
    PROBLEM,
    VARIABLES,
    Finding,
    control_groups,
    cores_and_memory,
    cpu_quota,
    folders,
    lines,
    memory_limit,
    variables,
    version_of,
    versions,
)
from support.findings import by_what, write

ROOT = Path(__file__).resolve().parents[2]
Usage = namedtuple("Usage", "total used free")


def test_lines_are_aligned_with_hints_below():
    said = lines([Finding("a", "1"), Finding("long", "2", NOTE, "do it"), Finding("b", "3")])
    columns = [re.search(r"[123]|do it", line).start() for line in said]
    assert len(set(columns)) == 1
    assert [line.split()[0] for line in said] == ["ok", "note", "do", "ok"]
    assert lines([]) == []


def test_versions_of_what_is_installed_here():
    found = by_what(versions("9.9"))
    assert found["histpred"].found == "9.9"
    for package in machine.REQUIRED:
        assert found[package].verdict == OK, package
    assert version_of("no-such-package") == ""


def test_what_is_missing_is_named_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setattr(machine, "version_of", lambda package: "")
    found = by_what(versions("9.9"))
    assert found["pysam"].verdict == PROBLEM
    for package in ("torch", "pyarrow"):
        assert found[package].verdict == NOTE
        assert "histpred[encoders]" in found[package].found
    assert "histpred[gpu]" in found["onnxruntime-gpu"].found


def test_onnxruntime_gpu_counts_as_onnxruntime(monkeypatch):
    there = {"onnxruntime-gpu": "1.2", "numpy": "2"}
    monkeypatch.setattr(machine, "version_of", lambda package: there.get(package, ""))
    found = by_what(versions("9.9"))
    assert found["onnxruntime"] == Finding("onnxruntime", "1.2 (onnxruntime-gpu)")
    assert "onnxruntime twice" not in found
    there["onnxruntime"] = "1.2"
    twice = by_what(versions("9.9"))["onnxruntime twice"]
    assert twice.verdict == NOTE
    assert "pip uninstall" in twice.hint


def test_an_old_python_is_a_problem(monkeypatch):
    monkeypatch.setattr(machine, "OLDEST_PYTHON", (99, 0))
    assert by_what(versions("9.9"))["Python"].verdict == PROBLEM


def test_extras_are_those_of_the_project():
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    def packages(requirements):
        return {re.match(r"[\w.-]+", requirement).group() for requirement in requirements}

    assert packages(project["dependencies"]) == set(machine.REQUIRED)
    for package, extra in machine.OPTIONAL.items():
        assert package in packages(project["optional-dependencies"][extra])


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], None),
        (["max 100000"], None),
        (["150000 100000"], 1.5),
        (["400000 100000", "50000 100000"], 0.5),
        (["rubbish"], None),
        (["1 0"], None),
        ([""], None),
    ],
)
def test_cpu_quota(tmp_path, texts, expected):
    groups = [write(tmp_path / str(i) / "cpu.max", text).parent for i, text in enumerate(texts)]
    assert cpu_quota([*groups, tmp_path / "none"]) == expected


@pytest.mark.parametrize(
    ("texts", "expected"), [([], None), (["max\n"], None), (["4096\n", "max"], 4096), (["x"], None)]
)
def test_memory_limit(tmp_path, texts, expected):
    groups = [write(tmp_path / str(i) / "memory.max", text).parent for i, text in enumerate(texts)]
    assert memory_limit(groups) == expected


def test_a_limit_of_the_own_group_or_of_one_above_counts(tmp_path):
    groups = tmp_path / "sys/fs/cgroup"
    assert control_groups(tmp_path) == [groups]
    write(tmp_path / "proc/self/cgroup", "1:cpu:/other\n0::/batch/job\n")
    assert control_groups(tmp_path) == [groups / "batch/job", groups / "batch", groups]
    write(groups / "batch/cpu.max", "25000 100000")
    write(groups / "batch/job/memory.max", str(2 * 1024**3))
    cores, memory = cores_and_memory(tmp_path)
    assert cores.verdict == NOTE
    assert "a quota of 0.25" in cores.found
    assert "taskset" in cores.hint
    assert memory.found.startswith("2.0 GiB, limited from ")
    assert memory.verdict == NOTE


def test_a_machine_that_tells_nothing(tmp_path, monkeypatch):
    def fail(name):
        raise ValueError(name)

    monkeypatch.setattr(machine.os, "sysconf", fail)
    assert cores_and_memory(tmp_path)[1].found == "unknown"


def test_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder: Usage(9, 8, 1))
    found = by_what(folders())
    assert found["current folder"].verdict == NOTE
    assert found["current folder"].hint == "make room before large runs"
    assert "not writable" in found["home folder"].found
    assert "HISTPRED_ENCODERS" in found["home folder"].hint
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder: Usage(9, 8, 1024**4))
    assert by_what(folders())["temporary folder"].verdict == OK


def test_a_folder_that_is_gone(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert "not found" in by_what(folders())["current folder"].found


def test_variables():
    environment = {"HISTPRED_CACHE": "/c", "HISTPRED_CASH": "/d", "OTHER": "x"}
    known, unknown = variables(environment)
    assert (known.what, known.verdict) == ("HISTPRED_CACHE", OK)
    assert (unknown.what, unknown.verdict) == ("HISTPRED_CASH", NOTE)
    assert "HISTPRED_CACHE" in unknown.hint


def test_every_variable_that_is_read_is_known():
    read = set()
    for folder in ("histpred", "bin"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in (".py", ".sh", ""):
                read |= set(re.findall(r"\bHISTPRED_[A-Z_]*[A-Z]\b", path.read_text("utf-8")))
    assert read <= set(VARIABLES)
