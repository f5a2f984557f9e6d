"""Failures of a cluster, of a disk and of users, each followed by what the documents say to do.

They need root or some minutes, so they run only with HISTPRED_DRILLS=1. The drills that no root
needs, a killed task and a killed launcher, are in test_pipeline.py.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.nextflow import needs_nextflow
from support.pipeline import PREDICTIONS, assert_same, launch, succeed, tasks, wrapper
from support.slurm import breakable_slurm, why_no_slurm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.nextflow,
    pytest.mark.drill,
    pytest.mark.timeout(1200),
    needs_nextflow,
    pytest.mark.skipif(
        os.environ.get("HISTPRED_DRILLS") != "1", reason="needs HISTPRED_DRILLS=1 (minutes, root)"
    ),
]
SOME_SHARDS = ("--shard_bases", "250000")

# In the first shard that runs, the node's daemon is killed. In the second one: the daemon, the task
# and all that Slurm started for it, as if the node had lost its power.
BREAK = """
once() {{ mkdir "{folder}/$1" 2>/dev/null; }}
if [ "$1" = predict ] && once daemon; then
    kill -9 "$(cat {folder}/node)"
    sleep 3
elif [ "$1" = predict ] && once power; then
    until [ -s {folder}/restarts ]; do sleep 0.2; done
    sleep 2
    pid=$$ all=
    until [ "$(ps -o comm= -p $pid)" = slurmstepd ]; do
        [ $pid -gt 1 ] || exit 1
        all="$pid $all"
        pid=$(ps -o ppid= -p $pid | tr -d ' ')
    done
    kill -9 "$(cat {folder}/node)" $pid $all
fi
"""
# Nextflow waits 270 s for what a vanished task may still write, and asks Slurm once a minute.
IMPATIENT = """
executor {
    exitReadTimeout = '10 sec'
    queueStatInterval = '5 sec'
}
"""


@pytest.mark.slurm
@pytest.mark.skipif(why_no_slurm() != "", reason=why_no_slurm())
def test_a_killed_node_daemon_and_a_lost_node_cost_no_run(tmp_path: Path, plain: Path) -> None:
    (tmp_path / "site.config").write_text(IMPATIENT)
    folder = tmp_path / "slurm"
    first = wrapper(tmp_path / "breaking", BREAK.format(folder=folder))
    with breakable_slurm(folder) as configuration:
        said = succeed(
            tmp_path,
            *("-c", "site.config", *SOME_SHARDS),
            profile="test,slurm",
            first=str(first),
            SLURM_CONF=str(configuration),
        )
    assert len((folder / "restarts").read_text().splitlines()) == 2
    assert said.count("Execution is retried (1)") == 1  # the task of the lost node
    assert "terminated for an unknown reason" in said
    assert_same(tmp_path / PREDICTIONS, plain)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MB in memory."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", folder]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs root, to mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_after_a_full_disk_resume_goes_on(tmp_path: Path, plain: Path, small_disk: Path) -> None:
    fill = (
        f'[[ "$*" != "predict shard/0002.tsv"* ]] || cat /dev/zero 2>/dev/null > {small_disk}/fill'
    )
    options = ("-w", small_disk / "work", *SOME_SHARDS)
    done = launch(tmp_path, *options, first=str(wrapper(tmp_path / "filling", fill)))
    assert done.returncode != 0
    assert "chr22-20M: no message, exit status" in done.stdout  # no task can write one
    assert "is the disk full?" in done.stdout
    assert "No space left on device" in (tmp_path / ".nextflow.log").read_text()
    assert "Results are in" not in done.stdout
    assert not (tmp_path / "results" / "predictions").exists()

    (small_disk / "fill").unlink()
    said = succeed(tmp_path, *options, "-resume")
    assert "SCATTER" in tasks(said, "Cached")
    assert_same(tmp_path / PREDICTIONS, plain)


def test_two_launches_in_one_folder(tmp_path: Path, plain: Path) -> None:
    """The second one refuses to resume the first, and does its own work if it need not."""
    wait = (
        f'if [[ "$*" = "predict shard/0001.tsv"* ]] && mkdir {tmp_path}/waits 2>/dev/null; then\n'
        f"until [ -e {tmp_path}/go ]; do sleep 0.2; done\nfi"
    )
    first = str(wrapper(tmp_path / "waiting", wait))
    said: list[str] = []
    thread = threading.Thread(
        target=lambda: said.append(succeed(tmp_path, *SOME_SHARDS, first=first))
    )
    thread.start()
    try:
        while not (tmp_path / "waits").exists():
            assert thread.is_alive()
            time.sleep(0.2)
        done = launch(tmp_path, *SOME_SHARDS, "-resume")
        assert done.returncode != 0
        assert "Unable to acquire lock on session" in done.stdout + done.stderr

        succeed(tmp_path, *SOME_SHARDS)
        assert_same(tmp_path / PREDICTIONS, plain)
    finally:
        (tmp_path / "go").touch()
        thread.join()
    assert said
    assert_same(tmp_path / PREDICTIONS, plain)
