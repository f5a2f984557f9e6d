"""Encoders: frozen functions from sequences to vectors, built from a bundle's encoder spec.

A piece is a window, or a chunk of one (`histpred.encoders.chunks`): upper-case ACGTN bytes in the
window's own orientation. An encoder's module is imported when the encoder is built, so that one
which needs torch costs nothing to a run that uses another. To add a kind: one module with
`from_settings`, one line in `ENCODERS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from histpred.core.errors import BundleError

INSTALL_ENCODERS = (
    "pip install 'histpred[encoders]' (a checkout: HISTPRED_EXTRAS=encoders bin/histpred)"
)


class Embedded(NamedTuple):
    """What an encoder makes of pieces.

    vectors: float32 [n, dimension], the mean over each piece's tokens, zeros where it has none;
    tokens: int64 [n], how many tokens each vector is the mean of.
    """

    vectors: np.ndarray
    tokens: np.ndarray


class Encoder(Protocol):
    """Pieces to vectors; the same piece, the same vector, whatever else is in the batch.

    dimension: length of a vector; longest: bases that a piece may have, None for any number;
    chunks_at_once: how many pieces keep it busy; device: where it really runs ('cpu', 'cuda:N',
    'mps'); precision: 'fp32', 'fp16', 'bf16' or 'int8'; files: what it was read from. `embed` may
    be called from several threads.
    """

    dimension: int
    longest: int | None
    chunks_at_once: int
    device: str
    precision: str
    files: tuple[Path, ...]

    def embed(self, pieces: Sequence[bytes]) -> Embedded:
        """The vectors of pieces and their numbers of tokens."""
        ...


class EncoderSpec(Protocol):
    """What a bundle says of its encoder: see `histpred.bundle.manifest.EncoderSpec`; a dimension of
    None is whatever the encoder gives.
    """

    @property
    def kind(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, object]: ...

    @property
    def dimension(self) -> int | None: ...


class EncoderKind(NamedTuple):
    """One kind of encoder: all that histpred knows of it before its module is imported.

    An entry is also an encoder spec, of that kind with its default settings.

    Attributes
    ----------
    kind
        Its name in bundles, and for `--encoder` and `histpred encoders verify`.
    module
        Imported when an encoder is built: its `from_settings(settings, directory, device,
        precision)` returns the encoder.
    needs_weights
        True if it reads files of its own. Without a bundle or a published encoder that names them,
        the user gives `--weights`, and says how to cut windows.
    expensive
        True if embeddings are worth keeping on disk while a prediction runs, so that it can be
        resumed. Such an encoder takes the device, and the scorer runs on the CPU.
    settings, window, chunks
        What `--encoder KIND` stands for; `window` and `chunks` as the options say them, chunks of
        None: windows are embedded whole.
    check
        A function of the module that `histpred encoders verify` also calls, with the folder of the
        weights: it returns what passed, as a sentence, and raises WeightsError.
    """

    kind: str
    module: str
    needs_weights: bool = False
    expensive: bool = False
    settings: Mapping[str, object] = {}
    window: str = "context"
    chunks: str | None = None
    check: str | None = None

    @property
    def dimension(self) -> None:
        """Any dimension will do."""
        return None


ENCODERS = {
    entry.kind: entry
    for entry in (
        EncoderKind("kmer", "histpred.encoders.kmer", settings={"k": [1, 2, 3, 4]}),
        EncoderKind("onnx", "histpred.encoders.onnx", needs_weights=True),
        EncoderKind("dnabert2", "histpred.encoders.dnabert2", True, True, check="check_tokenizer"),
        EncoderKind("rnafm", "histpred.encoders.rnafm", True, True),
        EncoderKind("hf", "histpred.encoders.hf", True, True),
    )
}
"""Every kind of encoder, by its name."""


def is_expensive(kind: str) -> bool:
    """True if the embeddings of a kind are worth keeping; False for a kind that is unknown."""
    return kind in ENCODERS and ENCODERS[kind].expensive


def build(
    spec: EncoderSpec, directory: Path, device: str = "cpu", precision: str = "auto"
) -> Encoder:
    """The encoder that a spec names.

    Parameters
    ----------
    spec
        The encoder's part of a manifest.
    directory
        Where the encoder's own files lie: the bundle's folder, or that of its weights.
    device
        'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'.
    precision
        'auto' (fp16 on a GPU, else fp32), 'fp32', 'fp16', 'bf16' or 'int8'.

    Raises
    ------
    BundleError
        For an unknown kind, wrong settings, or a dimension other than the spec's.
    DeviceError, UsageError
        For a device or precision that cannot be had.
    WeightsError
        For files that are not the weights of such an encoder.
    """
    if spec.kind not in ENCODERS:
        raise BundleError(
            f"{directory}: unknown encoder {spec.kind!r}",
            f"this histpred has {', '.join(sorted(ENCODERS))}; a newer one may have it",
        )

    try:
        encoder: Encoder = importlib.import_module(ENCODERS[spec.kind].module).from_settings(
            spec.settings, directory, device, precision
        )
    except ValueError as error:
        raise BundleError(
            f"{directory}: encoder {spec.kind!r} cannot be built: {error}", "get the bundle again"
        ) from error
    except ModuleNotFoundError as error:
        raise BundleError(
            f"the encoder {spec.kind!r} needs the package {error.name}, which is not installed",
            INSTALL_ENCODERS,
        ) from error
    if spec.dimension not in (None, encoder.dimension):
        raise BundleError(
            f"{directory}: encoder {spec.kind!r} gives {encoder.dimension} numbers a window, "
            f"bundle.json says {spec.dimension}",
            "get the bundle again",
        )
    return encoder


def check_settings(settings: Mapping[str, object], known: Mapping[str, type]) -> None:
    """Raise ValueError for a setting that is unknown or of another type than `known` says."""
    for name, value in settings.items():
        if name not in known:
            raise ValueError(f"settings are {', '.join(map(repr, known))}, found {name!r}")
        if type(value) is not known[name]:
            raise ValueError(f"setting {name!r} must be {known[name].__name__}, found {value!r}")
