"""The choice of an encoder: the one of a bundle, or one that the user names, with its windows."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

from histpred.bundle.folder import Bundle, load_bundle
from histpred.bundle.outputs import window_for
from histpred.core.errors import BundleError, UsageError
from histpred.encoders import ENCODERS, Encoder, EncoderSpec, build
from histpred.encoders.chunks import WINDOW, ChunkPolicy, parse_chunks
from histpred.encoders.installed import WRONG, compare, locate
from histpred.encoders.published import Published, default_folder, find, is_published
from histpred.genome.windows import WindowSpec, parse_window

logger = logging.getLogger(__name__)


class EncoderChoice(NamedTuple):
    """An encoder that was chosen but is not open yet, and the windows it will see.

    spec: what the encoder is built from. chunks: how windows are cut; None: not at all. name: what
    messages call the encoder. weights: the path that the user gave, if any. bundle, published: the
    bundle that the choice comes from, or the entry in the list of published encoders.
    """

    spec: EncoderSpec
    chunks: ChunkPolicy | None
    window: WindowSpec
    name: str
    weights: Path | None = None
    bundle: Bundle | None = None
    published: Published | None = None

    @property
    def required_bundle(self) -> Bundle:
        """The bundle; UsageError if the encoder was chosen by name."""
        if self.bundle is None:
            raise UsageError(f"{self.name} is an encoder, not a bundle", "give --bundle")
        return self.bundle

    def open(self, device: str = "cpu", precision: str = "auto") -> Encoder:
        """The encoder on a device, after its weights were compared with what is known of them.

        Raises
        ------
        BundleError
            If its chunks are longer than the encoder can take, or the spec cannot be built.
        WeightsError, DeviceError, UsageError
            See `histpred.encoders.build` and `histpred.encoders.locate`.
        """
        encoder = build(self.spec, self._folder(), device, precision)
        _check_length(self.chunks, encoder, self.name)
        return encoder

    def _folder(self) -> Path:
        """Where the encoder's files lie."""
        if self.bundle:
            spec = self.bundle.manifest.encoder
            return locate(spec.files, spec.published, self.bundle.directory, self.weights)
        if not self.published:
            return self.weights or Path()
        folder = self.weights or default_folder(self.published.name)
        for compared in compare(self.published, folder):
            if compared.state == WRONG:
                logger.warning(
                    "%s is not the published file of %s: sha256 %s, published is %s",
                    compared.path,
                    self.name,
                    compared.found,
                    compared.file.sha256,
                )
        return folder


def bundle_encoder(
    bundle: Bundle,
    window: str | None = None,
    tile: int | None = None,
    weights: Path | None = None,
) -> EncoderChoice:
    """A bundle's own encoder, on the windows it was trained on unless others are named.

    `window` and `tile`: see `histpred.bundle.outputs.window_for`.
    """
    spec = bundle.manifest.encoder
    chunks = ChunkPolicy(spec.chunks.policy, spec.chunks.length) if spec.chunks else None
    reach = window_for(bundle, window, tile)
    return EncoderChoice(spec, chunks, reach, str(bundle.directory), weights, bundle)


def choose_encoder(
    bundle: str | None = None,
    name: str | None = None,
    chunks: str | None = None,
    window: str | None = None,
    weights: Path | None = None,
    tile: int | None = None,
) -> EncoderChoice:
    """The encoder that a user means: that of a bundle, or the one of that name.

    Parameters
    ----------
    bundle, name
        One of them: a bundle; or a published encoder or a kind of encoder. For a kind that needs
        weights, `weights`, `chunks` and `window` are given, too.
    chunks, window
        In place of the bundle's, or of what is usual for the encoder.
    tile
        Length of tiles in bp, for a bundle's intervals.

    Raises
    ------
    UsageError, BundleError
        For names that are unknown and options that do not belong together.
    """
    if tile and bundle is None:
        raise UsageError("--tile needs a bundle", "give --bundle")
    if (bundle is None) == (name is None):
        raise UsageError("an encoder is needed", "give either --bundle or --encoder")
    policy = parse_chunks(chunks) if chunks else None
    if bundle is not None:
        choice = bundle_encoder(load_bundle(bundle), window, tile, weights)
        return choice._replace(chunks=policy or choice.chunks)
    name = str(name)
    kind = ENCODERS.get(name)
    if kind and not kind.needs_weights:
        usual = parse_chunks(kind.chunks) if kind.chunks else None
        return EncoderChoice(kind, policy or usual, parse_window(window or kind.window), name)
    if kind and weights and policy and window:
        return EncoderChoice(kind, policy, parse_window(window), str(weights), weights)
    if kind and not is_published(name):
        raise UsageError(
            f"{name!r} is a kind of encoder, with weights of your own",
            "give --weights, --chunks and --window",
        )

    listed = find(name)
    return EncoderChoice(
        listed,
        policy or ChunkPolicy(WINDOW, listed.chunk_length),
        parse_window(window or listed.window),
        listed.name,
        weights,
        published=listed,
    )


def _check_length(chunks: ChunkPolicy | None, encoder: Encoder, name: str) -> None:
    """Raise BundleError if chunks, or windows that are not cut, are too long for the encoder."""
    if encoder.longest is not None and (chunks is None or chunks.length > encoder.longest):
        raise BundleError(
            f"{name}: chunks {chunks or 'none'}, the encoder takes at most {encoder.longest} bases",
            f"use chunks of {encoder.longest} bp or less",
        )
