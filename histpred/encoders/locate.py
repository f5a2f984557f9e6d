"""Finds the files of a bundle's encoder and checks their digests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from histpred.core.errors import WeightsError
from histpred.core.output import file_digest
from histpred.encoders.published import default_folder


def locate(
    files: Mapping[str, str], published: str | None, bundle: Path, weights: Path | None
) -> Path:
    """The folder (or the one file) to build a bundle's encoder from, checked against its digests.

    Parameters
    ----------
    files
        sha256 of each file, by name; empty for an encoder inside the bundle.
    published
        The encoder's name in `histpred encoders list`, if it has one.
    bundle
        The bundle's folder.
    weights
        The folder or file that the user gave; None: the folder of `histpred encoders get`.

    Raises
    ------
    WeightsError
        For files that are missing, or differ from those that the bundle was trained with.
    """
    if not files:
        return bundle
    folder = weights or (default_folder(published) if published else bundle)
    hint = "give the folder that holds them with --weights"
    if published:
        hint = f"get them with 'histpred encoders get {published}', or {hint}"
    for name, expected in files.items():
        path = folder if folder.is_file() and len(files) == 1 else folder / name
        if not path.is_file():
            raise WeightsError(f"{path}: not found; the bundle needs this weights file", hint)
        found = file_digest(path)
        if found != expected:
            raise WeightsError(
                f"{path}: not the file that the bundle was trained with: sha256 {found}, "
                f"bundle.json says {expected}",
                hint,
            )
    return folder
