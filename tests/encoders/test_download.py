"""Downloads, from a huggingface_hub that is a fake: no test needs a network or the package."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import socket
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from histpred.core.errors import OutputError, TemporaryError, UsageError, WeightsError
from histpred.core.extras import how_to_install
from histpred.encoders import download
from histpred.encoders.download import get
from histpred.encoders.installed import (
    INCOMPLETE,
    INSTALLED,
    partial_folder,
    state_of,
)
from histpred.encoders.published import File, Published

CONTENTS = {"model.bin": b"weights" * 1000, "config.json": b"{}"}
COMMIT = "c" * 40


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def known(name: str) -> File:
    return File(name, digest(CONTENTS[name]), len(CONTENTS[name]))


PINNED = Published(
    name="pinned",
    kind="hf",
    settings={},
    dimension=8,
    window="context",
    chunk_length=100,
    repository="some/where",
    revision="a" * 40,
    files=(known("model.bin"), File("config.json")),
    licence="MIT",
    note="",
)
UNPINNED = PINNED._replace(name="unpinned", revision=None)
BY_DIGEST = UNPINNED._replace(files=(known("model.bin"),))


class LocalEntryNotFoundError(FileNotFoundError):
    pass


class RepositoryNotFoundError(OSError):
    pass


class RevisionNotFoundError(OSError):
    pass


class EntryNotFoundError(Exception):
    pass


class Hub:
    """What hf_hub_download would do: `contents` by name; `error` is raised after `before` bytes."""

    def __init__(self) -> None:
        self.contents = dict(CONTENTS)
        self.error: Exception | None = None
        self.before = 0
        self.calls: list[tuple[str, str, str]] = []
        self.resumed_from: list[int] = []
        self.bars = True
        self.verbosity = "warning"
        self.seen: list[tuple[bool, str, str]] = []  # at each call: bars, verbosity, telemetry

    def hf_hub_download(
        self, repo_id: str, filename: str, *, revision: str, local_dir: Path
    ) -> str:
        self.calls.append((repo_id, filename, revision))
        telemetry = os.environ["HF_HUB_DISABLE_TELEMETRY"]
        self.seen.append((self.bars, self.verbosity, telemetry))
        whole = Path(local_dir) / filename
        if whole.exists():
            return str(whole)
        begun = Path(local_dir) / ".cache" / f"{filename}.incomplete"
        begun.parent.mkdir(parents=True, exist_ok=True)
        got = begun.read_bytes() if begun.exists() else b""
        self.resumed_from.append(len(got))
        if self.error:
            begun.write_bytes(self.contents[filename][: self.before])
            raise self.error
        begun.write_bytes(got + self.contents[filename][len(got) :])
        begun.rename(whole)
        return str(whole)


@pytest.fixture
def hub(monkeypatch):
    hub = Hub()
    module = ModuleType("huggingface_hub")
    module.hf_hub_download = hub.hf_hub_download
    module.errors = SimpleNamespace(
        LocalEntryNotFoundError=LocalEntryNotFoundError,
        RepositoryNotFoundError=RepositoryNotFoundError,
        RevisionNotFoundError=RevisionNotFoundError,
        EntryNotFoundError=EntryNotFoundError,
    )
    module.utils = SimpleNamespace(
        logging=SimpleNamespace(
            get_verbosity=lambda: hub.verbosity,
            set_verbosity=lambda verbosity: setattr(hub, "verbosity", verbosity),
            set_verbosity_error=lambda: setattr(hub, "verbosity", "error"),
        ),
        are_progress_bars_disabled=lambda: not hub.bars,
        disable_progress_bars=lambda: setattr(hub, "bars", False),
        enable_progress_bars=lambda: setattr(hub, "bars", True),
    )
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "0")
    monkeypatch.delenv("HF_HUB_DISABLE_XET", raising=False)
    for name in ("HF_ENDPOINT", *(f"{scheme}_proxy" for scheme in ("http", "https", "all"))):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(download.socket, "getaddrinfo", lambda host, port: [])
    return hub


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_all_files_arrive_and_nothing_else_is_left(hub, tmp_path):
    folder = tmp_path / "deep" / "pinned"
    paths = get(PINNED, folder)
    assert paths == [folder / "model.bin", folder / "config.json"]
    assert {path.name: path.read_bytes() for path in paths} == CONTENTS
    assert names(folder.parent) == ["pinned"]
    assert names(folder) == ["config.json", "model.bin"]
    assert {(repository, revision) for repository, _, revision in hub.calls} == {
        ("some/where", PINNED.revision)
    }
    assert hub.seen == [(False, "error", "1")] * 2


def test_the_settings_of_huggingface_hub_are_restored(hub, tmp_path):
    hub.error = ConnectionError("reset")
    with pytest.raises(WeightsError):
        get(PINNED, tmp_path / "pinned")
    assert (hub.bars, hub.verbosity) == (True, "warning")
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "0"
    assert "HF_HUB_DISABLE_XET" not in os.environ


def test_progress_is_shown_on_a_terminal_only(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    get(PINNED, tmp_path / "pinned")
    assert [bars for bars, _, _ in hub.seen] == [True, True]


def test_what_is_there_and_right_is_not_downloaded_again(hub, tmp_path):
    folder = tmp_path / "pinned"
    get(PINNED, folder)
    before = [(folder / name).stat().st_mtime_ns for name in CONTENTS]
    hub.calls.clear()
    get(PINNED, folder)
    assert not hub.calls
    assert [(folder / name).stat().st_mtime_ns for name in CONTENTS] == before


def test_what_is_there_needs_no_package(tmp_path, hub, monkeypatch):
    get(PINNED, tmp_path / "pinned")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert len(get(PINNED, tmp_path / "pinned")) == 2


def test_what_is_there_and_another_file_is_never_replaced(hub, tmp_path):
    folder = tmp_path / "pinned"
    get(PINNED, folder)
    (folder / "model.bin").write_bytes(b"mine")
    hub.calls.clear()
    with pytest.raises(WeightsError, match="exists already and is not the published file"):
        get(PINNED, folder)
    assert hub.calls == []
    assert (folder / "model.bin").read_bytes() == b"mine"


def test_what_was_broken_off_is_gone_on_with(hub, tmp_path):
    folder = tmp_path / "pinned"
    hub.error, hub.before = ConnectionError("reset"), 5000
    with pytest.raises(WeightsError, match="reset"):
        get(PINNED, folder)
    assert not folder.exists()
    assert state_of(PINNED, folder) == INCOMPLETE
    hub.error = None
    get(PINNED, folder)
    assert hub.resumed_from == [0, 5000, 0]
    assert names(tmp_path) == ["pinned"]


def test_a_file_that_arrived_before_the_break_stays(hub, tmp_path):
    both = PINNED._replace(files=PINNED.files[::-1])
    folder = tmp_path / "pinned"
    (config, model) = both.files
    del hub.contents[model.name]
    with pytest.raises(WeightsError):
        get(both, folder)
    assert names(folder) == [config.name]
    hub.contents = dict(CONTENTS)
    hub.calls.clear()
    get(both, folder)
    assert [name for _, name, _ in hub.calls] == [model.name]


@pytest.mark.parametrize("content", [b"other" * 1400, CONTENTS["model.bin"][:-1], b""])
def test_a_wrong_digest_leaves_nothing_under_the_final_name(hub, tmp_path, content):
    hub.contents["model.bin"] = content
    folder = tmp_path / "pinned"
    with pytest.raises(WeightsError, match="not the published file") as caught:
        get(PINNED, folder)
    assert digest(content) in str(caught.value)
    assert digest(CONTENTS["model.bin"]) in str(caught.value)
    assert not folder.exists()
    assert not list(tmp_path.rglob("model.bin"))
    hub.contents = dict(CONTENTS)
    get(PINNED, folder)
    assert state_of(PINNED, folder) == INSTALLED


NO_NETWORK = [
    LocalEntryNotFoundError("cannot be reached"),
    ConnectionError("cannot be reached"),
    TimeoutError("cannot be reached"),
    RuntimeError("cannot be reached"),
]


@pytest.mark.parametrize("error", NO_NETWORK, ids=lambda error: type(error).__name__)
def test_without_a_network_the_steps_that_do_without_are_told(hub, tmp_path, error):
    hub.error = error
    folder = tmp_path / "pinned"
    with pytest.raises(WeightsError, match="cannot be downloaded") as caught:
        get(PINNED, folder)
    assert caught.value.exit_code == 1
    said = str(caught.value)
    assert "cannot be reached" in said
    for file in PINNED.files:
        assert f"{PINNED.url(file)}\n" in said
    assert str(folder) in said
    assert f"histpred encoders verify pinned {folder}" in said
    assert not names(tmp_path)  # nothing that came is nothing to keep


@pytest.mark.parametrize(
    ("settings", "host"),
    [
        ({}, "huggingface.co"),
        ({"HF_ENDPOINT": "https://mirror.example:8443/hf"}, "mirror.example"),
        ({"https_proxy": "http://127.0.0.1:9"}, None),
        ({"ALL_PROXY": "socks5://127.0.0.1:9"}, None),
    ],
)
def test_a_host_without_an_address_is_not_asked_for_23_seconds(
    hub, tmp_path, monkeypatch, settings, host
):
    """A machine behind a proxy need not know addresses, so there the package tries."""

    def unknown(name, port):
        assert name == host
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(download.socket, "getaddrinfo", unknown)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    if host is None:
        assert get(PINNED, tmp_path / "pinned")
        return
    with pytest.raises(WeightsError, match=f"no address of {host}") as caught:
        get(PINNED, tmp_path / "pinned")
    assert PINNED.url(PINNED.files[0]) in caught.value.hint
    assert not hub.calls


def test_offline_by_choice_asks_nobody(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE is set") as caught:
        get(PINNED, tmp_path / "pinned")
    assert PINNED.url(PINNED.files[0]) in caught.value.hint
    assert not hub.calls


def test_without_the_package_the_steps_that_do_without_are_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(WeightsError, match="needs the package huggingface_hub") as caught:
        get(PINNED, tmp_path / "pinned")
    assert how_to_install("encoders") in caught.value.hint
    assert PINNED.url(PINNED.files[0]) in caught.value.hint


@pytest.mark.parametrize(
    "error", [RepositoryNotFoundError("404"), RevisionNotFoundError("404"), EntryNotFoundError("4")]
)
def test_what_is_not_published_is_told_from_no_network(hub, tmp_path, error):
    hub.error = error
    with pytest.raises(WeightsError, match="does not exist or is not public") as caught:
        get(PINNED, tmp_path / "pinned", COMMIT)
    assert f"/resolve/{COMMIT}/model.bin" in caught.value.message
    assert "--revision" in caught.value.hint


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("No space left on device")],
)
def test_a_full_disk_is_temporary(hub, tmp_path, error):
    hub.error = error
    with pytest.raises(TemporaryError) as caught:
        get(PINNED, tmp_path / "pinned")
    assert caught.value.exit_code == 75
    assert not (tmp_path / "pinned").exists()


def test_without_a_pin_a_revision_must_be_given(hub, tmp_path, caplog):
    with pytest.raises(UsageError, match="knows no revision") as caught:
        get(UNPINNED, tmp_path / "unpinned")
    assert "--revision COMMIT" in caught.value.hint
    assert not hub.calls

    with caplog.at_level(logging.INFO):
        get(UNPINNED, tmp_path / "unpinned", COMMIT)
    assert {revision for *_, revision in hub.calls} == {COMMIT}
    assert f"config.json: sha256 {digest(CONTENTS['config.json'])}" in caplog.text


def test_known_digests_are_pin_enough(hub, tmp_path):
    get(BY_DIGEST, tmp_path / "it")
    assert hub.calls == [("some/where", "model.bin", "main")]


def test_two_runs_do_not_download_into_one_folder(hub, tmp_path):
    folder = tmp_path / "pinned"
    partial = partial_folder(folder)
    partial.mkdir()
    with open(partial / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="another histpred is downloading"):
            get(PINNED, folder)
    get(PINNED, folder)


def test_a_place_that_cannot_be_is_an_output_error(hub, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"):
        get(PINNED, tmp_path / "file")
    with pytest.raises(OutputError, match="cannot write to"):
        get(PINNED, tmp_path / "file" / "pinned")
