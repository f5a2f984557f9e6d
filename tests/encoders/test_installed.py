"""The files of encoders on this machine, and their trial beside tests/commands/test_encoders.py."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from histpred.core.errors import HistpredError, WeightsError
from histpred.encoders import ENCODERS, Embedded, installed
from histpred.encoders.installed import (
    ABSENT,
    INCOMPLETE,
    INSTALLED,
    MISSING,
    RIGHT,
    UNKNOWN,
    WRONG,
    compare,
    locate,
    partial_folder,
    state_of,
    try_out,
)
from histpred.encoders.published import File, Published, default_folder, find

CONTENTS = {"model.bin": b"weights" * 1000, "config.json": b"{}"}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


MODEL = File("model.bin", digest(CONTENTS["model.bin"]), len(CONTENTS["model.bin"]))
PINNED = Published(
    name="pinned",
    kind="hf",
    dimension=8,
    chunk_length=100,
    repository="some/where",
    files=(MODEL, File("config.json")),
    licence="MIT",
    note="",
)
BY_DIGEST = PINNED._replace(files=(MODEL,))

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


def test_what_is_mounted_keeps_its_parts_inside(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "is_mount", lambda self: True)
    assert partial_folder(tmp_path) == tmp_path.resolve() / ".partial"


def test_states(tmp_path):
    folder = tmp_path / "pinned"
    assert state_of(PINNED, folder) == ABSENT
    folder.mkdir()
    assert state_of(PINNED, folder) == ABSENT
    (folder / "config.json").write_bytes(b"{}")
    assert state_of(PINNED, folder) == INCOMPLETE
    (folder / "model.bin").write_bytes(b"short")
    assert state_of(PINNED, folder) == INCOMPLETE
    (folder / "model.bin").write_bytes(CONTENTS["model.bin"])
    assert state_of(PINNED, folder) == INSTALLED


def test_files_beside_what_is_known_of_them(tmp_path):
    def states(encoder: Published, place: Path) -> list[str]:
        return [compared.state for compared in compare(encoder, place)]

    assert states(PINNED, tmp_path / "nowhere") == [MISSING, MISSING]
    for name, content in CONTENTS.items():
        (tmp_path / name).write_bytes(content)
    assert states(PINNED, tmp_path) == [RIGHT, UNKNOWN]
    assert states(BY_DIGEST, tmp_path / "model.bin") == [RIGHT]  # the one file itself
    (tmp_path / "model.bin").write_bytes(b"other")
    model, config = compare(PINNED, tmp_path)
    assert (model.state, model.found) == (WRONG, digest(b"other"))
    assert (config.state, config.found) == (UNKNOWN, digest(CONTENTS["config.json"]))


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


def test_without_a_package_loading_is_not_tried(tmp_path, monkeypatch):
    there = ENCODERS["dnabert2"]
    monkeypatch.setitem(ENCODERS, "dnabert2", there._replace(module="missing_package"))
    (said,) = try_out(find("dnabert2"), tmp_path)
    assert said.startswith(
        "loading was not tried: the encoder 'dnabert2' needs the package missing_package, which is "
        "not installed; install it with HISTPRED_EXTRAS=encoders bin/histpred"
    )


class Loaded:
    """An encoder that gives lower case other numbers than upper case, all of them times `scale`."""

    dimension, longest = 3, 60
    files = ()

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def embed(self, chunks):
        upper = [chunk.count(b"A") + 1.0 for chunk in chunks]
        vectors = self.scale * np.array(upper)[:, None].repeat(3, axis=1)
        return Embedded(vectors, np.array([len(chunk) for chunk in chunks]))


@pytest.mark.parametrize(
    ("scale", "why"),
    [
        (0, "a made-up sequence of 60 letters gives NaN, infinity or zeros"),
        (np.nan, "a made-up sequence of 60 letters gives NaN, infinity or zeros"),
        (1, "lower case changes the vector by up to"),
    ],
)
def test_an_encoder_that_gives_nothing_or_reads_case_fails_its_trial(
    scale, why, tmp_path, monkeypatch
):
    monkeypatch.setattr(installed, "build", lambda *given: Loaded(scale))
    with pytest.raises(HistpredError, match=why):
        try_out(PINNED, tmp_path)
