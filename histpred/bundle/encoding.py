"""From a bundle, or the name of a published encoder, to an open encoder, its chunks and windows."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from histpred.bundle.folder import Bundle, load_bundle
from histpred.bundle.outputs import window_for
from histpred.core.errors import BundleError, UsageError
from histpred.encoders import ENCODERS, Encoder, EncoderSpec, build
from histpred.encoders.chunks import WINDOW, ChunkPolicy, parse_chunks
from histpred.encoders.download import WRONG, compare
from histpred.encoders.locate import locate
from histpred.encoders.published import Published, default_folder, find
from histpred.genome.regions import CONTEXT
from histpred.genome.windows import WindowSpec, parse_window

logger = logging.getLogger(__name__)


def bundle_chunks(bundle: Bundle) -> ChunkPolicy | None:
    """How the bundle cuts windows; None: not at all."""
    spec = bundle.manifest.encoder.chunks
    return ChunkPolicy(spec.policy, spec.length) if spec else None


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


def check_length(chunks: ChunkPolicy | None, encoder: Encoder, who: str) -> None:
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


class Choice(NamedTuple):
    """What windows are embedded with, before anything is opened. `folder`: of the weights; `who`:
    how errors name it; `listed`: the published encoder, if it is one.
    """

    spec: EncoderSpec
    chunks: ChunkPolicy | None
    window: WindowSpec
    folder: Path
    who: str
    bundle: Bundle | None = None
    listed: Published | None = None


def choose(
    bundle: str | None,
    name: str | None,
    chunks: str | None,
    window: str | None,
    weights: Path | None,
    tile: int | None = None,
) -> Choice:
    """The encoder, chunks and windows that the user means; see `choose_encoder`."""
    if tile and bundle is None:
        raise UsageError("--tile needs a bundle", "give --bundle")
    if (bundle is None) == (name is None):
        raise UsageError("an encoder is needed", "give either --bundle or --encoder")
    cut = parse_chunks(chunks) if chunks else None
    if bundle is not None:
        loaded = load_bundle(bundle)
        spec = loaded.manifest.encoder
        cut = cut or bundle_chunks(loaded)
        reach = window_for(loaded, window, tile)
        return Choice(spec, cut, reach, loaded.directory, bundle, loaded)

    if name == KMERS.kind:
        return Choice(KMERS, cut, parse_window(window or CONTEXT), Path(), name)

    if name in ENCODERS and weights and cut and window:  # of a kind, but not one that is listed
        return Choice(Spec(name, {}, None), cut, parse_window(window), weights, str(weights))

    listed = find(str(name))
    return Choice(
        Spec(listed.kind, listed.settings, listed.dimension, listed.name),
        cut or ChunkPolicy(WINDOW, listed.chunk_length),
        parse_window(window or listed.window),
        weights or default_folder(listed.name),
        listed.name,
        listed=listed,
    )


def choose_encoder(
    bundle: str | None,
    name: str | None,
    chunks: str | None,
    window: str | None,
    device: str,
    precision: str,
    weights: Path | None,
) -> tuple[Encoder, EncoderSpec, ChunkPolicy | None, WindowSpec]:
    """What `histpred embed` works with: an encoder with its spec, chunks, and windows.

    Either `bundle` or `name` is given: a published encoder, `kmer`, or a kind for which `weights`,
    `chunks` and `window` are given. `chunks` and `window` replace the bundle's or the encoder's
    usual ones.
    """
    choice = choose(bundle, name, chunks, window, weights)
    if choice.bundle:
        encoder = open_encoder(choice.bundle, device, precision, weights)
    else:
        for compared in compare(choice.listed, choice.folder) if choice.listed else ():
            if compared.state == WRONG:
                logger.warning(
                    "%s is not the published file of %s: sha256 %s, published is %s",
                    compared.path,
                    choice.who,
                    compared.found,
                    compared.file.sha256,
                )
        encoder = build(choice.spec, choice.folder, device, precision)
    check_length(choice.chunks, encoder, choice.who)
    return encoder, choice.spec, choice.chunks, choice.window
