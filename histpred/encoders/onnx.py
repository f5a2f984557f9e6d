"""An encoder graph that ships inside a bundle, run by onnxruntime.

`encoder.onnx` takes `codes`, uint8 [batch, length]: A C G T N are 0 to 4; it gives `embedding`,
float32 [batch, dimension]. The length is either fixed or a free dimension. Pieces of one length go
together, so that nothing is padded.
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
BASES_AT_ONCE = 1 << 19  # of a batch
_CODES = bytes.maketrans(b"ACGTN", bytes(range(5)))


class OnnxEncoder:
    """A graph as an encoder; a token is a base."""

    pieces_at_once = 512
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

        Raises ModelError for a piece of another length than a graph of fixed length takes.
        """
        vectors = np.zeros((len(pieces), self.dimension), np.float32)
        order = sorted(range(len(pieces)), key=lambda i: len(pieces[i]))
        for length, group in groupby(order, key=lambda i: len(pieces[i])):
            rows = list(group)
            if not length:
                continue
            if length != (self._length or length):
                raise ModelError(
                    f"a piece of {length} bases, the encoder takes {self._length}",
                    "its bundle must cut windows to that length",
                )
            size = max(BASES_AT_ONCE // length, 1)
            for start in range(0, len(rows), size):
                batch = rows[start : start + size]
                joined = b"".join(pieces[i] for i in batch).translate(_CODES)
                codes = np.frombuffer(joined, np.uint8).reshape(len(batch), length)
                (vectors[batch],) = self._session.run(["embedding"], {"codes": codes})
        return Embedded(vectors, np.array([bases(piece) for piece in pieces], np.int64))


def from_settings(
    settings: Mapping[str, object], directory: Path, device: str = "cpu", precision: str = "auto"
) -> OnnxEncoder:
    """The graph `encoder.onnx` of a bundle's folder; it has no settings and runs in fp32."""
    check_settings(settings, {})
    return OnnxEncoder(directory / GRAPH, device)
