from __future__ import annotations

import re
import subprocess
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
    container,
    cores_and_memory,
    folders,
    gpus,
    lines,
    memory_limit,
    variables,
    version_of,
    versions,
)
from histpred.core.extras import how_to_install
from histpred.core.version import __version__
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
    found = by_what(versions())
    assert found["histpred"].found == __version__
    for package in machine.NEEDED:
        assert found[package].verdict == OK, package
    assert version_of("no-such-package") == ""


def test_what_is_missing_is_named_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setattr(machine, "version_of", lambda package: "")
    found = by_what(versions())
    assert found["pysam"].verdict == PROBLEM
    for package in ("torch", "pyarrow"):
        assert found[package].verdict == NOTE
        assert how_to_install("encoders") in found[package].found
    assert how_to_install("gpu") in found["onnxruntime-gpu"].found


def test_onnxruntime_gpu_counts_as_onnxruntime(monkeypatch):
    there = {"onnxruntime-gpu": "1.2", "numpy": "2"}
    monkeypatch.setattr(machine, "version_of", lambda package: there.get(package, ""))
    found = by_what(versions())
    assert found["onnxruntime"] == Finding("onnxruntime", "1.2 (onnxruntime-gpu)")


def test_an_old_python_is_a_problem(monkeypatch):
    monkeypatch.setattr(machine, "OLDEST_PYTHON", (99, 0))
    assert by_what(versions())["Python"].verdict == PROBLEM


def test_extras_are_those_of_the_project():
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    def packages(requirements):
        return {re.match(r"[\w.-]+", requirement).group() for requirement in requirements}

    assert packages(project["dependencies"]) == set(machine.NEEDED)
    for package, extra in machine.OPTIONAL.items():
        assert package in packages(project["optional-dependencies"][extra])


@pytest.mark.parametrize(
    ("texts", "expected"), [([], None), (["max\n"], None), (["4096\n", "max"], 4096), (["x"], None)]
)
def test_memory_limit(tmp_path, texts, expected):
    groups = [write(tmp_path / str(i) / "memory.max", text).parent for i, text in enumerate(texts)]
    assert memory_limit(groups) == expected


def test_a_limit_of_the_own_group_or_of_one_above_counts(tmp_path):
    groups = tmp_path / "sys/fs/cgroup"
    write(tmp_path / "proc/self/cgroup", "0::/batch/job\n")
    write(groups / "batch/cpu.max", "25000 100000")
    write(groups / "batch/job/memory.max", str(2 * 1024**3))
    cores, memory = cores_and_memory(tmp_path)
    assert cores.found.startswith("1 of ")
    assert "a quota of 0.25" in cores.found
    assert memory.found.startswith("2.0 GiB, limited from ")
    assert memory.verdict == NOTE


def test_a_machine_that_tells_nothing(tmp_path, monkeypatch):
    def fail(name):
        raise ValueError(name)

    monkeypatch.setattr(machine.os, "sysconf", fail)
    assert cores_and_memory(tmp_path)[1].found == "unknown"


CONTAINERS = [
    ("", {}, ("", "")),
    (".dockerenv", {}, ("Docker", "--gpus all")),
    ("run/.containerenv", {}, ("Podman", "--gpus all")),
    ("", {"SINGULARITY_CONTAINER": "/x.sif"}, ("Singularity", "--nv")),
    (".dockerenv", {"APPTAINER_CONTAINER": "/x.sif"}, ("Apptainer", "--nv")),
    ("", {"container": "podman"}, ("Podman", "--gpus all")),
    ("", {"container": "lxc"}, ("lxc", "--nv")),
]


@pytest.mark.parametrize(("file", "environment", "expected"), CONTAINERS)
def test_a_container_without_a_gpu_names_the_flag(
    tmp_path, monkeypatch, file, environment, expected
):
    monkeypatch.setenv("PATH", str(tmp_path))
    if file:
        write(tmp_path / file)
    name, flag = expected
    assert container(tmp_path, environment)[0] == name
    found = by_what(gpus(tmp_path, environment))
    assert found["container"].found.startswith(name or "none")
    assert found["NVIDIA devices"].verdict == (NOTE if name else OK)
    assert flag in found["NVIDIA devices"].hint
    assert "NVIDIA driver" not in found


def test_a_gpu_and_its_driver(tmp_path, monkeypatch):
    for node in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        write(tmp_path / "dev" / node)
    write(tmp_path / ".dockerenv")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    found = by_what(gpus(tmp_path, {}))
    assert found["NVIDIA devices"] == Finding("NVIDIA devices", "/dev/nvidia0, /dev/nvidia1")
    assert found["NVIDIA driver"].verdict == NOTE

    program = write(tmp_path / "bin/nvidia-smi", "#!/bin/sh\necho 'Some GPU, 1.2, 9 MiB'\n")
    program.chmod(0o755)
    assert by_what(gpus(tmp_path, {}))["NVIDIA driver"].found == "Some GPU, 1.2, 9 MiB"
    program.write_text("#!/bin/sh\necho 'no driver'\nexit 9\n")
    driver = by_what(gpus(tmp_path, {}))["NVIDIA driver"]
    assert (driver.found, driver.verdict) == ("nvidia-smi fails: no driver", NOTE)
    program.write_text("#!/bin/nonsense\n")
    assert "does not run" in by_what(gpus(tmp_path, {}))["NVIDIA driver"].found


def test_nvidia_smi_that_hangs(tmp_path, monkeypatch):
    def hang(*arguments, **options):
        raise subprocess.TimeoutExpired("nvidia-smi", 20)

    monkeypatch.setattr(machine.shutil, "which", lambda name: name)
    monkeypatch.setattr(machine.subprocess, "run", hang)
    assert "timed out" in by_what(gpus(tmp_path, {}))["NVIDIA driver"].found


@pytest.mark.parametrize(("value", "verdict"), [("0,1", OK), ("", NOTE), ("-1", NOTE)])
def test_gpus_that_are_hidden(tmp_path, value, verdict):
    found = by_what(gpus(tmp_path, {"CUDA_VISIBLE_DEVICES": value}))
    assert found["CUDA_VISIBLE_DEVICES"].verdict == verdict


def test_windows_subsystem(tmp_path):
    write(tmp_path / "dev/dxg")
    assert "/dev/dxg" in by_what(gpus(tmp_path, {}))["NVIDIA devices"].found


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
