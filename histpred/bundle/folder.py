"""A bundle: the folder that fixes everything between a window and a probability.

Everything that can be checked without running the model is checked here, before any work. Whether
the scorer itself fits is checked when it is opened, in `histpred.scoring.scorer`.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from histpred.core.errors import BundleError, first_few
from histpred.core.graph import ENCODER_GRAPHS, check_graph
from histpred.core.makers import made_otherwise
from histpred.core.shipped import LFS_POINTER
from histpred.core.spelling import did_you_mean
from histpred.core.strict_json import parse

if TYPE_CHECKING:
    from histpred.bundle.manifest import Manifest

DEFAULT_BUNDLE = "human-promoter"
SHIPPED = Path(__file__).resolve().parent / "shipped"
MANIFEST = "bundle.json"
SCORER = "scorer.onnx"
CARD = "card.md"
LARGEST = 2 << 30  # bytes of a file; onnxruntime reads no larger graph
LEVELS = 6  # of a field's place in a message
SPLIT, HISTORY, MARK_VECTORS = "split.tsv", "training.tsv", "mark_vectors.tsv"  # of `train`


@dataclass(frozen=True)
class Bundle:
    """A validated bundle; `digest` is the sha256 of bundle.json, which holds that of each file."""

    directory: Path
    manifest: Manifest
    digest: str

    @property
    def identity(self) -> str:
        """Name, version and digest, as records state them."""
        return f"{self.manifest.name} {self.manifest.version} {self.digest}"

    @property
    def scorer_path(self) -> Path:
        return self.directory / SCORER

    @property
    def card_path(self) -> Path:
        return self.directory / CARD


def shipped_bundles() -> list[str]:
    """The names of the bundles inside the package, sorted."""
    return sorted(manifest.parent.name for manifest in SHIPPED.glob(f"*/{MANIFEST}"))


def load_bundle(name_or_path: str | os.PathLike[str] = DEFAULT_BUNDLE) -> Bundle:
    """Find a bundle by its shipped name or its folder, and check all of it.

    Raises BundleError for a folder or file that is missing, altered, a link, a Git-LFS pointer or
    of another schema version, and for a graph that may not be run.
    """
    directory = find_bundle(name_or_path)
    path = directory / MANIFEST
    content = _read(directory, MANIFEST)
    manifest = parse_manifest(content, path)
    _check_files(directory, manifest)
    return Bundle(directory, manifest, hashlib.sha256(content).hexdigest())


def find_bundle(name_or_path: str | os.PathLike[str]) -> Path:
    """The folder of a bundle by its shipped name or its path; `./NAME` always is a path."""
    given = os.fspath(name_or_path)
    folder = Path(given)
    shipped = SHIPPED / given if given in shipped_bundles() else None
    if shipped and folder.is_dir() and not folder.samefile(shipped):
        hint = f"write .{os.sep}{given} for the folder, or run where there is no such folder"
        raise BundleError(f"{given}: both a shipped bundle and a folder here", hint)
    if shipped:
        return shipped
    if folder.is_dir():
        return folder
    if folder.exists():
        hint = f"give the folder that holds {MANIFEST}"
        raise BundleError(f"{given}: a bundle is a folder, this is a file", hint)
    names = shipped_bundles()
    hint = f"give a folder with a {MANIFEST}, or a shipped one: {', '.join(names)}"
    hint = did_you_mean([given], names, hint)
    raise BundleError(f"{given}: no such bundle", hint)


def parse_manifest(content: bytes, path: Path) -> Manifest:
    """The manifest in the bytes of a bundle.json; `path` is for messages only."""
    from pydantic import ValidationError

    from histpred.bundle.manifest import SCHEMA_VERSION, Manifest

    try:
        fields = parse(content)
        json.dumps(fields, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except ValueError as error:  # also bytes that are not UTF-8
        raise BundleError(f"{path}: not valid JSON: {error}", "get the bundle again") from error
    if not isinstance(fields, dict):
        raise BundleError(f"{path}: not a bundle manifest: no object", "get the bundle again")
    version = fields.get("schema_version")
    if str(version).split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise BundleError(
            f"{path}: schema version {str(version)[:20]}, this histpred reads {SCHEMA_VERSION}",
            "use the release of histpred that wrote the bundle, or a bundle made for this release",
        )
    try:
        return Manifest.model_validate(fields)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, problem['loc'][:LEVELS])) or 'manifest'}: {problem['msg']}"
            for problem in error.errors()
        ]
        hint = "correct these fields, or get the bundle again; a newer histpred may have written it"
        raise BundleError(f"{path}: not a valid manifest: {first_few(problems)}", hint) from error


def _check_files(directory: Path, manifest: Manifest) -> None:
    graphs = [SCORER, *([manifest.interval.scorer] if manifest.interval else [])]
    if not manifest.encoder.files:
        graphs += ENCODER_GRAPHS.get(manifest.encoder.kind, ())
    needed = [CARD, *graphs]
    unlisted = [name for name in needed if name not in manifest.files]
    if unlisted:
        what = f"'files' does not list {first_few(unlisted)}"
        raise BundleError(f"{directory / MANIFEST}: {what}", "get the bundle again")
    for name in manifest.files:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or any(c in name for c in "\\:\0"):
            what = f"{directory / MANIFEST}: file name {name!r} points outside the bundle"
            raise BundleError(what, "do not use this bundle unless you know who made it")
    for name, expected in manifest.files.items():
        path = directory / name
        content = _read(directory, name)
        found = hashlib.sha256(content).hexdigest()
        if found != expected:
            what = f"altered or damaged: sha256 {found}, {MANIFEST} says {expected}"
            raise BundleError(f"{path}: {what}", "get the bundle again")
        if name in graphs:
            check_graph(content, path)
        if name == CARD:
            _check_card(content, path)


def _check_card(content: bytes, path: Path) -> None:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}: not UTF-8 text: {error}", "get the bundle again") from error


def _read(directory: Path, name: str) -> bytes:
    """The bytes of a regular file in the folder, which is not opened if it is anything else."""
    path = directory / name
    try:
        found = path.stat()
        is_link = path.resolve() != directory.resolve() / name
        if is_link or not stat.S_ISREG(found.st_mode):
            what = "a link" if is_link else "not a regular file"
            raise BundleError(f"{path}: {what}", "get the bundle again, as a folder of plain files")
        if found.st_size > LARGEST:
            what = f"{found.st_size:,} bytes; a bundle's file has at most {LARGEST:,}"
            raise BundleError(f"{path}: {what}", "get the bundle again")
        content = path.read_bytes()
    except OSError as error:
        if other := made_otherwise(directory, "train"):
            hint = "give a folder of histpred train, or a name that histpred bundle list shows"
            raise BundleError(f"{directory}: {other}", hint) from error
        what = f"{path}: cannot be read: {error.strerror}"
        raise BundleError(what, "get the bundle again") from error
    if content.startswith(LFS_POINTER):
        raise BundleError(f"{path}: a Git-LFS pointer, not the file itself", "run: git lfs pull")
    return content
