"""Where an encoder's own files are, and whether they are the right ones."""

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
        sha256 of each file, by name, of an encoder that does not ship with the bundle.
    published
        Its name in `histpred encoders list`, if it has one.
    bundle
        The bundle's folder, where an encoder that ships lies.
    weights
        What the user gave; None: where `histpred encoders get` puts it.

    Raises
    ------
    WeightsError
        For files that are missing or others than those that the bundle was trained with.
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
            raise WeightsError(f"{path}: not there; the bundle needs this file of weights", hint)
        found = file_digest(path)
        if found != expected:
            raise WeightsError(
                f"{path}: not what the bundle was trained with: sha256 {found}, "
                f"bundle.json says {expected}",
                hint,
            )
    return folder
