"""The choice of an encoder: the one of a bundle, or one that the user names, with its windows."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

from histpred.bundle.folder import MANIFEST, Bundle, load_bundle
from histpred.bundle.mark_spec import MarkSpec
from histpred.bundle.outputs import encoder_for, interval_output, marks_of, window_for
from histpred.core.errors import BundleError, UsageError, first_few
from histpred.encoders import ENCODERS, Encoder, EncoderSpec, build, is_expensive
from histpred.encoders.chunks import WINDOW, ChunkPolicy, parse_chunks
from histpred.encoders.installed import WRONG, compare, locate
from histpred.encoders.published import Published, default_folder, find, is_published
from histpred.genome.windows import WindowSpec, parse_window

logger = logging.getLogger(__name__)


class EncoderChoice(NamedTuple):
    """An encoder that was chosen but is not open yet, and the windows it will see."""

    spec: EncoderSpec
    chunks: ChunkPolicy | None
    window: WindowSpec
    name: str  # what messages call the encoder
    weights: Path | None = None  # the path that the user gave
    bundle: Bundle | None = None  # that the choice comes from
    published: Published | None = None  # the entry that the choice comes from
    marks: tuple[str, ...] = ()  # of the bundle, to score; empty: all
    call_precision: float | None = None  # for which thresholds are chosen; None: the bundle's

    @property
    def scored(self) -> tuple[MarkSpec, ...]:
        """The bundle's marks that are scored; see `histpred.bundle.outputs.marks_of`."""
        return marks_of(self.required_bundle, self.window, self.marks, self.call_precision)

    @property
    def required_bundle(self) -> Bundle:
        """The bundle; UsageError if the encoder was chosen by name."""
        if self.bundle is None:
            raise UsageError(f"{self.name} is an encoder, not a bundle", "give --bundle")
        return self.bundle

    @property
    def is_expensive(self) -> bool:
        """True if embeddings are worth keeping; see `histpred.encoders.is_expensive`."""
        return is_expensive(self.spec.kind)

    def open(self, device: str = "cpu", precision: str = "auto") -> Encoder:
        """The encoder on a device, after its weights were compared with what is known of them.

        Raises BundleError if its chunks, or windows that are not cut, are longer than the encoder
        can take, or if it reads a file without a digest; otherwise see `histpred.encoders.build`
        and `histpred.encoders.installed.locate`.
        """
        folder = self._folder()
        encoder = build(self.spec, folder, device, precision)
        self._check_digests(encoder, folder)
        longest = encoder.longest
        if longest is not None and (self.chunks is None or self.chunks.length > longest):
            chunks = self.chunks or "none"
            what = f"{self.name}: chunks {chunks}, the encoder takes at most {longest} bases"
            raise BundleError(what, f"use chunks of {longest} bp or less")
        return encoder

    def _check_digests(self, encoder: Encoder, folder: Path) -> None:
        """Raise BundleError if the encoder reads a file whose digest its bundle does not state."""
        if not self.bundle or folder.is_file():  # the one file is compared whatever its name is
            return
        manifest = self.bundle.manifest
        stated = {MANIFEST, *manifest.files, *manifest.encoder.files}
        unlisted = [str(path) for path in encoder.files if path.name not in stated]
        if unlisted:
            what = f"{first_few(unlisted)}: read by the encoder, but {MANIFEST} states no digest"
            raise BundleError(what, "move what does not belong to the encoder to another folder")

    def _folder(self) -> Path:
        if self.bundle:
            spec = self.bundle.manifest.encoder
            return locate(spec.files, spec.published, self.bundle.directory, self.weights)
        if not self.published:
            return self.weights or Path()
        folder = self.weights or default_folder(self.published.name)
        for file, path, state, found in compare(self.published, folder):
            if state == WRONG:
                what = "%s is not the published file of %s: sha256 %s, published is %s"
                logger.warning(what, path, self.name, found, file.sha256)
        return folder


def bundle_encoder(
    bundle: Bundle, window: str | None = None, tile: int | None = None, weights: Path | None = None
) -> EncoderChoice:
    """A bundle's own encoder; for `window` and `tile` see `histpred.bundle.outputs.window_for`."""
    reach = window_for(bundle, window, tile)
    spec = encoder_for(bundle.manifest, interval_output(bundle, reach))
    chunks = ChunkPolicy(spec.chunks.policy, spec.chunks.length) if spec.chunks else None
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

    `name` is a published encoder or a kind of encoder. A kind that needs weights needs `weights`,
    `chunks` and `window`; else these replace what is usual. tile: length in bp, for a bundle's
    intervals. Raises UsageError or BundleError for names that are unknown and options that do not
    belong together.
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
        hint = "give --weights, --chunks and --window"
        raise UsageError(f"{name!r} is a kind of encoder, with weights of your own", hint)
    listed = find(name)
    policy = policy or ChunkPolicy(WINDOW, listed.chunk_length)
    reach = parse_window(window or listed.window)
    return EncoderChoice(listed, policy, reach, listed.name, weights, published=listed)
