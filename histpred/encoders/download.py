"""Published encoders on this machine: getting them, what is there, whether it works.

A file is downloaded into a folder beside the encoder's own, `NAME.partial`, and gets its place when
its size and digest are right: what lies under a final name is whole. What huggingface_hub keeps of
a download that was broken off lies in that folder too, for the next try.
"""

from __future__ import annotations

import errno
import fcntl
import importlib
import importlib.util
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from histpred.core.errors import HistpredError, OutputError, UsageError, WeightsError, first_line
from histpred.core.output import file_digest, publish, temporary_faults
from histpred.encoders import ENCODERS, INSTALL_ENCODERS, build
from histpred.encoders.published import File, Published

logger = logging.getLogger(__name__)

INSTALLED, INCOMPLETE, ABSENT = "installed", "incomplete", "absent"
RIGHT, WRONG, UNKNOWN, MISSING = "right", "wrong", "unknown", "missing"

YES = ("1", "on", "true", "yes")
WORTH_KEEPING = 4096  # bytes of a download that was broken off
TRIED = "ACGTTGCATGGATCCAGCTTAGGC" * 7 + "N" * 20 + "acgtggctaaccatgttcga" * 6
"""What `try_out` embeds: 308 letters, not those of any genome."""
TOLERANCE = 1e-4


class Comparison(NamedTuple):
    """A file beside what is known of it: state is RIGHT, WRONG, UNKNOWN (there is no digest to
    compare with) or MISSING; found: its sha256, None where it is missing.
    """

    file: File
    path: Path
    state: str
    found: str | None


def get(encoder: Published, folder: Path, revision: str | None = None) -> list[Path]:
    """Download an encoder's files into `folder`; returns where they are.

    What is there already, with the right digest or without any to compare with, stays as it is. The
    digests of files of which none is known are logged.

    Parameters
    ----------
    revision
        A commit of the repository in place of the pinned one.

    Raises
    ------
    UsageError
        Where nothing says which revision is meant.
    WeightsError
        Where the network or the package huggingface_hub is missing, with the steps that do without,
        and for a file that is not the one that was published.
    OutputError
        Where another run downloads into the same folder, or it cannot be written to.
    TemporaryError
        For a full disk.
    """
    pinned = all(file.sha256 for file in encoder.files)
    if not (revision or encoder.revision or pinned):
        raise UsageError(
            f"{encoder.name}: which revision is not known to histpred, and without it nobody could "
            "get the same weights again",
            f"choose a commit at https://huggingface.co/{encoder.repository}/commits/main and "
            "add --revision COMMIT",
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
    """Whether a file that lies under its final name stays."""
    (compared,) = _compare(path, file)
    if compared.state == WRONG:
        raise WeightsError(
            f"{path}: there already, and not the published file: sha256 {compared.found}, "
            f"published is {file.sha256}",
            "move it away if it is yours, or choose another folder with --to",
        )
    if compared.state == UNKNOWN:
        logger.info("%s: kept as it is, sha256 %s; remove it to get it again", path, compared.found)
    return compared.state in (RIGHT, UNKNOWN)


def _get_file(encoder: Published, file: File, folder: Path, partial: Path) -> None:
    """Download one file, check it, give it its place."""
    logger.info("getting %s", encoder.url(file))
    path = _download(encoder, file, folder, partial)
    found = file_digest(path)
    size = path.stat().st_size
    if file.sha256 not in (None, found) or file.size not in (None, size):
        path.unlink()
        raise WeightsError(
            f"{encoder.url(file)}: not the published file: {size:,} bytes with sha256 {found}, "
            f"instead of {_or_any(file.size)} with {file.sha256 or 'any'}",
            "try again; if it stays so, the file was replaced where it is published, or something "
            "on the way alters it",
        )
    folder.mkdir(parents=True, exist_ok=True)
    publish(path, folder / file.name)
    if file.sha256 is None:
        logger.info("%s: sha256 %s, with none to compare it with", folder / file.name, found)


def _or_any(size: int | None) -> str:
    return "any number" if size is None else f"{size:,}"


def _download(encoder: Published, file: File, folder: Path, partial: Path) -> Path:
    """What huggingface_hub makes of a file, in `partial`; its errors as ours."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in YES:
        raise _offline(encoder, folder, "HF_HUB_OFFLINE is set")
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # read when the package is imported
    os.environ["HF_HUB_DISABLE_XET"] = "1"  # it keeps a cache outside the folder that was given
    try:
        import huggingface_hub
        from huggingface_hub import errors, utils
    except ImportError as error:
        raise WeightsError(
            f"downloading needs the package huggingface_hub, which is not installed ({error})",
            f"{INSTALL_ENCODERS}; without it:\n{_steps(encoder, folder)}",
        ) from error

    utils.logging.set_verbosity_error()
    if not sys.stderr.isatty():
        utils.disable_progress_bars()
    try:
        return Path(
            huggingface_hub.hf_hub_download(
                encoder.repository,
                file.name,
                revision=encoder.revision or "main",
                local_dir=partial,
            )
        )
    except errors.LocalEntryNotFoundError as error:  # its word for no network
        raise _offline(encoder, folder, first_line(error.__cause__ or error)) from error
    except (
        errors.RepositoryNotFoundError,
        errors.RevisionNotFoundError,
        errors.EntryNotFoundError,
    ) as error:
        raise WeightsError(
            f"{encoder.url(file)}: not there, or not for everybody: {first_line(error)}",
            "check --revision, if you gave one, and look at "
            f"https://huggingface.co/{encoder.repository}",
        ) from error
    except Exception as error:  # those of requests, httpx or hf_xet, whichever it works with
        if isinstance(error, OSError) and _is_of_disk(error):
            raise
        if os.strerror(errno.ENOSPC) in str(error):  # hf_xet has only words for it
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise _offline(encoder, folder, first_line(error)) from error


def _is_of_disk(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS) or isinstance(
        error, PermissionError
    )


def _offline(encoder: Published, folder: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"{encoder.name}: cannot be downloaded from huggingface.co: {reason}",
        f"run the same command again where there is a network, or, without one:\n"
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
    """The folder for what is not whole yet, on the same file system, for one run at a time."""
    partial = partial_folder(folder)
    try:
        partial.mkdir(parents=True, exist_ok=True)
        lock = open(partial / "lock", "w")  # noqa: SIM115 - held by the with statement below
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OutputError(
            f"cannot write to {partial.parent}: {error.strerror}",
            "choose another folder with --to",
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                f"another histpred downloads into {folder}", "wait for it, or use --to"
            ) from None
        except OSError:  # a file system without locks: a second run is the user's to avoid
            pass
        try:
            yield partial
        except BaseException:
            left = [path.stat().st_size for path in partial.rglob("*") if path.is_file()]
            if sum(left) < WORTH_KEEPING:
                shutil.rmtree(partial, ignore_errors=True)
            raise


def partial_folder(folder: Path) -> Path:
    """Where a download into `folder` lies until it is whole: beside it, so that it can be renamed
    into it; inside it if it is where something is mounted.
    """
    target = folder.resolve()
    return target / ".partial" if target.is_mount() else target.with_name(f"{target.name}.partial")


def state_of(encoder: Published, folder: Path) -> str:
    """INSTALLED, INCOMPLETE (files missing, or of another size) or ABSENT; digests are for
    `compare`.
    """
    right = [
        path.is_file() and file.size in (None, path.stat().st_size)
        for file in encoder.files
        for path in [place(encoder, file, folder)]
    ]
    if all(right):
        return INSTALLED
    begun = any(place(encoder, file, folder).exists() for file in encoder.files)
    return INCOMPLETE if begun or partial_folder(folder).exists() else ABSENT


def compare(encoder: Published, folder: Path) -> list[Comparison]:
    """An encoder's files, each beside what is known of it.

    `folder` may be the file itself where the encoder has but one.
    """
    return [
        compared
        for file in encoder.files
        for compared in _compare(place(encoder, file, folder), file)
    ]


def _compare(path: Path, file: File) -> Iterator[Comparison]:
    if not path.is_file():
        yield Comparison(file, path, MISSING, None)
        return
    found = file_digest(path)
    fits = file.sha256 in (None, found) and file.size in (None, path.stat().st_size)
    state = WRONG if not fits else RIGHT if file.sha256 else UNKNOWN
    yield Comparison(file, path, state, found)


def place(encoder: Published, file: File, folder: Path) -> Path:
    """Where one of an encoder's files should lie."""
    return folder if folder.is_file() and len(encoder.files) == 1 else folder / file.name


def try_out(encoder: Published, folder: Path) -> list[str]:
    """Load an encoder strictly on the CPU and embed a made-up sequence; returns what passed.

    Raises
    ------
    BundleError, WeightsError, ModelError
        Where it cannot be loaded or gives what is no embedding.
    HistpredError
        Where it gives another vector for lower case, or its tokenizer another known answer.
    """
    if importlib.util.find_spec("torch") is None:
        return [
            "loading was not tried: it needs torch, which is not installed "
            "(pip install 'histpred[encoders]')"
        ]
    # Two calls, so that both sequences are alone in their batch.
    loaded = build(encoder, folder, "cpu", "fp32")
    (vector,) = loaded.embed([TRIED.encode()]).vectors
    (lower,) = loaded.embed([TRIED.lower().encode()]).vectors
    passed = [f"loads on the CPU: every tensor in its place, {loaded.dimension} numbers a window"]
    if not np.isfinite(vector).all() or not vector.any():
        raise WeightsError(
            f"{folder}: a made-up sequence of {len(TRIED)} letters gives NaN, infinity or zeros",
            f"get the weights again: histpred encoders get {encoder.name}",
        )
    passed.append(f"embeds a made-up sequence of {len(TRIED)} letters, a run of N in it")
    worst = float(np.abs(vector - lower).max())
    if worst > TOLERANCE:
        raise HistpredError(
            f"{folder}: upper and lower case give other vectors, off by {worst:.2g}",
            "this is a fault of histpred: please report it",
        )
    passed.append("gives the same for lower case")

    if check := ENCODERS[encoder.kind].check:
        module = importlib.import_module(ENCODERS[encoder.kind].module)
        passed.append(getattr(module, check)(folder))
    return passed
