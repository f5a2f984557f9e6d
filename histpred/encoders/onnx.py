"""An encoder graph that ships inside a bundle, run by onnxruntime.

`encoder.onnx` takes `codes`, uint8 [batch, length], where A C G T N are 0 to 4, and returns
`embedding`, float32 [batch, dimension]. With a free length, chunks of the same length form a batch.
With a fixed length, a shorter chunk is filled up with N at its 5' end: most short chunks are
windows clipped at the end of their contig, and most of a window lies upstream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from histpred.core.errors import BundleError, ModelError
from histpred.core.graph import GRAPH
from histpred.core.runtime import open_session, run_session
from histpred.encoders import Embedded, check_settings
from histpred.encoders.chunks import bases

BASES_AT_ONCE = 1 << 15  # of a batch; DeepHistone needs 10 kB a base, and more is not faster
_CODES = bytes.maketrans(b"ACGTN", bytes(range(5)))
_LETTERS = bytes.maketrans(bytes(range(5)), b"ACGTN")


class OnnxEncoder:
    """A graph as an encoder; a token is a base."""

    chunks_at_once = 512
    precision = "fp32"

    def __init__(self, path: Path, device: str) -> None:
        if not path.is_file():  # else onnxruntime would raise an exception of its own
            raise BundleError(f"{path} is missing", "get the bundle again")
        self._session, self.device = open_session(path, device)
        self.files = (path,)
        inputs = {value.name: (value.type, value.shape) for value in self._session.get_inputs()}
        outputs = {value.name: (value.type, value.shape) for value in self._session.get_outputs()}
        kind, shape = inputs.get("codes", ("", []))
        out_kind, out_shape = outputs.get("embedding", ("", []))
        kinds = kind, out_kind
        ranks = len(inputs), len(outputs), len(shape), len(out_shape)
        free = not any(isinstance(ends[0], int) for ends in (shape, out_shape) if ends)
        whole = out_shape[-1:] and isinstance(out_shape[-1], int)
        if (
            kinds != ("tensor(uint8)", "tensor(float)")
            or ranks != (1, 1, 2, 2)
            or not (free and whole)
        ):
            raise BundleError(
                f"{path}: takes {inputs} and returns {outputs}, not codes uint8 [batch, length] "
                "and embedding [batch, dimension]",
                "get the bundle again",
            )
        self.longest = shape[1] if isinstance(shape[1], int) else None
        self.dimension = int(out_shape[1])

    def embed(self, chunks: Sequence[bytes]) -> Embedded:
        """The graph's vectors, of the shape that was asked for at every call.

        Raises ModelError for another shape, and a chunk longer than a graph of fixed length takes.
        """
        vectors = np.zeros((len(chunks), self.dimension), np.float32)
        longest = max(map(len, chunks), default=0)
        if longest > (self.longest or longest):
            what = f"a chunk has {longest} bases, the encoder takes at most {self.longest}"
            raise ModelError(what, "its bundle must cut windows to that length")
        order = sorted((i for i in range(len(chunks)) if chunks[i]), key=lambda i: len(chunks[i]))
        for length, group in groupby(order, key=lambda i: self.longest or len(chunks[i])):
            rows = list(group)
            size = max(BASES_AT_ONCE // length, 1)
            for start in range(0, len(rows), size):
                batch = rows[start : start + size]
                codes = codes_of([chunks[i] for i in batch], length)
                vectors[batch] = run_session(
                    self._session,
                    self.files[0],
                    "embedding",
                    {"codes": codes},
                    (len(batch), self.dimension),
                )
        return Embedded(vectors, np.array([bases(chunk) for chunk in chunks], np.int64))


def codes_of(chunks: Sequence[bytes], length: int) -> np.ndarray:
    """Chunks (ACGTN) as codes, uint8 [n, length]; short ones are filled up with N at the 5' end."""
    joined = bytearray().join(chunk.rjust(length, b"N") for chunk in chunks)
    return np.frombuffer(joined.translate(_CODES), np.uint8).reshape(len(chunks), length)


def sequences_of(codes: np.ndarray) -> list[bytes]:
    """The bases of codes, uint8 [n, length]: the inverse of `codes_of`."""
    return [row.tobytes().translate(_LETTERS) for row in codes]


def from_settings(
    settings: Mapping[str, object], directory: Path, device: str = "cpu", precision: str = "auto"
) -> OnnxEncoder:
    """The graph `encoder.onnx` in a bundle's folder; it has no settings and runs in fp32."""
    check_settings(settings, {})
    return OnnxEncoder(directory / GRAPH, device)
