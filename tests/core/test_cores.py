"""The cores that are allowed, and the threads that histpred and its libraries start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from histpred.core import cores
from histpred.core.cores import (
    VARIABLES,
    allowed_cores,
    control_groups,
    cpu_quota,
    limited_threads,
    slurm_cores,
    usable_cores,
)
from support.command_line import environment, histpred
from support.state import unchanged_state


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "cores_of_system", lambda: 8)


@pytest.mark.parametrize(
    ("own", "above", "expected"),
    [
        ("", "", None),
        ("max 100000", "", None),
        ("150000 100000", "max 100000", 1.5),
        ("400000 100000", "50000 100000", 0.5),
        ("rubbish", "1 0", None),
    ],
)
def test_the_quota_of_a_container(own, above, expected, tmp_path) -> None:
    write(tmp_path / "proc/self/cgroup", "1:cpu:/other\n0::/batch/job\n")
    write(tmp_path / "sys/fs/cgroup/batch/job/cpu.max", own)
    write(tmp_path / "sys/fs/cgroup/batch/cpu.max", above)
    assert cpu_quota(tmp_path) == expected


def test_the_quota_of_an_old_container(tmp_path) -> None:
    """Control groups of version 1 have a folder for each controller."""
    write(tmp_path / "proc/self/cgroup", "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n")
    write(tmp_path / "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "250000\n")  # as Docker mounts it
    write(tmp_path / "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
    assert cpu_quota(tmp_path) == 2.5
    assert allowed_cores(tmp_path, {}) == 3
    write(tmp_path / "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n")
    assert cpu_quota(tmp_path) is None


def test_a_limit_of_the_own_group_or_of_one_above_counts(tmp_path) -> None:
    groups = tmp_path / "sys/fs/cgroup"
    assert control_groups(tmp_path) == [groups]
    write(tmp_path / "proc/self/cgroup", "1:cpu:/other\n0::/batch/job\n")
    assert control_groups(tmp_path) == [groups / "batch/job", groups / "batch", groups]
    assert control_groups(tmp_path, "cpu") == [groups / "cpu/other", groups / "cpu"]
    write(tmp_path / "proc/self/cgroup", "0::/../../job\n")
    assert control_groups(tmp_path) == [groups]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"SLURM_CPUS_PER_TASK": "3"}, None),  # left over from another shell
        ({"SLURM_JOB_ID": "7"}, None),
        ({"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "6"}, 6),
        ({"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "6", "SLURM_CPUS_PER_TASK": "2"}, 2),
        ({"SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "many"}, None),
        ({"SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "0"}, None),
    ],
)
def test_the_cores_of_a_slurm_job(variables, expected) -> None:
    assert slurm_cores(variables) == expected


def test_the_least_limit_counts_and_is_at_least_one(tmp_path) -> None:
    assert allowed_cores(tmp_path, {}) == 8
    slurm = {"SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "5"}
    assert allowed_cores(tmp_path, slurm) == 5
    write(tmp_path / "sys/fs/cgroup/cpu.max", "25000 100000")
    assert allowed_cores(tmp_path, slurm) == 1


def test_the_limit_holds_in_the_block_and_is_undone(monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    before = usable_cores()
    with unchanged_state():
        with limited_threads(3):
            assert usable_cores() == 3
            assert {os.environ[name] for name in VARIABLES} == {"3"}
            with limited_threads(2):
                assert usable_cores() == 2
            assert usable_cores() == 3
        assert os.environ["OMP_NUM_THREADS"] == "7"
        assert "OPENBLAS_NUM_THREADS" not in os.environ
    assert usable_cores() == before


def test_without_a_wish_the_limit_of_slurm_reaches_the_libraries(monkeypatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    with limited_threads():
        assert usable_cores() == 1
        assert os.environ["OMP_NUM_THREADS"] == "1"


def test_what_the_user_has_set_for_a_library_stays(monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "2")
    with limited_threads():
        assert os.environ["OMP_NUM_THREADS"] == "5"
        assert usable_cores() == 2


def test_libraries_that_are_there_already_are_limited() -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    controls = pytest.importorskip("threadpoolctl", reason="comes with scikit-learn")

    def blas() -> set[int]:
        pools = controls.threadpool_info()
        return {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"}

    before = torch.get_num_threads(), blas()
    torch.set_num_threads(4)
    try:
        with limited_threads(1):
            assert (torch.get_num_threads(), blas()) == (1, {1})
        assert (torch.get_num_threads(), blas()) == (4, before[1])
    finally:
        torch.set_num_threads(before[0])


LIBRARIES = """
import json, os, sys
from histpred.core.cores import limited_threads
with limited_threads(1):
    import numpy, torch
    from threadpoolctl import threadpool_info
    pools = [pool["num_threads"] for pool in threadpool_info()]
    print(json.dumps([*pools, torch.get_num_threads()]))
"""


def test_libraries_that_are_imported_later_are_limited() -> None:
    pytest.importorskip("torch", reason="needs torch")
    pytest.importorskip("threadpoolctl", reason="comes with scikit-learn")
    known = {name: value for name, value in environment().items() if name not in VARIABLES}
    command = [sys.executable, "-c", LIBRARIES]
    found = subprocess.run(command, check=True, capture_output=True, text=True, env=known)
    assert set(found.stdout.strip("[]\n").split(", ")) == {"1"}


def test_predict_runs_with_the_threads_that_are_asked_for(demo_data, tmp_path, monkeypatch) -> None:
    from histpred.core import runtime

    seen: list[int] = []
    opened = runtime._create

    def create(*arguments):
        session = opened(*arguments)
        seen.append(session.get_session_options().intra_op_num_threads)
        return session

    monkeypatch.setattr(runtime, "_create", create)
    files = demo_data / "genes.gtf.gz", demo_data / "genome.fa.gz"
    for threads in (1, 6):
        seen.clear()
        out = tmp_path / str(threads)
        assert histpred("predict", *files, "-t", str(threads), "-o", out).code == 0
        assert max(seen) == threads
    one, six = ((tmp_path / name / "scores.tsv.gz").read_bytes() for name in ("1", "6"))
    assert one == six


@pytest.mark.parametrize("verb", ["predict", "embed", "train", "evaluate"])
def test_no_threads_is_a_usage_error(verb) -> None:
    done = histpred(verb, "-t", "0")
    assert done.code == 2
    assert "-t" in done.err
