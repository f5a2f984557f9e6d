from __future__ import annotations

import re
from pathlib import Path

import pytest

from histpred.core.errors import UsageError
from histpred.encoders import ENCODERS
from histpred.encoders.published import FOLDER_VARIABLE, PUBLISHED, default_folder, find
from histpred.genome.regions import KINDS

BY_NAME = {encoder.name: encoder for encoder in PUBLISHED}


def test_names_are_unique_and_found():
    assert len(BY_NAME) == len(PUBLISHED) > 3
    for name, encoder in BY_NAME.items():
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", name)
        assert find(name) is encoder


def test_an_unknown_name_is_a_usage_error_that_names_those_there_are():
    with pytest.raises(UsageError, match="'dnabert3': no such encoder") as caught:
        find("dnabert3")
    for name in BY_NAME:
        assert name in caught.value.hint


@pytest.mark.parametrize("encoder", PUBLISHED, ids=lambda encoder: encoder.name)
def test_an_entry_is_whole(encoder):
    assert encoder.kind in ENCODERS
    assert encoder.window in KINDS
    assert encoder.dimension > 0
    assert encoder.chunk_length > 0
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", encoder.repository)
    assert encoder.revision is None or re.fullmatch("[0-9a-f]{40}", encoder.revision)
    assert encoder.licence
    assert encoder.note
    assert encoder.files
    for file in encoder.files:
        assert Path(file.name).name == file.name
        assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert (file.sha256 is None) == (file.size is None)


def test_the_papers_encoders_are_pinned():
    for name in ("dnabert2", "rnafm"):
        assert BY_NAME[name].revision
        assert all(file.sha256 for file in BY_NAME[name].files)


def test_a_url_has_the_revision_in_it():
    encoder = BY_NAME["dnabert2"]
    assert encoder.url(encoder.files[0]) == (
        f"https://huggingface.co/{encoder.repository}/resolve/{encoder.revision}/pytorch_model.bin"
    )
    free = BY_NAME["moderngena-base"]
    assert "/resolve/main/" in free.url(free.files[0])


def test_the_default_folder(monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "given"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_folder("rnafm") == tmp_path / "given" / "rnafm"
    monkeypatch.delenv(FOLDER_VARIABLE)
    assert default_folder("rnafm") == tmp_path / "data" / "histpred" / "encoders" / "rnafm"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = tmp_path / ".local" / "share" / "histpred" / "encoders" / "rnafm"
    assert default_folder("rnafm") == expected
