"""Outputs that are whole or not there.

Everything is written in a private folder first, flushed to disk, then renamed. A lock keeps a
second run out of the same place; what a killed run left behind is swept away by the next one.
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
from pathlib import Path

from histpred.core.errors import (
    InputError,
    OutputError,
    TemporaryError,
    UsageError,
    first_few,
)

WORK = ".histpred-work"
RESUME = ".histpred-resume"  # what a run that was broken off hands to the next
LOCK = ".lock"
SETTLED = 60  # seconds after which a scratch folder has its lock
ATTEMPTS = 5
SQLITE_NO_ROOM = ("disk is full", "disk I/O error", "unable to open database file")


def file_digest(path: str | os.PathLike[str]) -> str:
    """sha256 of a file's bytes, hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def input_digest(path: str | os.PathLike[str]) -> str:
    """sha256 of an input, of all of standard input for '-'; InputError where it cannot be read."""
    if path == "-":
        return hashlib.file_digest(sys.stdin.buffer, "sha256").hexdigest()
    try:
        return file_digest(path)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}", "check the path") from error


@contextmanager
def output_folder(
    folder: Path, own_names: Sequence[str], is_ours: Callable[[Path], bool]
) -> Iterator[Path]:
    """A private folder inside `folder`; on success its files named in `own_names` move up, in that
    order; a name may be that of a file in one folder ('figures/roc.svg'). The names are read at the
    end: a run may add to them.

    What a run keeps in the folder RESUME inside it outlives a failure, not a success. The last of
    the names marks a finished folder; `is_ours` says of such a file whether histpred wrote it.
    Raises OutputError where `folder` is a file, holds anything but a finished or broken-off output
    of ours, or is being written by another run.
    """
    names = own_names
    _check_owner(folder, folder / names[-1], is_ours)
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    with _private(folder / WORK, f"{folder} is being written by another histpred") as work:
        try:
            yield work
            # The last file is what marks the folder as finished: it goes first and comes back last.
            with contextlib.suppress(FileNotFoundError):
                (folder / names[-1]).unlink()
            for name in names:
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
    """Remove what a run left in `folder` that was killed when all but this was done."""
    shutil.rmtree(folder / RESUME, ignore_errors=True)
    if (folder / WORK).exists():
        with contextlib.suppress(OutputError), _private(folder / WORK, "in use"):
            pass


@contextmanager
def output_files(paths: Sequence[Path], overwrite: bool) -> Iterator[Path]:
    """A private folder beside the first of `paths`; on success their files in it move out.

    Raises OutputError where one of them exists (without `overwrite`, unless it is what a killed run
    left), is a folder, or is being written by another run.
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
    """A private folder inside `place`, which runs may share; those of killed runs are removed."""
    for left in place.glob(f"{WORK}-*"):
        # A new one may not be locked yet; without locks, nobody knows whose it is.
        with contextlib.suppress(OSError), open(left / LOCK) as lock:
            if time.time() - left.stat().st_mtime > SETTLED:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
    with _private(place / f"{WORK}-{secrets.token_hex(8)}", f"{place} is in use") as work:
        yield work


def refuse_inputs(outputs: Iterable[Path], inputs: Iterable[str | os.PathLike[str]]) -> None:
    """Raise OutputError where an output would replace an input."""
    given = [os.fspath(path) for path in inputs]
    for output in outputs:
        for path in given:
            if output.exists() and os.path.exists(path) and output.samefile(path):
                raise OutputError(f"{output} is an input too", "choose another place for -o")


def refuse_streams(inputs: Iterable[str | os.PathLike[str]]) -> None:
    """Raise UsageError for standard input and pipes, where inputs are read more than once."""
    for path in inputs:
        if os.fspath(path) == "-" or Path(path).is_fifo():
            name = "standard input" if os.fspath(path) == "-" else path
            raise UsageError(
                f"{name} can be read only once", "give a file: it is read more than once"
            )


def publish(partial: Path, final: Path) -> None:
    """Flush `partial` to disk and give it its final name."""
    with open(partial, "rb") as stream:
        os.fsync(stream.fileno())
    os.replace(partial, final)


@contextmanager
def temporary_faults() -> Iterator[None]:
    """A full disk or a lack of memory as TemporaryError (exit code 75), whoever noticed it."""
    try:
        yield
    except MemoryError as error:
        raise TemporaryError(
            "out of memory", "give more memory and run the same command again"
        ) from error
    except (OSError, sqlite3.OperationalError) as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
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
    """Hold the lock of the folder `work`, made if need be; OutputError(busy) if another does."""
    for _ in range(ATTEMPTS):
        try:
            work.mkdir(parents=True, exist_ok=True)
            lock = open(work / LOCK, "w")  # noqa: SIM115 - held by the with statement below
        except FileNotFoundError:  # the run that had it has just removed it
            continue
        except OSError as error:
            raise OutputError(
                f"cannot write to {work.parent}: {error.strerror}", "choose another place"
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(busy, "wait for it, or choose another place") from None
            except OSError:  # a file system without locks: a second run is the user's to avoid
                pass
            if _is_at(lock.fileno(), work / LOCK):
                yield
                return
    raise OutputError(f"cannot write to {work.parent}", "choose another place")


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is still what lies at `path`."""
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
