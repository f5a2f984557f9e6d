"""Encoders on this machine: where their files are, whether they are right, and whether they run."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from histpred.core.errors import BundleError, HistpredError, WeightsError
from histpred.core.journal import file_digest
from histpred.encoders import ENCODERS, EncoderKind, build
from histpred.encoders.published import File, Published, default_folder

INSTALLED, INCOMPLETE, ABSENT = "installed", "incomplete", "absent"
RIGHT, WRONG, UNKNOWN, MISSING = "right", "wrong", "unknown", "missing"

# 308 letters that are from no genome
SEQUENCE = b"ACGTTGCATGGATCCAGCTTAGGC" * 7 + b"N" * 20 + b"ACGTGGCTAACCATGTTCGA" * 6
TOLERANCE = 1e-4


class Comparison(NamedTuple):
    """A file on this machine beside the published one."""

    file: File
    path: Path
    state: str  # RIGHT, WRONG, UNKNOWN (no digest was published) or MISSING
    found: str | None  # its sha256


def state_of(encoder: Published, folder: Path) -> str:
    """INSTALLED, INCOMPLETE (files are missing or have another size) or ABSENT; no digests."""
    paths = [(file, _place(folder, file.name, len(encoder.files))) for file in encoder.files]
    if all(path.is_file() and file.size in (None, path.stat().st_size) for file, path in paths):
        return INSTALLED
    begun = partial_folder(folder).exists() or any(path.exists() for _, path in paths)
    return INCOMPLETE if begun else ABSENT


def compare(encoder: Published, folder: Path) -> list[Comparison]:
    """Compare an encoder's files in `folder` (or its one file) with the published ones."""
    files = encoder.files
    return [compare_file(file, _place(folder, file.name, len(files))) for file in files]


def compare_file(file: File, path: Path) -> Comparison:
    """Compare one file with the published one."""
    if not path.is_file():
        return Comparison(file, path, MISSING, None)
    found = file_digest(path)
    fits = file.sha256 in (None, found) and file.size in (None, path.stat().st_size)
    state = WRONG if not fits else RIGHT if file.sha256 else UNKNOWN
    return Comparison(file, path, state, found)


def _place(folder: Path, name: str, files: int) -> Path:
    """The path of a file; `folder` may be that file, if the encoder has but one."""
    return folder if folder.is_file() and files == 1 else folder / name


def partial_folder(folder: Path) -> Path:
    """The folder of unfinished downloads into `folder`.

    It lies beside `folder`, so that files can be renamed into it; inside, if `folder` is a mount.
    """
    target = folder.resolve()
    return target / ".partial" if target.is_mount() else target.with_name(f"{target.name}.partial")


def locate(
    files: Mapping[str, str], published: str | None, bundle: Path, weights: Path | None
) -> Path:
    """The folder (or the one file) to build a bundle's encoder from, checked against its digests.

    files: sha256 of each file, by name; empty for an encoder inside the bundle. weights: the path
    that the user gave; None: the folder of `histpred encoders get`. Raises WeightsError for files
    that are missing, or differ from those that the bundle was trained with.
    """
    if not files:
        return bundle
    folder = weights or (default_folder(published) if published else bundle)
    hint = "give the folder that holds them with --weights"
    if published:
        hint = f"get them with 'histpred encoders get {published}', or {hint}"
    for name, expected in files.items():
        path = _place(folder, name, len(files))
        if not path.is_file():
            raise WeightsError(f"{path}: not found; the bundle needs this weights file", hint)
        found = file_digest(path)
        if found != expected:
            what = f"{path}: not the file that the bundle was trained with"
            raise WeightsError(f"{what}: sha256 {found}, bundle.json says {expected}", hint)
    return folder


def try_out(encoder: Published | EncoderKind, folder: Path) -> list[str]:
    """Load an encoder on the CPU and embed a made-up sequence; returns what passed.

    A published encoder must also give the same vector for lower case. The files of a kind, of
    which none are published, are listed with their digests. Raises BundleError, WeightsError or
    ModelError if it cannot be loaded, gives no embedding, or fails the check of its kind, and
    HistpredError if lower case changes the vector.
    """
    kind = ENCODERS[encoder.kind]
    try:
        loaded = build(encoder, folder, "cpu", "fp32")
    except BundleError as error:
        if not isinstance(error.__cause__, ModuleNotFoundError):
            raise
        return [f"loading was not tried: {error.message}; {error.hint}"]
    passed = []
    if isinstance(encoder, EncoderKind):
        for path in loaded.files:
            passed.append(f"{path}: sha256 {file_digest(path)}, with none to compare it with")
    tensors = "every tensor in its place, " if kind.needs_weights else ""
    passed.append(f"loads on the CPU: {tensors}{loaded.dimension} numbers a window")
    sequence = SEQUENCE[: loaded.longest]
    (vector,) = loaded.embed([sequence]).vectors
    if not np.isfinite(vector).all() or not vector.any():
        raise WeightsError(
            f"{folder}: a made-up sequence of {len(sequence)} letters gives NaN, infinity or zeros",
            f"get the weights again: histpred encoders get {encoder.name}"
            if isinstance(encoder, Published)
            else f"check the weights and the module {kind.module}",
        )
    passed.append(f"embeds a made-up sequence of {len(sequence)} letters, a run of N in it")
    if isinstance(encoder, Published):
        # A call of its own, so that both sequences are alone in their batch.
        (lower,) = loaded.embed([sequence.lower()]).vectors
        worst = float(np.abs(vector - lower).max())
        if worst > TOLERANCE:
            what = f"{folder}: lower case changes the vector by up to {worst:.2g}"
            raise HistpredError(what, "this is a bug in histpred: please report it")
        passed.append("gives the same for lower case")
    if kind.check:
        check = getattr(importlib.import_module(kind.module), kind.check)
        passed.append(check(folder))
    return passed
