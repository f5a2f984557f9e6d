"""From a bundle, or the name of a published encoder, to an open encoder, its chunks and windows."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import BundleError, UsageError
from histpred.core.regions import CONTEXT
from histpred.encoders import ENCODERS, Encoder, EncoderSpec, build
from histpred.encoders.chunks import WINDOW, Chunks, parse_chunks
from histpred.encoders.download import WRONG, compare
from histpred.encoders.locate import locate
from histpred.encoders.published import default_folder, find
from histpred.genome.windows import WindowSpec, parse_window
from histpred.models.bundle import Bundle, load_bundle
from histpred.scoring.record import window_for

logger = logging.getLogger(__name__)


def bundle_chunks(bundle: Bundle) -> Chunks | None:
    """How the bundle cuts windows; None: not at all."""
    spec = bundle.manifest.encoder.chunks
    return Chunks(spec.policy, spec.length) if spec else None


def open_encoder(
    bundle: Bundle, device: str = "cpu", precision: str = "auto", weights: Path | None = None
) -> Encoder:
    """The bundle's encoder on a device; see `histpred.encoders.build` and `locate`.

    Raises
    ------
    BundleError
        Where its chunks are longer than the encoder can take.
    """
    spec = bundle.manifest.encoder
    folder = locate(spec.files, spec.published, bundle.directory, weights)
    encoder = build(spec, folder, device, precision)
    check_length(bundle_chunks(bundle), encoder, f"{bundle.directory}")
    return encoder


def check_length(chunks: Chunks | None, encoder: Encoder, who: str) -> None:
    """Raise BundleError where chunks are longer than the encoder can take, or windows not cut."""
    if encoder.longest is not None and (chunks is None or chunks.length > encoder.longest):
        raise BundleError(
            f"{who}: chunks {chunks or 'none'}, the encoder takes at most {encoder.longest} bases",
            f"use chunks of {encoder.longest} bp or less",
        )


class Spec(NamedTuple):
    """An encoder that no bundle names; any dimension will do if it is None. `published`: its name
    in `histpred encoders list`.
    """

    kind: str
    settings: Mapping[str, object]
    dimension: int | None
    published: str | None = None


KMERS = Spec("kmer", {"k": [1, 2, 3, 4]}, None)
"""What the kind `kmer` means without a bundle: needs no weights, sees windows whole."""


def choose_encoder(
    bundle: str | None,
    name: str | None,
    chunks: str | None,
    window: str | None,
    device: str,
    precision: str,
    weights: Path | None,
) -> tuple[Encoder, EncoderSpec, Chunks | None, WindowSpec]:
    """What `histpred embed` works with: an encoder with its spec, chunks, and windows.

    Either `bundle` or `name` is given: a published encoder, `kmer`, or a kind for which `weights`,
    `chunks` and `window` are given. `chunks` and `window` replace the bundle's or the encoder's
    usual ones.
    """
    if (bundle is None) == (name is None):
        raise UsageError("an encoder is needed", "give either --bundle or --encoder")
    cut = parse_chunks(chunks) if chunks else None
    if bundle is not None:
        loaded = load_bundle(bundle)
        encoder = open_encoder(loaded, device, precision, weights)
        cut = cut or bundle_chunks(loaded)
        check_length(cut, encoder, bundle)
        return encoder, loaded.manifest.encoder, cut, window_for(loaded, window)

    if name == KMERS.kind:
        encoder = build(KMERS, Path(), device, precision)
        return encoder, KMERS, cut, parse_window(window or CONTEXT)

    if name in ENCODERS and weights and cut and window:  # of a kind, but not one that is listed
        encoder = build(Spec(name, {}, None), weights, device, precision)
        check_length(cut, encoder, str(weights))
        return encoder, Spec(name, {}, None), cut, parse_window(window)

    listed = find(str(name))
    spec = Spec(listed.kind, listed.settings, listed.dimension, listed.name)
    folder = weights or default_folder(listed.name)
    for compared in compare(listed, folder):
        if compared.state == WRONG:
            logger.warning(
                "%s is not the published file of %s: sha256 %s, published is %s",
                compared.path,
                listed.name,
                compared.found,
                compared.file.sha256,
            )
    encoder = build(spec, folder, device, precision)
    cut = cut or Chunks(WINDOW, listed.chunk_length)
    check_length(cut, encoder, listed.name)
    return encoder, spec, cut, parse_window(window or listed.window)
