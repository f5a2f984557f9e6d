from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from histpred.core.errors import UsageError, WeightsError
from histpred.encoders.locate import locate
from histpred.encoders.published import PUBLISHED, default_folder, find

CONTENTS = {"model.bin": b"weights", "config.json": b"{}"}
FILES = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}
ONE = {"model.bin": FILES["model.bin"]}


def fill(folder: Path, **changes: bytes | None) -> Path:
    """A folder with the files; `model` and `config` give another content, or None for no file."""
    folder.mkdir(parents=True)
    for name, content in CONTENTS.items():
        content = changes.get(name.partition(".")[0], content)
        if content is not None:
            (folder / name).write_bytes(content)
    return folder


def test_an_encoder_that_ships_lies_in_its_bundle(tmp_path):
    bundle = tmp_path / "bundle"
    assert locate({}, None, bundle, None) == bundle
    assert locate({}, None, bundle, fill(tmp_path / "weights")) == bundle


def test_files_are_looked_for_where_the_user_says(tmp_path):
    weights = fill(tmp_path / "weights")
    assert locate(FILES, None, tmp_path / "bundle", weights) == weights
    assert locate(FILES, "dnabert2", tmp_path / "bundle", weights) == weights


def test_without_a_word_they_lie_in_the_bundle(tmp_path):
    bundle = fill(tmp_path / "bundle")
    assert locate(FILES, None, bundle, None) == bundle


def test_a_published_encoder_lies_where_get_puts_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HISTPRED_ENCODERS", str(tmp_path / "all"))
    folder = fill(tmp_path / "all" / "dnabert2")
    assert locate(FILES, "dnabert2", tmp_path / "bundle", None) == folder


def test_a_single_file_may_be_given_itself_whatever_its_name(tmp_path):
    path = tmp_path / "downloaded"
    path.write_bytes(CONTENTS["model.bin"])
    assert locate(ONE, None, tmp_path / "bundle", path) == path


def test_a_single_file_for_an_encoder_of_several_is_refused(tmp_path):
    weights = fill(tmp_path / "weights") / "model.bin"
    with pytest.raises(WeightsError, match=r"model\.bin/model\.bin: not found"):
        locate(FILES, None, tmp_path / "bundle", weights)


@pytest.mark.parametrize("missing", ["model", "config"])
def test_a_missing_file_is_named(missing, tmp_path):
    weights = fill(tmp_path / "weights", **{missing: None})
    with pytest.raises(WeightsError, match=f"{weights / missing}") as raised:
        locate(FILES, None, tmp_path / "bundle", weights)
    assert "not found" in raised.value.message
    assert raised.value.hint == "give the folder that holds them with --weights"


def test_a_published_encoder_that_is_missing_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HISTPRED_ENCODERS", str(tmp_path))
    with pytest.raises(WeightsError, match="not found") as raised:
        locate(FILES, "dnabert2", tmp_path / "bundle", None)
    assert str(tmp_path / "dnabert2" / "model.bin") in raised.value.message
    assert "histpred encoders get dnabert2" in raised.value.hint
    assert "--weights" in raised.value.hint


def test_a_folder_in_the_place_of_a_file_is_not_there(tmp_path):
    weights = fill(tmp_path / "weights", model=None)
    (weights / "model.bin").mkdir()
    with pytest.raises(WeightsError, match="not found"):
        locate(FILES, None, tmp_path / "bundle", weights)


@pytest.mark.parametrize("altered", ["model", "config"])
def test_an_altered_file_is_refused_with_both_digests(altered, tmp_path):
    weights = fill(tmp_path / "weights", **{altered: b"other"})
    with pytest.raises(
        WeightsError, match="not the file that the bundle was trained with"
    ) as raised:
        locate(FILES, None, tmp_path / "bundle", weights)
    (name,) = (name for name in FILES if name.startswith(altered))
    assert hashlib.sha256(b"other").hexdigest() in raised.value.message
    assert FILES[name] in raised.value.message
    assert str(weights / name) in raised.value.message


def test_an_altered_single_file_is_refused(tmp_path):
    path = tmp_path / "downloaded"
    path.write_bytes(b"other")
    with pytest.raises(WeightsError, match="not the file that the bundle was trained with"):
        locate(ONE, None, tmp_path / "bundle", path)


def test_the_default_folder_is_the_variables_else_the_users_data(tmp_path, monkeypatch):
    monkeypatch.setenv("HISTPRED_ENCODERS", "/somewhere")
    assert default_folder("rnafm") == Path("/somewhere/rnafm")
    monkeypatch.setenv("HISTPRED_ENCODERS", "")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_folder("rnafm") == Path("/data/histpred/encoders/rnafm")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_folder("rnafm") == Path("/home/me/.local/share/histpred/encoders/rnafm")


def test_published_encoders_are_found_by_name():
    assert [find(encoder.name) for encoder in PUBLISHED] == list(PUBLISHED)
    assert len({encoder.name for encoder in PUBLISHED}) == len(PUBLISHED) > 3


def test_an_unknown_encoder_is_refused_with_the_names_there_are():
    with pytest.raises(UsageError, match="no such encoder") as raised:
        find("dnabert3")
    assert all(encoder.name in raised.value.hint for encoder in PUBLISHED)
