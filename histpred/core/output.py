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

from histpred.core.errors import (
    MORE_MEMORY,
    MORE_ROOM,
    InputError,
    InUseError,
    OutputError,
    TemporaryError,
    UsageError,
    first_few,
    is_memory,
)
from histpred.core.hts import no_room
from histpred.core.interruption import goes_on_with
from histpred.core.journal import LOCK, Journal, file_digest
from histpred.core.log import logger

WORK = ".histpred-work"
RESUME = ".histpred-resume"  # finished work of an interrupted run, for the next run
SETTLED = 60  # seconds; a younger scratch folder may not be locked yet
ATTEMPTS = 5
OTHER_FILE = "choose another name, or add --overwrite"
OTHER_FOLDER = "move it away, or choose another folder for -o"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SQLITE_NO_ROOM = ("disk is full", "disk I/O error", "unable to open database file")


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
    folder: Path, own_names: Sequence[str], is_ours: Callable[[Path], bool], overwrite: bool = True
) -> Iterator[Path]:
    """Yield a private folder inside `folder`; on success, move its files up to `folder`.

    own_names: the output files in the order in which they are moved; a file may lie one folder down
    ('figures/roc.svg'). A run may add names until the end. The last one marks a finished folder.
    is_ours: returns True if histpred wrote the file that marks a finished folder. overwrite: False:
    a finished folder is left as it is. Files in `folder` / RESUME survive a failure and are removed
    on success. Raises OutputError if `folder` is a file, is being written by another run, holds
    files other than a finished or interrupted output of histpred or, without `overwrite`, holds a
    finished output that differs.
    """
    mark = folder / own_names[-1]
    _check_owner(folder, mark, is_ours)
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        with _private(folder / WORK, f"{folder} is being written by another histpred") as work:
            journal = Journal(work)
            finished = is_ours(mark)
            if not finished:
                journal.refuse_foreign(folder, own_names, OTHER_FOLDER)
            with _kept_on_failure(folder / RESUME):
                yield work
                if not finished:  # files may have been put there, or names added
                    journal.refuse_foreign(folder, own_names, OTHER_FOLDER)
                if not finished or overwrite:
                    journal.publish(folder, own_names, marked=True)
                elif changed := journal.differing(folder, own_names):
                    raise OutputError(
                        f"{folder} holds another output; what differs: {first_few(changed)}",
                        "choose another folder for -o, or add --overwrite to replace it",
                    )
                else:
                    logger.info(f"{folder} holds this output already: nothing to do")
            shutil.rmtree(folder / RESUME, ignore_errors=True)
    except BaseException:
        with contextlib.suppress(OSError):
            for path in missing:
                path.rmdir()
        raise


@contextmanager
def _kept_on_failure(resume: Path) -> Iterator[None]:
    """If the run fails, keep its finished work, if there is any, for the next run."""
    try:
        yield
    except BaseException as error:
        suffixes = {path.suffix for path in resume.rglob("*")}
        if ".pt" in suffixes:
            error.add_note(goes_on_with("the epochs that are finished"))
        elif ".parquet" in suffixes:
            error.add_note(goes_on_with("the embeddings that are finished"))
        else:
            shutil.rmtree(resume, ignore_errors=True)
        raise


@contextmanager
def store_is_kept(store: Path | None) -> Iterator[None]:
    """Note on an exception that the next run finds embeddings in `store`, if there are any."""
    try:
        yield
    except BaseException as error:
        if store and any(store.rglob("*.parquet")):
            error.add_note(goes_on_with(f"the embeddings in {store}"))
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

    The paths lie in one folder. Files that are there already are replaced with `overwrite`, or if
    a killed run left them. If they are what this run makes, they stay, and a message says so.
    Raises OutputError for other files, and if a path is a folder or is being written by another
    run.
    """
    first, names = paths[0], [path.name for path in paths]
    for path in paths:
        if path.is_dir():
            raise OutputError(f"{path} is a folder", "name a file")
    work = first.with_name(f".{first.name}{WORK}")
    with _private(work, f"{first} is being written by another histpred") as private:
        journal = Journal(private)
        if not overwrite and not all(map(os.path.lexists, paths)):
            journal.refuse_foreign(first.parent, names, OTHER_FILE)
        yield private
        if not overwrite:
            if not journal.differing(first.parent, names):
                logger.info(f"{first} holds this output already: nothing to do")
                return
            journal.refuse_foreign(first.parent, names, OTHER_FILE)
        journal.publish(first.parent, names[::-1])


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


@contextmanager
def temporary_faults(path: Path | None = None) -> Iterator[None]:
    """Raise TemporaryError (exit code 75) if any library runs out of disk space or memory.

    path: the file that is written, which the library may not name.
    """
    try:
        yield
    except (MemoryError, OSError, sqlite3.OperationalError) as error:
        if lack := temporary(error, path):
            raise lack from error
        raise


def temporary(error: BaseException, path: Path | None = None) -> TemporaryError | None:
    """The lack of disk space or memory that an exception stands for; None for another error."""
    if isinstance(error, MemoryError | ImportError | OSError) and is_memory(error):
        return TemporaryError("out of memory", MORE_MEMORY)
    if not isinstance(error, OSError | sqlite3.OperationalError):
        return None
    full = isinstance(error, OSError) and error.errno in NO_ROOM
    if full or any(fault in str(error) for fault in SQLITE_NO_ROOM):
        if path:
            return no_room(path)
        return TemporaryError(f"the disk is full or over quota ({error})", MORE_ROOM)
    return None


@contextmanager
def _private(work: Path, busy: str) -> Iterator[Path]:
    with _locked(work, busy):
        journal = Journal(work)
        journal.clear()
        try:
            yield work
        except BaseException:
            if not journal.clear():
                shutil.rmtree(work, ignore_errors=True)
            raise
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _locked(work: Path, busy: str) -> Iterator[None]:
    """Create the folder `work` if needed and lock it; raise InUseError(busy) if it is locked."""
    for _ in range(ATTEMPTS):
        try:
            work.mkdir(parents=True, exist_ok=True)
            lock = open(work / LOCK, "w")  # noqa: SIM115 - held by the with statement below
        except FileNotFoundError:  # its owner has just removed it
            continue
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            reason = f"cannot write to {work.parent}: {error.strerror}"
            raise OutputError(reason, "choose another place") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InUseError(busy, "wait for it, or choose another place") from None
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
