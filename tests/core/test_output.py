from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from histpred.core import output
from histpred.core.errors import OutputError, TemporaryError
from histpred.core.output import (
    LOCK,
    WORK,
    file_digest,
    output_files,
    output_folder,
    publish,
    refuse_inputs,
    scratch_folder,
    sweep,
    temporary_faults,
)

NAMES = ("first.tsv", "second.tsv", "run.json")


def names(folder: Path) -> list[str]:
    return sorted(child.name for child in folder.iterdir())


def run(folder: Path, *written: str, content: str = "new") -> None:
    with output_folder(folder, NAMES, Path.exists) as work:
        for name in written:
            (work / name).write_text(content)


def run_file(path: Path, overwrite: bool = False) -> None:
    with output_files([path], overwrite) as work:
        (work / path.name).write_text("new")


def test_file_digest(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"\0histone" * 300_000)
    assert file_digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_folder_gets_its_files_and_nothing_else(tmp_path):
    out = tmp_path / "deep" / "out"
    run(out, *NAMES, "scratch")
    assert names(out) == sorted(NAMES)


def test_what_a_run_does_not_write_again_is_gone_but_what_is_not_ours_stays(tmp_path):
    run(tmp_path / "out", *NAMES)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    run(tmp_path / "out", "second.tsv", "run.json", content="newer")
    assert names(tmp_path / "out") == ["notes.txt", "run.json", "second.tsv"]
    assert (tmp_path / "out" / "second.tsv").read_text() == "newer"


def test_a_run_may_name_more_files_while_it_works(tmp_path):
    """How many shards there are is known only in the end; those of the run before go."""
    for count in (3, 1):
        own = ["run.json"]
        with output_folder(tmp_path / "out", own, Path.exists) as work:
            (work / "shards").mkdir()
            for number in range(count):
                (work / "shards" / f"{number}.tsv").write_text(str(count))
            (work / "run.json").write_text("new")
            own[:] = [*(f"shards/{number}.tsv" for number in range(3)), "run.json"]
        shards = {path.name: path.read_text() for path in (tmp_path / "out" / "shards").iterdir()}
        assert shards == {f"{number}.tsv": str(count) for number in range(count)}
        assert names(tmp_path / "out") == ["run.json", "shards"]


def test_the_mark_of_a_finished_folder_goes_first_and_comes_last(tmp_path, monkeypatch):
    out = tmp_path / "out"
    run(out, *NAMES)
    moved = []

    def spy(partial, final):
        assert not (out / NAMES[-1]).exists()
        moved.append(final.name)
        publish(partial, final)

    monkeypatch.setattr(output, "publish", spy)
    run(out, *reversed(NAMES))
    assert moved == list(NAMES)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_a_failed_run_leaves_what_was_there(tmp_path, error):
    out = tmp_path / "out"

    def fail():
        with output_folder(out, NAMES, Path.exists) as work:
            (work / NAMES[0]).write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert names(tmp_path) == []

    run(out, *NAMES, content="old")
    with pytest.raises(error):
        fail()
    assert {(out / name).read_text() for name in NAMES} == {"old"}
    assert names(out) == sorted(NAMES)


def test_what_a_killed_run_left_is_swept_away(tmp_path):
    left = tmp_path / "out" / WORK / "deep"
    left.mkdir(parents=True)
    (left / "half").write_text("half")
    (left.parent / NAMES[0]).write_text("half")
    run(tmp_path / "out", NAMES[1], NAMES[2])
    assert names(tmp_path / "out") == ["run.json", "second.tsv"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_one_run_at_a_time(tmp_path, kind):
    path = tmp_path / "out"
    call = (
        "output_folder(Path(sys.argv[1]), ['run.json'], Path.exists)"
        if kind == "folder"
        else "output_files([Path(sys.argv[1])], False)"
    )
    program = (
        "import sys; from pathlib import Path; from histpred.core.output import *\n"
        f"with {call}: print(flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(output.__file__).parents[2])},
    )
    with other:
        other.stdout.readline()
        with pytest.raises(OutputError, match="being written by another histpred"):
            run(path, "run.json") if kind == "folder" else run_file(path)
        other.kill()
    # The lock of a killed run is no lock.
    run(path, "run.json") if kind == "folder" else run_file(path)
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("name", NAMES)
def test_files_of_our_names_that_are_not_ours_are_refused(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with (
        pytest.raises(OutputError, match="not an output of histpred"),
        output_folder(tmp_path, NAMES, lambda mark: False),
    ):
        pass
    assert (tmp_path / name).read_text() == "mine"


def test_a_failed_run_leaves_no_folders(tmp_path):
    with (
        pytest.raises(ValueError, match="half"),
        output_folder(tmp_path / "a" / "b", NAMES, Path.exists),
    ):
        raise ValueError("half")
    assert names(tmp_path) == []


def test_a_folder_of_somebody_else_is_refused(tmp_path):
    for name in "abcde":
        (tmp_path / name).touch()
    with pytest.raises(OutputError, match=r"not an output of histpred: it holds a, b, c and 2"):
        run(tmp_path, *NAMES)
    assert names(tmp_path) == list("abcde")


@pytest.mark.parametrize("run", [run, run_file])
def test_a_path_below_a_file_is_refused(tmp_path, run):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write to"):
        run(tmp_path / "file" / "out")
    assert names(tmp_path) == ["file"]


def test_a_file_is_no_folder_and_a_folder_no_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"):
        run(tmp_path / "file", *NAMES)
    with pytest.raises(OutputError, match="is a folder"):
        run_file(tmp_path, overwrite=True)


def test_a_file_is_replaced_only_when_told(tmp_path):
    path = tmp_path / "out.tsv"
    path.write_text("old")
    with pytest.raises(OutputError, match="--overwrite"):
        run_file(path)
    assert path.read_text() == "old"
    run_file(path, overwrite=True)
    assert path.read_text() == "new"
    assert names(tmp_path) == ["out.tsv"]


def test_a_failed_run_leaves_the_file_that_was_there(tmp_path):
    path = tmp_path / "out.tsv"
    path.write_text("old")

    def fail():
        with output_files([path], overwrite=True) as work:
            (work / path.name).write_text("half")
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["out.tsv"]


@pytest.mark.parametrize(
    "fault",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError(errno.EFBIG, "File too large"),
        sqlite3.OperationalError("database or disk is full"),
        sqlite3.OperationalError("disk I/O error"),
        MemoryError(),
    ],
)
def test_a_lack_of_room_is_temporary(fault):
    with pytest.raises(TemporaryError, match="run the same command again"), temporary_faults():
        raise fault


@pytest.mark.parametrize(
    "fault", [PermissionError(errno.EACCES, "no"), sqlite3.OperationalError("syntax"), KeyError(1)]
)
def test_other_faults_are_left_alone(fault):
    with pytest.raises(type(fault)), temporary_faults():
        raise fault


def test_files_that_belong_together_are_refused_together(tmp_path):
    second = tmp_path / "second.tsv"
    second.write_text("mine")
    with (
        pytest.raises(OutputError, match=r"second\.tsv exists"),
        output_files([tmp_path / "first.tsv", second], overwrite=False),
    ):
        pass
    assert names(tmp_path) == ["second.tsv"]


def test_an_input_is_no_output(tmp_path):
    given = tmp_path / "rows.bed"
    given.write_text("")
    (tmp_path / "link.bed").symlink_to(given)
    refuse_inputs([tmp_path / "other.bed"], [given, "-"])
    with pytest.raises(OutputError, match="is an input too"):
        refuse_inputs([tmp_path / "link.bed"], [given])


def test_what_is_left_in_a_finished_folder_is_swept_up(tmp_path):
    run(tmp_path, "run.json")
    sweep(tmp_path)
    (tmp_path / WORK).mkdir()
    (tmp_path / WORK / "part").write_text("half")
    sweep(tmp_path)
    assert names(tmp_path) == ["run.json"]


@pytest.mark.parametrize(("age", "is_removed"), [(0, False), (60, False), (60.5, True)])
def test_a_scratch_folder_that_may_not_be_locked_yet_is_left_alone(
    tmp_path, monkeypatch, age, is_removed
):
    """A run creates its folder, then locks it; for a minute, an unlocked folder may be in use."""
    other = tmp_path / f"{WORK}-other"
    other.mkdir()
    (other / LOCK).touch()
    created = other.stat().st_mtime
    monkeypatch.setattr(output.time, "time", lambda: created + age)
    with scratch_folder(tmp_path) as work:
        assert work.parent == tmp_path
        assert other.exists() != is_removed


def test_a_scratch_folder_in_use_is_left_alone(tmp_path, monkeypatch):
    now = output.time.time
    with scratch_folder(tmp_path) as first:
        monkeypatch.setattr(output.time, "time", lambda: now() + 3600)
        with scratch_folder(tmp_path) as second:
            assert first.exists()
            assert second != first
