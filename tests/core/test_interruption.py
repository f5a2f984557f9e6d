"""core/interruption: a signal ends a process soon, with one message and one exit code."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from histpred.core.interruption import (
    AFRESH,
    AGAIN,
    EXIT_INTERRUPTED,
    GRACE,
    INTERRUPTED,
    Interruptible,
    what_next,
)
from histpred.core.output import RESUME, output_folder, store_is_kept
from support.command_line import ROOT, environment

IN_TEXT = """
import sys
from histpred.core.interruption import EXIT_INTERRUPTED, end_soon
try:
    exec("raise KeyboardInterrupt")
except KeyboardInterrupt:
    end_soon()
sys.exit(EXIT_INTERRUPTED)
"""


def test_an_interruption_of_text_that_is_executed_does_not_change_the_exit_code(tmp_path):
    (tmp_path / "interrupted.py").write_text(IN_TEXT)
    known = {**environment(), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "interrupted"]
    done = subprocess.run(command, check=False, cwd=tmp_path, env=known)
    assert done.returncode == EXIT_INTERRUPTED


SLOW_QUERY = (
    "sqlite3.connect(':memory:').execute("
    "'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n')"
)
# What a run can be in the middle of.
BUSY = {
    "a library that does not return": SLOW_QUERY,
    "a handler that swallows the interruption": (
        "exec('try:\\n time.sleep(60)\\nexcept BaseException:\\n time.sleep(60)')"
    ),
    "cleaning up, and a thread that Python waits for": (
        "pool = concurrent.futures.ThreadPoolExecutor(1); pool.submit(time.sleep, 60)\n"
        "    exec('try:\\n time.sleep(60)\\nexcept BaseException:\\n time.sleep(2.7)\\n raise')"
    ),
    "a thread that the run waits for": (
        "concurrent.futures.ThreadPoolExecutor(1).submit(time.sleep, 60).result()"
    ),
}


def program(busy: str) -> list[str]:
    code = (
        "import concurrent.futures, sqlite3, sys, time\n"
        "from histpred.core.interruption import Interruptible, end_soon\n"
        f"try:\n  with Interruptible():\n    print(flush=True)\n    {busy}\n"
        "except KeyboardInterrupt:\n  end_soon()\n  sys.exit(130)"
    )
    return [sys.executable, "-c", code]


def test_the_exit_code_is_that_of_a_shell():
    assert EXIT_INTERRUPTED == 128 + signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("busy", BUSY.values(), ids=BUSY)
def test_a_signal_ends_the_process_within_five_seconds(busy, number):
    child = subprocess.Popen(
        program(busy), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    with child:
        child.stdout.readline()
        time.sleep(0.1)
        start = time.monotonic()
        child.send_signal(number)
        _, said = child.communicate(timeout=60)
    assert time.monotonic() - start < GRACE + 2
    assert child.returncode == EXIT_INTERRUPTED
    assert said.decode().partition(AGAIN)[0] in ("", f"error: {INTERRUPTED}\n  ")


def test_the_second_signal_ends_the_process_at_once():
    child = subprocess.Popen(
        program(BUSY["a handler that swallows the interruption"]),
        stdout=subprocess.PIPE,
        env=environment(),
    )
    with child:
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        time.sleep(0.3)
        start = time.monotonic()
        child.send_signal(signal.SIGINT)
        child.wait(60)
    assert time.monotonic() - start < GRACE - 1
    assert child.returncode == EXIT_INTERRUPTED


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_interrupts_the_block_and_the_handlers_come_back(number):
    before = signal.getsignal(number)
    signals = Interruptible()
    assert not signals.interrupted
    with pytest.raises(KeyboardInterrupt), signals:
        signal.raise_signal(number)
    assert signals.interrupted
    assert signal.getsignal(number) is before


def interrupted(folder, files):
    """Keep these files for the next run, and be interrupted."""
    with output_folder(folder, ["a"], Path.exists):
        for name in files:
            (folder / RESUME).mkdir(exist_ok=True)
            (folder / RESUME / name).write_bytes(b"")
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([], AFRESH),
        (["lock"], AFRESH),
        (["shard.parquet"], f"{AGAIN}: it goes on with the embeddings that are finished"),
        (["a.parquet", "checkpoint0.pt"], f"{AGAIN}: it goes on with the epochs that are finished"),
    ],
)
def test_it_says_whether_the_next_run_goes_on(files, said, tmp_path):
    with pytest.raises(KeyboardInterrupt) as raised:
        interrupted(tmp_path / "out", files)
    assert what_next(raised.value) == said


def interrupted_with(store):
    with store_is_kept(store):
        raise KeyboardInterrupt


def hidden(store):
    try:
        interrupted_with(store)
    except KeyboardInterrupt as error:
        raise RuntimeError("stopped") from error


def test_a_store_of_the_user_is_found_again(tmp_path):
    with pytest.raises(KeyboardInterrupt) as raised:
        interrupted_with(tmp_path)
    assert what_next(raised.value) == AFRESH
    (tmp_path / "shard.parquet").write_bytes(b"")
    for error, run in ((KeyboardInterrupt, interrupted_with), (RuntimeError, hidden)):
        with pytest.raises(error) as raised:
            run(tmp_path)
        assert what_next(raised.value) == f"{AGAIN}: it goes on with the embeddings in {tmp_path}"
