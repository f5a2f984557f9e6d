"""Downloads published encoders.

A file is moved from `NAME.partial` when its size and digest are right, so a file under its final
name is complete. huggingface_hub also keeps interrupted downloads there, for the next attempt.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit
from urllib.request import getproxies

from histpred.core.errors import OutputError, UsageError, WeightsError, first_line
from histpred.core.interruption import goes_on_with
from histpred.core.journal import file_digest, publish
from histpred.core.output import NO_ROOM, temporary_faults
from histpred.encoders import INSTALL_ENCODERS
from histpred.encoders.installed import RIGHT, UNKNOWN, WRONG, compare_file, partial_folder
from histpred.encoders.published import File, Published

logger = logging.getLogger(__name__)

YES = ("1", "on", "true", "yes")
WORTH_KEEPING = 4096  # bytes of an interrupted download
HUB = "https://huggingface.co"
DISK_FAULTS = (*NO_ROOM, errno.EROFS)
HUB_SETTINGS = {  # read when huggingface_hub is imported
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_XET": "1",  # xet keeps a cache outside the given folder
}


def get(encoder: Published, folder: Path, revision: str | None = None) -> list[Path]:
    """Download an encoder's files into `folder`; returns their paths.

    Files that are already there stay, if their digest is right or none is known to compare with.
    Digests of files without a known one are logged. `revision`, a commit of the repository,
    replaces the pinned one.

    Raises UsageError if no revision is pinned or given; WeightsError if the network or the package
    huggingface_hub is missing, with the manual steps in the hint, and for a file that differs from
    the published one; OutputError if another run downloads into the same folder, or the folder is
    not writable; TemporaryError for a full disk.
    """
    pinned = all(file.sha256 for file in encoder.files)
    if not (revision or encoder.revision or pinned):
        raise UsageError(
            f"{encoder.name}: histpred knows no revision of it, and without one nobody could get "
            "the same weights again",
            f"choose a commit at {HUB}/{encoder.repository}/commits/main and add --revision COMMIT",
        )
    meant = encoder._replace(revision=revision or encoder.revision)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file", "give a folder")
    with temporary_faults():
        wanted = [file for file in meant.files if not _kept(file, folder / file.name)]
        if wanted:
            with _partial(folder) as partial:
                for file in wanted:
                    _get_file(meant, file, folder, partial)
                shutil.rmtree(partial, ignore_errors=True)
    return [folder / file.name for file in meant.files]


def _kept(file: File, path: Path) -> bool:
    """Return True if the file is there and right; WeightsError if it is another file."""
    compared = compare_file(file, path)
    if compared.state == WRONG:
        raise WeightsError(
            f"{path}: exists already and is not the published file: sha256 {compared.found}, "
            f"published is {file.sha256}",
            "move it away if it is yours, or choose another folder with --to",
        )
    if compared.state == UNKNOWN:
        logger.info("%s: kept, sha256 %s; remove it to download it again", path, compared.found)
    return compared.state in (RIGHT, UNKNOWN)


def _get_file(encoder: Published, file: File, folder: Path, partial: Path) -> None:
    logger.info("downloading %s", encoder.url(file))
    path = _download(encoder, file, folder, partial)
    found = file_digest(path)
    size = path.stat().st_size
    if file.sha256 not in (None, found) or file.size not in (None, size):
        path.unlink()
        raise WeightsError(
            f"{encoder.url(file)}: not the published file: {size:,} bytes with sha256 {found}, "
            f"instead of {'any number' if file.size is None else f'{file.size:,}'} with "
            f"{file.sha256 or 'any'}",
            "try again; if the digest stays wrong, the file was replaced where it is published, or "
            "a proxy alters it",
        )
    folder.mkdir(parents=True, exist_ok=True)
    publish(path, folder / file.name)
    if file.sha256 is None:
        logger.info("%s: sha256 %s, with none to compare it with", folder / file.name, found)


def _download(encoder: Published, file: File, folder: Path, partial: Path) -> Path:
    """Have huggingface_hub download a file into `partial`; its exceptions become ours."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in YES:
        raise _offline(encoder, folder, "HF_HUB_OFFLINE is set")
    with _hub(encoder, folder) as hub:
        if reason := _unknown_host():
            raise _offline(encoder, folder, reason)
        fetch, revision = hub.hf_hub_download, encoder.revision or "main"
        try:
            return Path(fetch(encoder.repository, file.name, revision=revision, local_dir=partial))
        except hub.errors.LocalEntryNotFoundError as error:  # raised without a network
            raise _offline(encoder, folder, first_line(error.__cause__ or error)) from error
        except (
            hub.errors.RepositoryNotFoundError,
            hub.errors.RevisionNotFoundError,
            hub.errors.EntryNotFoundError,
        ) as error:
            what = f"{encoder.url(file)}: does not exist or is not public: {first_line(error)}"
            look = f"{HUB}/{encoder.repository}"
            hint = f"check --revision, if you gave one, and look at {look}"
            raise WeightsError(what, hint) from error
        except Exception as error:  # those of requests, httpx or hf_xet, depending on the version
            if isinstance(error, PermissionError) or getattr(error, "errno", None) in DISK_FAULTS:
                raise
            if os.strerror(errno.ENOSPC) in str(error):  # hf_xet raises no OSError
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            raise _offline(encoder, folder, first_line(error)) from error


def _unknown_host() -> str:
    """Why the host of the downloads has no address; '' if it has one, or if a proxy looks it up.

    huggingface_hub would ask six times in 23 s.
    """
    host = urlsplit(os.environ.get("HF_ENDPOINT") or HUB).hostname
    if getproxies().keys() & {"https", "http", "all"}:
        return ""
    try:
        socket.getaddrinfo(host, None)
    except OSError as error:
        return f"no address of {host} ({error.strerror})"
    return ""


@contextmanager
def _hub(encoder: Published, folder: Path) -> Iterator[ModuleType]:
    """huggingface_hub, quiet and without telemetry; its settings are restored afterwards."""
    with ExitStack() as afterwards:
        before = {name: value for name, value in os.environ.items() if name in HUB_SETTINGS}
        afterwards.callback(os.environ.update, before)
        for name in HUB_SETTINGS:
            afterwards.callback(os.environ.pop, name, None)
        os.environ.update(HUB_SETTINGS)
        try:
            import huggingface_hub
            from huggingface_hub import utils
        except ImportError as error:
            raise WeightsError(
                f"downloading needs the package huggingface_hub, which is not installed ({error})",
                f"{INSTALL_ENCODERS}; without it:\n{_steps(encoder, folder)}",
            ) from error
        afterwards.callback(utils.logging.set_verbosity, utils.logging.get_verbosity())
        utils.logging.set_verbosity_error()
        if not (sys.stderr.isatty() or utils.are_progress_bars_disabled()):
            utils.disable_progress_bars()
            afterwards.callback(utils.enable_progress_bars)
        yield huggingface_hub


def _offline(encoder: Published, folder: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"{encoder.name}: cannot be downloaded from huggingface.co: {reason}",
        "run the same command again where there is a network, or without one:\n"
        f"{_steps(encoder, folder)}",
    )


def _steps(encoder: Published, folder: Path) -> str:
    """How to get an encoder's files by hand."""
    urls = "\n".join(f"       {encoder.url(file)}" for file in encoder.files)
    return (
        f"  1. on a machine with a network, download (curl -L -O URL)\n{urls}\n"
        f"  2. copy them, under these names, into the folder\n       {folder}\n"
        f"  3. check them: histpred encoders verify {encoder.name} {folder}"
    )


@contextmanager
def _partial(folder: Path) -> Iterator[Path]:
    """The folder of unfinished downloads, locked for this run."""
    partial = partial_folder(folder)
    try:
        partial.mkdir(parents=True, exist_ok=True)
        lock = open(partial / "lock", "w")  # noqa: SIM115 - the with statement below closes it
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        hint = "choose another folder with --to"
        raise OutputError(f"cannot write to {partial.parent}: {error.strerror}", hint) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            what = f"another histpred is downloading into {folder}"
            raise OutputError(what, "wait for it, or use --to") from None
        except OSError:  # a file system without locks: the user must avoid a second run
            pass
        try:
            yield partial
        except BaseException as error:
            left = sum(path.stat().st_size for path in partial.rglob("*") if path.is_file())
            if left >= WORTH_KEEPING:
                error.add_note(goes_on_with(f"the {left / 1e6:,.0f} MB that were downloaded"))
            else:
                shutil.rmtree(partial, ignore_errors=True)
            raise
