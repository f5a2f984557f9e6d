"""Outputs that are either complete or absent.

Every file is written to a private folder, flushed to disk and then renamed. A lock keeps two runs
from writing to the same place. The next run removes what a killed run left behind.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import cast

from histpred.core.errors import InputError, OutputError, TemporaryError, UsageError, first_few

WORK = ".histpred-work"
RESUME = ".histpred-resume"  # finished work of an interrupted run, for the next run
LOCK = ".lock"
SETTLED = 60  # seconds; a younger scratch folder may not be locked yet
ATTEMPTS = 5
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SQLITE_NO_ROOM = ("disk is full", "disk I/O error", "unable to open database file")


def file_digest(path: str | os.PathLike[str]) -> str:
    """The sha256 of a file, hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def input_digest(path: str | os.PathLike[str]) -> str:
    """The sha256 of an input file, or of all of standard input for '-'.

    Raises InputError if the file cannot be read.
    """
    if path == "-":
        return hashlib.file_digest(cast(BufferedReader, sys.stdin.buffer), "sha256").hexdigest()
    try:
        return file_digest(path)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}", "check the path") from error


@contextmanager
def output_folder(
    folder: Path, own_names: Sequence[str], is_ours: Callable[[Path], bool]
) -> Iterator[Path]:
    """Yield a private folder inside `folder`; on success, move its files up to `folder`.

    own_names: the output files in the order in which they are moved; a file may lie one folder down
    ('figures/roc.svg'). A run may add names until the end. The last one marks a finished folder.
    is_ours: returns True if histpred wrote the file that marks a finished folder. Files in `folder`
    / RESUME survive a failure and are removed on success. Raises OutputError if `folder` is a file,
    is being written by another run, or holds files other than a finished or interrupted output of
    histpred.
    """
    _check_owner(folder, folder / own_names[-1], is_ours)
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    with _private(folder / WORK, f"{folder} is being written by another histpred") as work:
        try:
            yield work
            # The last file marks the folder as finished: it is removed first and written last.
            with contextlib.suppress(FileNotFoundError):
                (folder / own_names[-1]).unlink()
            for name in own_names:
                if (work / name).exists():
                    (folder / name).parent.mkdir(exist_ok=True)
                    publish(work / name, folder / name)
                else:
                    (folder / name).unlink(missing_ok=True)
            shutil.rmtree(folder / RESUME, ignore_errors=True)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            kept = (folder / RESUME).rglob("*")
            if not any(path.suffix in (".parquet", ".pt") for path in kept):
                shutil.rmtree(folder / RESUME, ignore_errors=True)
            with contextlib.suppress(OSError):
                for path in missing:
                    path.rmdir()
            raise


def sweep(folder: Path) -> None:
    """Remove the temporary files of a run that was killed after it had published its outputs."""
    shutil.rmtree(folder / RESUME, ignore_errors=True)
    if (folder / WORK).exists():
        with contextlib.suppress(OutputError), _private(folder / WORK, "in use"):
            pass


@contextmanager
def output_files(paths: Sequence[Path], overwrite: bool) -> Iterator[Path]:
    """Yield a private folder beside the first of `paths`; on success, move the files to `paths`.

    Raises OutputError if one of the paths is a folder, is being written by another run, or exists.
    Existing files are replaced with `overwrite`, or if a killed run left them.
    """
    first = paths[0]
    work = first.with_name(f".{first.name}{WORK}")
    broken_off = work.exists()
    for path in paths:
        if path.is_dir():
            raise OutputError(f"{path} is a folder", "name a file")
        if path.exists() and not overwrite and not broken_off:
            raise OutputError(f"{path} exists", "choose another name, or add --overwrite")
    with _private(work, f"{first} is being written by another histpred") as private:
        yield private
        for path in reversed(paths):
            publish(private / path.name, path)


@contextmanager
def scratch_folder(place: Path) -> Iterator[Path]:
    """Yield a private folder inside `place`, which runs may share; remove those of killed runs."""
    for left in place.glob(f"{WORK}-*"):
        # A new folder may not be locked yet. Without a lock file its owner is unknown.
        with contextlib.suppress(OSError), open(left / LOCK) as lock:
            if time.time() - left.stat().st_mtime > SETTLED:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
    with _private(place / f"{WORK}-{secrets.token_hex(8)}", f"{place} is in use") as work:
        yield work


def refuse_inputs(outputs: Iterable[Path], inputs: Iterable[str | os.PathLike[str]]) -> None:
    """Raise OutputError if an output would replace an input."""
    given = [os.fspath(path) for path in inputs]
    for output in outputs:
        for path in given:
            if output.exists() and os.path.exists(path) and output.samefile(path):
                raise OutputError(f"{output} is an input too", "choose another place for -o")


def refuse_streams(inputs: Iterable[str | os.PathLike[str]]) -> None:
    """Raise UsageError for standard input and pipes, because the inputs are read more than once."""
    for path in inputs:
        if os.fspath(path) == "-" or Path(path).is_fifo():
            name = "standard input" if os.fspath(path) == "-" else path
            hint = "give a file: histpred reads it more than once"
            raise UsageError(f"{name} can be read only once", hint)


def publish(partial: Path, final: Path) -> None:
    """Flush `partial` to disk and give it its final name."""
    with open(partial, "rb") as stream:
        os.fsync(stream.fileno())
    os.replace(partial, final)


@contextmanager
def temporary_faults() -> Iterator[None]:
    """Raise TemporaryError (exit code 75) if any library runs out of disk space or memory."""
    try:
        yield
    except MemoryError as error:
        hint = "give more memory and run the same command again"
        raise TemporaryError("out of memory", hint) from error
    except (OSError, sqlite3.OperationalError) as error:
        full = getattr(error, "errno", None) in NO_ROOM
        if full or any(fault in str(error) for fault in SQLITE_NO_ROOM):
            raise TemporaryError(
                f"the disk is full or over quota ({error})",
                "nothing was published; make room and run the same command again",
            ) from error
        raise


@contextmanager
def _private(work: Path, busy: str) -> Iterator[Path]:
    with _locked(work, busy):
        for left in work.iterdir():
            if left.name != LOCK:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _locked(work: Path, busy: str) -> Iterator[None]:
    """Create the folder `work` if needed and lock it; raise OutputError(busy) if it is locked."""
    for _ in range(ATTEMPTS):
        try:
            work.mkdir(parents=True, exist_ok=True)
            lock = open(work / LOCK, "w")  # noqa: SIM115 - held by the with statement below
        except FileNotFoundError:  # its owner has just removed it
            continue
        except OSError as error:
            reason = f"cannot write to {work.parent}: {error.strerror}"
            raise OutputError(reason, "choose another place") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(busy, "wait for it, or choose another place") from None
            except OSError:  # no locks on this file system: users must avoid a second run
                pass
            if _is_at(lock.fileno(), work / LOCK):
                yield
                return
    raise OutputError(f"cannot write to {work.parent}", "choose another place")


def _is_at(descriptor: int, path: Path) -> bool:
    """True if the open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _check_owner(folder: Path, mark: Path, is_ours: Callable[[Path], bool]) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file", "give a folder for -o")
    if not folder.exists() or (folder / WORK).exists() or is_ours(mark):
        return
    strangers = sorted(path.name for path in folder.iterdir() if path.name != RESUME)
    if strangers:
        raise OutputError(
            f"{folder} is not empty and not an output of histpred: it holds {first_few(strangers)}",
            "choose another folder for -o",
        )
