"""An encoder graph that ships inside a bundle, run by onnxruntime.

`encoder.onnx` takes `codes`, uint8 [batch, length]: A C G T N are 0 to 4; it gives `embedding`,
float32 [batch, dimension]. The length is either fixed or a free dimension. With a free one, pieces
of one length go together, so that nothing is padded. With a fixed one, a shorter piece is filled up
with N at its 5' end: what is short is mostly a window clipped at its contig's end, and most of a
window lies upstream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from histpred.core.errors import BundleError, ModelError
from histpred.core.runtime import open_session
from histpred.encoders import Embedded, check_settings
from histpred.encoders.chunks import bases

GRAPH = "encoder.onnx"
BASES_AT_ONCE = 1 << 15  # of a batch; DeepHistone takes some 10 kB a base, and more is no faster
_CODES = bytes.maketrans(b"ACGTN", bytes(range(5)))


class OnnxEncoder:
    """A graph as an encoder; a token is a base."""

    chunks_at_once = 512
    precision = "fp32"

    def __init__(self, path: Path, device: str) -> None:
        if not path.is_file():  # onnxruntime has an error of its own for it
            raise BundleError(f"{path} is missing", "get the bundle again")
        self._session, self.device = open_session(path, device)
        self.files = (path,)
        inputs = {value.name: (value.type, value.shape) for value in self._session.get_inputs()}
        outputs = {value.name: (value.type, value.shape) for value in self._session.get_outputs()}
        (kind, shape), (_, out_shape) = (
            inputs.get("codes", ("", [])),
            outputs.get("embedding", ("", [])),
        )
        if len(inputs) != 1 or kind != "tensor(uint8)" or len(shape) != 2 or len(out_shape) != 2:
            raise BundleError(
                f"{path}: takes {inputs} and gives {outputs}, not codes uint8 [batch, length] and "
                "embedding [batch, dimension]",
                "get the bundle again",
            )
        self._length = shape[1] if isinstance(shape[1], int) else None
        self.longest = self._length
        self.dimension = int(out_shape[1])

    def embed(self, pieces: Sequence[bytes]) -> Embedded:
        """The graph's vectors, in the order of `pieces`.

        Raises ModelError for a piece longer than a graph of fixed length takes.
        """
        vectors = np.zeros((len(pieces), self.dimension), np.float32)
        longest = max(map(len, pieces), default=0)
        if longest > (self._length or longest):
            raise ModelError(
                f"a piece of {longest} bases, the encoder takes {self._length}",
                "its bundle must cut windows to that length",
            )
        order = sorted((i for i in range(len(pieces)) if pieces[i]), key=lambda i: len(pieces[i]))
        for length, group in groupby(order, key=lambda i: self._length or len(pieces[i])):
            rows = list(group)
            size = max(BASES_AT_ONCE // length, 1)
            for start in range(0, len(rows), size):
                batch = rows[start : start + size]
                codes = codes_of([pieces[i] for i in batch], length)
                (vectors[batch],) = self._session.run(["embedding"], {"codes": codes})
        return Embedded(vectors, np.array([bases(piece) for piece in pieces], np.int64))


def codes_of(pieces: Sequence[bytes], length: int) -> np.ndarray:
    """Pieces (A, C, G, T, N) of at most `length` bases as codes, uint8 [n, length]; shorter ones
    are filled up with N at the 5' end.
    """
    joined = bytearray().join(piece.rjust(length, b"N") for piece in pieces)
    return np.frombuffer(joined.translate(_CODES), np.uint8).reshape(len(pieces), length)


def from_settings(
    settings: Mapping[str, object], directory: Path, device: str = "cpu", precision: str = "auto"
) -> OnnxEncoder:
    """The graph `encoder.onnx` of a bundle's folder; it has no settings and runs in fp32."""
    check_settings(settings, {})
    return OnnxEncoder(directory / GRAPH, device)
