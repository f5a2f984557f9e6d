"""Encoders: frozen functions from sequences to vectors, built from a bundle's encoder spec.

A sequence is upper-case ACGTN bytes in its window's own orientation. An encoder's module is
imported when the encoder is built, so that one which needs torch costs nothing to a run that uses
another.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from histpred.core.errors import BundleError

ENCODERS = {"kmer": "histpred.encoders.kmer"}
"""kind -> the module whose `from_settings(settings, directory)` builds it."""


class Encoder(Protocol):
    """Sequences to vectors; the same sequence, the same vector, whatever else is in the batch."""

    dimension: int

    def embed(self, sequences: Sequence[bytes]) -> np.ndarray:
        """The vectors, float32 [n, dimension]."""
        ...


class EncoderSpec(Protocol):
    """What a bundle says of its encoder: see `histpred.models.manifest.EncoderSpec`."""

    @property
    def kind(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, object]: ...

    @property
    def dimension(self) -> int: ...


def build(spec: EncoderSpec, directory: Path) -> Encoder:
    """The encoder that a bundle names.

    Parameters
    ----------
    spec
        The encoder's part of the manifest.
    directory
        The bundle's folder, where an encoder's own files lie.

    Raises
    ------
    BundleError
        For an unknown kind, wrong settings, or a dimension other than the manifest's.
    """
    if spec.kind not in ENCODERS:
        raise BundleError(
            f"{directory}: unknown encoder {spec.kind!r}",
            f"this histpred has {', '.join(sorted(ENCODERS))}; a newer one may have it",
        )

    try:
        encoder: Encoder = importlib.import_module(ENCODERS[spec.kind]).from_settings(
            spec.settings, directory
        )
    except ValueError as error:
        raise BundleError(
            f"{directory}: encoder {spec.kind!r} cannot be built: {error}", "get the bundle again"
        ) from error
    if encoder.dimension != spec.dimension:
        raise BundleError(
            f"{directory}: encoder {spec.kind!r} gives {encoder.dimension} numbers a window, "
            f"bundle.json says {spec.dimension}",
            "get the bundle again",
        )
    return encoder
