from __future__ import annotations

import errno
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from histpred.core import journal, output
from histpred.core.errors import OutputError, TemporaryError
from histpred.core.journal import LOCK, file_digest, publish
from histpred.core.output import (
    WORK,
    output_files,
    output_folder,
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
        if final.parent.name == WORK:  # the journal
            return publish(partial, final)
        assert not (out / NAMES[-1]).exists()
        moved.append(final.name)
        publish(partial, final)

    monkeypatch.setattr(journal, "publish", spy)
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
def test_no_room_for_a_folder_is_temporary(tmp_path, monkeypatch, run):
    def mkdir(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(TemporaryError, match="the disk is full"), temporary_faults():
        run(tmp_path / "out")


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
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_a_lack_of_room_is_temporary(fault):
    with pytest.raises(TemporaryError, match="run the same command again"), temporary_faults():
        raise fault


def test_a_full_disk_names_the_file_that_is_written(tmp_path):
    named = temporary_faults(tmp_path / "a.bb")
    with (
        pytest.raises(TemporaryError, match=r"a\.bb cannot be written in .*: the disk is full"),
        named,
    ):
        raise OSError(errno.ENOSPC, "No space left on device")


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


# What histpred did not write is never replaced, and what it wrote is known again.


def killed(folder: Path) -> Path:
    """The private folder of a run that was killed before it moved anything."""
    (folder / WORK).mkdir(parents=True)
    (folder / WORK / LOCK).touch()
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_file_put_into_the_folder_of_a_killed_run_is_not_replaced(tmp_path, name):
    out = killed(tmp_path / "out")
    (out / name).write_text("mine")
    with (
        pytest.raises(OutputError, match=f"{name} exists"),
        output_folder(out, NAMES, lambda mark: False) as work,
    ):
        (work / name).write_text("new")
    assert (out / name).read_text() == "mine"
    assert names(out) == [name]


def test_a_file_put_where_a_killed_run_would_have_written_is_not_replaced(tmp_path):
    path = tmp_path / "out.tsv"
    (tmp_path / f".out.tsv{WORK}").mkdir()
    path.write_text("mine")
    with pytest.raises(OutputError, match=r"out\.tsv exists"):
        run_file(path)
    assert path.read_text() == "mine"
    run_file(path, overwrite=True)
    assert path.read_text() == "new"


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_file_that_appears_during_a_run_is_not_replaced(tmp_path, kind):
    path = tmp_path / "out" / "run.json"
    path.parent.mkdir()

    def appear() -> None:
        outputs = (
            output_folder(path.parent, NAMES, lambda mark: False)
            if kind == "folder"
            else output_files([path], overwrite=False)
        )
        with outputs as work:
            (work / "run.json").write_text("new")
            path.write_text("mine")

    with pytest.raises(OutputError, match=r"run\.json exists"):
        appear()
    assert path.read_text() == "mine"
    assert names(path.parent) == ["run.json"]


class Killed(BaseException):
    """Stands for a signal at that very place."""


def break_off(monkeypatch, name: str) -> None:
    """Break off when `name` is about to be moved to its place."""

    def move(partial, final):
        if final.name == name:
            raise Killed
        publish(partial, final)

    monkeypatch.setattr(journal, "publish", move)


@pytest.mark.parametrize("before", [False, True], ids=["first", "overwrite"])
@pytest.mark.parametrize("at", NAMES)
def test_what_a_run_had_moved_when_it_was_killed_is_replaced(tmp_path, monkeypatch, at, before):
    out = tmp_path / "out"
    if before:
        run(out, *NAMES, content="old")
    with monkeypatch.context() as patched:
        break_off(patched, at)
        with pytest.raises(Killed):
            run(out, *NAMES)
    with pytest.raises(ValueError, match="half"), output_folder(out, NAMES, Path.exists):
        raise ValueError("half")  # and so after a run that failed
    with output_folder(out, NAMES, Path.exists) as work:
        for name in NAMES[1:]:
            (work / name).write_text("newest")
    assert {path.name: path.read_text() for path in out.iterdir()} == {
        "second.tsv": "newest",
        "run.json": "newest",
    }


def test_what_was_changed_after_the_kill_is_not_replaced(tmp_path, monkeypatch):
    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        break_off(patched, "run.json")
        with pytest.raises(Killed):
            run(out, *NAMES)
    (out / "first.tsv").write_text("mine")
    with pytest.raises(OutputError, match=r"first\.tsv exists"):
        run(out, *NAMES)
    assert (out / "first.tsv").read_text() == "mine"
    (out / "first.tsv").unlink()
    run(out, *NAMES)
    assert names(out) == sorted(NAMES)


@pytest.mark.parametrize("overwrite", [False, True])
def test_files_that_a_killed_run_had_moved_in_part(tmp_path, monkeypatch, overwrite):
    paths = [tmp_path / "out.tsv", tmp_path / "out.tsv.ledger.tsv"]

    def make(content: str) -> None:
        with output_files(paths, overwrite) as work:
            for path in paths:
                (work / path.name).write_text(content)

    if overwrite:
        make("old")
    with monkeypatch.context() as patched:
        break_off(patched, "out.tsv")
        with pytest.raises(Killed):
            make("new")
    assert paths[1].read_text() == "new"
    overwrite = False
    make("newest")
    assert [path.read_text() for path in paths] == ["newest", "newest"]
    assert names(tmp_path) == sorted(path.name for path in paths)


def test_a_journal_names_nothing_outside_its_folder(tmp_path):
    out = killed(tmp_path / "out")
    mine = tmp_path / "mine"
    mine.write_text("mine")
    entries = {"../mine": [file_digest(mine)], str(mine): [file_digest(mine)], "run.json": 3}
    (out / WORK / journal.JOURNAL).write_text(json.dumps(entries))
    run(out, *NAMES)
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("content", ["", "[]", '{"a"', "3", '{"run.json": null}'])
def test_a_damaged_journal_knows_nothing(tmp_path, content):
    out = killed(tmp_path / "out")
    (out / WORK / journal.JOURNAL).write_text(content)
    (out / "run.json").write_text("mine")
    with (
        pytest.raises(OutputError, match=r"run\.json exists"),
        output_folder(out, NAMES, lambda mark: False),
    ):
        pass
    assert (out / "run.json").read_text() == "mine"


# A finished output that is made again stays as it is.


def test_the_same_file_again_is_left_alone(tmp_path, caplog):
    path = tmp_path / "out.tsv"
    run_file(path)
    os.utime(path, ns=(5, 5))
    with caplog.at_level("INFO"):
        run_file(path)
    assert caplog.messages == [f"{path} holds this output already: nothing to do"]
    assert path.stat().st_mtime_ns == 5
    assert names(tmp_path) == ["out.tsv"]


def test_the_same_folder_again_is_left_alone_and_another_refused(tmp_path, caplog):
    out = tmp_path / "out"

    def make(content: str, overwrite: bool) -> None:
        with output_folder(out, NAMES, Path.exists, overwrite) as work:
            (work / "second.tsv").write_text(content)
            (work / "run.json").write_text("new")

    make("new", False)
    (out / "notes.txt").write_text("mine")
    os.utime(out / "run.json", ns=(5, 5))
    with caplog.at_level("INFO"):
        make("new", False)
    assert caplog.messages == [f"{out} holds this output already: nothing to do"]
    assert (out / "run.json").stat().st_mtime_ns == 5
    with pytest.raises(OutputError, match=r"holds another output; what differs: second\.tsv"):
        make("newer", False)
    assert names(out) == ["notes.txt", "run.json", "second.tsv"]
    make("newer", True)
    assert (out / "second.tsv").read_text() == "newer"
