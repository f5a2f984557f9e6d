"""core/finished: what is whole, what is ours, and what differs from what is asked for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pydantic import BaseModel

from histpred.core.errors import InputError, OutputError
from histpred.core.finished import (
    altered,
    differences,
    finished,
    is_ours,
    read_record,
    refuse_altered,
    refuse_other,
)


class Record(BaseModel):
    schema_version: str = "1.0"
    histpred: str
    number: int


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
