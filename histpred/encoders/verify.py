"""Loads an encoder and embeds a made-up sequence: the trial of `histpred encoders verify`."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np

from histpred.core.errors import BundleError, HistpredError, WeightsError
from histpred.core.output import file_digest
from histpred.encoders import ENCODERS, EncoderKind, build
from histpred.encoders.published import Published

SEQUENCE = b"ACGTTGCATGGATCCAGCTTAGGC" * 7 + b"N" * 20 + b"ACGTGGCTAACCATGTTCGA" * 6
"""308 letters that are from no genome."""
TOLERANCE = 1e-4


def try_out(encoder: Published | EncoderKind, folder: Path) -> list[str]:
    """Load an encoder on the CPU and embed a made-up sequence; returns what passed.

    A published encoder must also give the same vector for lower case. The files of a kind, of
    which none are published, are listed with their digests.

    Raises
    ------
    BundleError, WeightsError, ModelError
        If it cannot be loaded, gives no embedding, or fails the check of its kind.
    HistpredError
        If lower case changes the vector.
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
        files = [(path, file_digest(path)) for path in loaded.files]
        passed += [
            f"{path}: sha256 {digest}, with none to compare it with" for path, digest in files
        ]

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
            raise HistpredError(
                f"{folder}: lower case changes the vector by up to {worst:.2g}",
                "this is a bug in histpred: please report it",
            )
        passed.append("gives the same for lower case")
    if kind.check:
        check = getattr(importlib.import_module(kind.module), kind.check)
        passed.append(check(folder))
    return passed
