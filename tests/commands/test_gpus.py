from __future__ import annotations

import subprocess

import pytest

from histpred.commands import gpus as module
from histpred.commands.gpus import container, gpus
from histpred.commands.machine import NOTE, OK, Finding
from support.findings import by_what, write

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

    monkeypatch.setattr(module.shutil, "which", lambda name: name)
    monkeypatch.setattr(module.subprocess, "run", hang)
    assert "timed out" in by_what(gpus(tmp_path, {}))["NVIDIA driver"].found


@pytest.mark.parametrize(("value", "verdict"), [("0,1", OK), ("", NOTE), ("-1", NOTE)])
def test_gpus_that_are_hidden(tmp_path, value, verdict):
    found = by_what(gpus(tmp_path, {"CUDA_VISIBLE_DEVICES": value}))
    assert found["CUDA_VISIBLE_DEVICES"].verdict == verdict


def test_windows_subsystem(tmp_path):
    write(tmp_path / "dev/dxg")
    assert "/dev/dxg" in by_what(gpus(tmp_path, {}))["NVIDIA devices"].found
