"""core/journal: what histpred moved to its place is known again by its sha256."""

from __future__ import annotations

import hashlib
import json

import pytest

from histpred.core.errors import OutputError
from histpred.core.journal import JOURNAL, Journal, file_digest


def test_file_digest(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"\0histone" * 300_000)
    assert file_digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def work(tmp_path):
    """The private folder of a run that made a.txt."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a.txt").write_text("new")
    return folder


def test_the_journal_has_the_digests_of_what_was_there_and_of_what_comes(tmp_path, work):
    (tmp_path / "a.txt").write_text("old")
    Journal(work).publish(tmp_path, ["a.txt", "b.txt"])
    expected = [hashlib.sha256(text).hexdigest() for text in (b"old", b"new")]
    assert json.loads((work / JOURNAL).read_text()) == {"a.txt": expected, "b.txt": []}
    assert (tmp_path / "a.txt").read_text() == "new"
    Journal(work).refuse_foreign(tmp_path, ["a.txt", "b.txt"], "hint")
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(OutputError, match="exists") as caught:
        Journal(work).refuse_foreign(tmp_path, ["a.txt"], "move it")
    assert caught.value.hint == "move it"


def test_what_a_killed_run_moved_and_this_one_does_not_make_is_removed(tmp_path, work):
    Journal(work).publish(tmp_path, ["a.txt"])
    (work / "b.txt").write_text("new")
    Journal(work).publish(tmp_path, ["b.txt"])
    assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "b.txt").exists()


def test_clearing_keeps_the_journal(work):
    (work / "deep").mkdir()
    (work / "deep" / "part").write_text("half")
    assert Journal(work).clear() is False
    assert list(work.iterdir()) == []
    (work / JOURNAL).write_text("{}")
    assert Journal(work).clear() is True


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a.txt": 1}', b"[" * 9999, b"\xff"])
def test_a_damaged_journal_knows_no_file(tmp_path, work, content):
    (tmp_path / "a.txt").write_text("old")
    (work / JOURNAL).write_bytes(content)
    with pytest.raises(OutputError, match="exists"):
        Journal(work).refuse_foreign(tmp_path, ["a.txt"], "hint")


def test_a_link_is_never_taken_for_an_own_file(tmp_path, work):
    (tmp_path / "a.txt").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="exists"):
        Journal(work).refuse_foreign(tmp_path, ["a.txt"], "hint")
