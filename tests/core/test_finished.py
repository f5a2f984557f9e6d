"""core/finished: what is whole, what is ours, and what differs from what is asked for."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from histpred.core.errors import InputError, OutputError
from histpred.core.finished import (
    altered,
    differences,
    digests_of,
    finished,
    held,
    is_ours,
    read_record,
    refuse_altered,
    refuse_other,
)
from histpred.core.output import RESUME


class Record(BaseModel):
    schema_version: str = "1.0"
    histpred: str
    number: int


class Identity(BaseModel):
    histpred: str
    level: str = Field(alias="by")


class File(BaseModel):
    sha256: str


class FolderRecord(BaseModel):
    identity: Identity
    outputs: dict[str, File | str]


FILES = ("a.tsv", "b.tsv")
OURS = '{"schema_version": "1.4", "histpred": "0.1", "number": 3}'


@pytest.fixture
def record(tmp_path) -> Path:
    path = tmp_path / "record.json"
    path.write_text(OURS)
    return path


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        (OURS, True),
        ('{"identity": {"histpred": "0.1"}}', True),
        ('{"identity": {"other": "0.1"}}', False),
        ('{"counts": 3}', False),
        ("[1, 2]", False),
        ("no JSON", False),
    ],
)
def test_a_record_that_names_histpred_is_ours(text, ours, record):
    record.write_text(text)
    assert is_ours(record) is ours


def test_a_missing_record_is_not_ours(tmp_path):
    assert not is_ours(tmp_path / "record.json")
    assert finished(tmp_path / "record.json", Record) is None


def test_a_record_of_somebody_else_is_no_finished_output(record):
    record.write_text('{"counts": 3}')
    assert finished(record, Record) is None


def test_a_record_of_ours_is_read(record):
    assert finished(record, Record) == Record(schema_version="1.4", histpred="0.1", number=3)
    assert read_record(record, Record, "predict", "run it again").number == 3


def test_a_record_of_another_release_is_refused(record):
    record.write_text('{"histpred": "9.0", "numbers": [3]}')
    with pytest.raises(OutputError, match="was not written by histpred"):
        finished(record, Record)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"schema_version": "2.0", "histpred": "9", "number": 3}', "schema version 2.0"),
        ('{"schema_version": "1.0", "histpred": "0.1"}', "not written by histpred predict"),
        ("no JSON", "not written by histpred predict"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_a_remedy(text, words, record):
    record.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_record(record, Record, "predict", "run it again")
    assert caught.value.hint == "run it again"


def test_a_folder_without_a_record_is_not_finished(tmp_path):
    with pytest.raises(InputError, match=r"no finished output of histpred predict: run\.json"):
        read_record(tmp_path / "run.json", Record, "predict", "run it again")


@pytest.mark.parametrize("content", [None, '{"schema_version": "1.0", "result": {}}'])
def test_a_folder_of_another_command_is_named(content, record):
    """Of a folder of explain, summary and report said only "Field required"."""
    other = record.with_name("run.json" if content else "labels.json")
    record.unlink()
    other.write_text(content or "{}")
    path = other if content else record
    with pytest.raises(InputError) as caught:
        read_record(path, Record, "variants", "run it again")
    maker = "predict" if content else "labels"
    place, found = record.parent, f"the output of histpred {maker}, not of histpred variants"
    assert caught.value.message == f"{place}: is {found}"


def test_differences_are_named_with_both_values_however_deep():
    before = {"by": "gene", "recipe": {"seed": 0, "loss": "plain"}, "gone": 1, "same": [1, 2]}
    now = {"by": "transcript", "recipe": {"seed": 1, "loss": "plain"}, "new": 2, "same": [1, 2]}
    assert sorted(differences(before, now)) == [
        "by (gene -> transcript)",
        "gone (1 -> None)",
        "new (None -> 2)",
        "recipe seed (0 -> 1)",
    ]
    assert differences(now, now) == []


def test_long_values_are_shortened():
    (text,) = differences({"labels": "a" * 500}, {"labels": "b"})
    assert len(text) < 120
    assert text.endswith("... -> b)")


def test_a_damaged_or_other_folder_is_refused_by_name(tmp_path):
    (tmp_path / "a.tsv").write_text("a")
    digests = {"a.tsv": hashlib.sha256(b"a").hexdigest(), "b.tsv": hashlib.sha256(b"b").hexdigest()}
    assert altered(tmp_path, digests) == ["b.tsv"]
    refuse_altered(tmp_path, {"a.tsv": digests["a.tsv"]}, "run it again")
    refuse_other(tmp_path, "another prediction", {"by": 1}, {"by": 1}, {"a.tsv": digests["a.tsv"]})
    with pytest.raises(InputError, match=r"missing or altered since: b\.tsv"):
        refuse_altered(tmp_path, digests, "run it again")
    with pytest.raises(OutputError, match="another prediction") as caught:
        refuse_other(tmp_path, "another prediction", {"by": 1}, {"by": 2}, digests)
    assert "by (1 -> 2); files missing or altered since: b.tsv" in str(caught.value)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A finished folder with two files, and what a killed run left."""
    files = {name: hashlib.sha256(name.encode()).hexdigest() for name in FILES}
    for name in files:
        (tmp_path / name).write_text(name)
    identity = {"histpred": "0.1", "by": "gene"}
    outputs = {"a.tsv": {"sha256": files["a.tsv"]}, "b.tsv": files["b.tsv"]}
    (tmp_path / "run.json").write_text(json.dumps({"identity": identity, "outputs": outputs}))
    (tmp_path / RESUME).mkdir()
    return tmp_path


def asked(folder: Path, by: str = "gene", overwrite: bool = False) -> FolderRecord | None:
    def now() -> Identity:
        return Identity(histpred="0.1", by=by)

    return held(folder / "run.json", FolderRecord, "another prediction", now, overwrite)


def test_a_folder_that_holds_what_is_asked_for_gives_its_record_and_is_swept(folder):
    record = asked(folder)
    assert record is not None
    assert record.identity.level == "gene"
    assert digests_of(record) == {name: hashlib.sha256(name.encode()).hexdigest() for name in FILES}
    assert {path.name for path in folder.iterdir()} == {*FILES, "run.json"}


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(folder):
    (folder / "b.tsv").write_text("other")
    with pytest.raises(OutputError, match=r"by \(gene -> exon\); files .* altered since: b.tsv"):
        asked(folder, "exon")
    assert (folder / RESUME).is_dir()


def test_what_is_to_be_replaced_or_not_finished_is_not_looked_at(folder):
    def now() -> Identity:
        raise AssertionError("inputs were read")

    for path, overwrite in ((folder / "run.json", True), (folder / "other.json", False)):
        assert held(path, FolderRecord, "another prediction", now, overwrite) is None
    assert (folder / RESUME).is_dir()
