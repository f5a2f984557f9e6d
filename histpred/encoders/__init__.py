"""Encoders: frozen functions from sequences to vectors, built from a bundle's encoder spec.

An encoder sees chunks of windows, or whole windows: upper-case ACGTN bytes in the window's own
orientation. Its module is imported when it is built, so that a run without torch never imports
torch. A new kind of encoder is one module with `from_settings`, and one line in `ENCODERS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np

from histpred.core.errors import BundleError
from histpred.core.extras import how_to_install

if TYPE_CHECKING:
    from pydantic import JsonValue

CALLS_AT_ONCE = 2  # of an encoder, so that one call reads or tokenises while another computes
INSTALL_ENCODERS = f"install it with {how_to_install('encoders')}"


class Embedded(NamedTuple):
    """Embedded chunks: the mean over each chunk's tokens, zeros if it has none."""

    vectors: np.ndarray  # float32 [n, dimension]
    tokens: np.ndarray  # int64 [n], the number of tokens in each mean


Along = tuple[bytes, np.ndarray]
"""A sequence, and the numbers of the windows along it that are wanted"""


class Encoder(Protocol):
    """Embeds chunks; a chunk's vector does not depend on the others in the call. Thread-safe."""

    dimension: int  # length of a vector
    longest: int | None  # most bases in a chunk, None for any number
    chunks_at_once: int  # how many chunks keep it busy
    device: str  # 'cpu', 'cuda:N' or 'mps'
    precision: str  # 'fp32', 'fp16', 'bf16' or 'int8'
    files: tuple[Path, ...]  # that it was read from

    def embed(self, chunks: Sequence[bytes]) -> Embedded:
        """Vectors and numbers of tokens of chunks."""


@runtime_checkable
class SharingEncoder(Encoder, Protocol):
    """An encoder that computes what windows on a grid of the genome have in common once.

    grid: windows whose middles lie a multiple of it apart (bp) share; None if none do. reach: bp
    that are read to each side of a window's middle. symmetric: both strands of a window have the
    same vector.
    """

    grid: int | None
    reach: int
    symmetric: bool

    def embed_along(self, parts: Sequence[Along], step: int) -> np.ndarray:
        """Vectors, float32 [n, dimension], of windows that begin `step` bp apart, part after part.

        Window i of a part is the 2 x reach bp of its sequence from i x step on. `step` is a
        multiple of `grid`. The same sequence gives the same bits for a window, whichever others are
        wanted.
        """


class Copies(NamedTuple):
    """A window, and copies of it in which some bases are others.

    places: where the new bases of each copy begin in the sequence, int [copies]; -1: they are all
    of the copy, of any length. bases: these bases, in upper case; as many drop out.
    """

    sequence: bytes
    places: np.ndarray
    bases: Sequence[bytes]


@runtime_checkable
class ComparingEncoder(Encoder, Protocol):
    """An encoder that embeds changed copies of a window by what differs."""

    def embed_copies(self, given: Sequence[Copies]) -> list[np.ndarray]:
        """Vectors, float32 [1 + copies, dimension], of each window and then of its copies.

        They equal those of `embed` to 1e-5. A copy has the same bits whatever else is `given`.
        """


class Sharing(NamedTuple):
    """What such an encoder shares, by its settings; see `SharingEncoder`."""

    grid: int | None
    reach: int
    symmetric: bool


class EncoderSpec(Protocol):
    """What an encoder is built from, such as a bundle's `histpred.bundle.manifest.EncoderSpec`."""

    @property
    def kind(self) -> str: ...
    @property
    def settings(self) -> Mapping[str, JsonValue]: ...
    @property
    def dimension(self) -> int | None: ...  # None accepts any
    @property
    def published(self) -> str | None: ...


class EncoderKind(NamedTuple):
    """A kind of encoder, which is also the spec of that kind with its default settings.

    module: its `from_settings(settings, directory, device, precision)` returns the encoder.
    needs_weights: it reads files; unless a bundle or a published encoder names them, the user gives
    `--weights`, `--chunks` and `--window`. expensive: a prediction keeps its embeddings on disk to
    be resumed; the encoder gets the device, and the scorer runs on the CPU. settings, window,
    chunks: the defaults of `--encoder KIND`; without chunks, windows are embedded whole. check: a
    function of the module for `encoders verify`, which takes the folder of the weights, and returns
    what passed as a sentence or raises WeightsError. sharing: a function of the module, which takes
    the settings and returns the `Sharing` of a `SharingEncoder`.
    """

    kind: str
    module: str
    needs_weights: bool = False
    expensive: bool = False
    settings: Mapping[str, JsonValue] = {}
    window: str = "context"
    chunks: str | None = None
    check: str | None = None
    sharing: str | None = None
    dimension: int | None = None
    published: str | None = None


ENCODERS = {
    entry.kind: entry
    for entry in (
        EncoderKind("kmer", "histpred.encoders.kmer", settings={"k": [1, 2, 3, 4]}),
        EncoderKind("onnx", "histpred.encoders.onnx", needs_weights=True),
        EncoderKind("spectra", "histpred.encoders.spectra", True, sharing="sharing_of"),
        EncoderKind("dnabert2", "histpred.encoders.dnabert2", True, True, check="check_tokenizer"),
        EncoderKind("rnafm", "histpred.encoders.rnafm", True, True),
        EncoderKind("hf", "histpred.encoders.hf", True, True),
    )
}


def is_expensive(kind: str) -> bool:
    """True if a prediction keeps the embeddings of this kind; False for an unknown kind."""
    return kind in ENCODERS and ENCODERS[kind].expensive


def build(
    spec: EncoderSpec, directory: Path, device: str = "cpu", precision: str = "auto"
) -> Encoder:
    """Build the encoder of a spec from `directory`: the bundle's folder, or that of its weights.

    device: 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'. precision: 'auto' (fp16 on a GPU, else fp32),
    'fp32', 'fp16', 'bf16' or 'int8'. Raises BundleError for an unknown kind, wrong settings, or a
    dimension other than the spec's; DeviceError or UsageError for a device or precision that is not
    available; WeightsError for files that are not the weights of such an encoder.
    """
    if spec.kind not in ENCODERS:
        hint = f"this histpred has {', '.join(sorted(ENCODERS))}; a newer one may have it"
        raise BundleError(f"{directory}: unknown encoder {spec.kind!r}", hint)
    try:
        encoder: Encoder = importlib.import_module(ENCODERS[spec.kind].module).from_settings(
            spec.settings, directory, device, precision
        )
    except ValueError as error:
        what = f"{directory}: encoder {spec.kind!r} cannot be built: {error}"
        raise BundleError(what, "get the bundle again") from error
    except ModuleNotFoundError as error:
        what = f"the encoder {spec.kind!r} needs the package {error.name}, which is not installed"
        raise BundleError(what, INSTALL_ENCODERS) from error
    if spec.dimension not in (None, encoder.dimension):
        found = f"{encoder.dimension} numbers a window, bundle.json says {spec.dimension}"
        what = f"{directory}: encoder {spec.kind!r} gives {found}"
        raise BundleError(what, "get the bundle again")
    return encoder


def sharing(spec: EncoderSpec) -> Sharing | None:
    """What windows on a grid share with the encoder of a spec; no weights are read for it.

    Raises BundleError for wrong settings.
    """
    kind = ENCODERS.get(spec.kind)
    if kind is None or kind.sharing is None:
        return None
    try:
        found: Sharing = getattr(importlib.import_module(kind.module), kind.sharing)(spec.settings)
    except ValueError as error:
        what = f"encoder {spec.kind!r} cannot be built: {error}"
        raise BundleError(what, "get the bundle again") from error
    return found


def check_settings(settings: Mapping[str, object], known: Mapping[str, type]) -> None:
    """Raise ValueError for an unknown setting, or one that lacks the type in `known`."""
    for name, value in settings.items():
        if name not in known:
            raise ValueError(f"settings are {', '.join(map(repr, known))}, found {name!r}")
        if type(value) is not known[name]:
            raise ValueError(f"setting {name!r} must be {known[name].__name__}, found {value!r}")
