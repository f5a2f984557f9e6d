"""What is known of the files of a published encoder on this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

from histpred.encoders.installed import (
    ABSENT,
    INCOMPLETE,
    INSTALLED,
    MISSING,
    RIGHT,
    UNKNOWN,
    WRONG,
    compare,
    partial_folder,
    state_of,
)
from histpred.encoders.published import File, Published

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
