"""A bundle's scorer: embeddings to calibrated probabilities of all marks, with onnxruntime.

Rows are scored in blocks of a fixed size, the last one padded with zeros. So memory stays flat, and
the probabilities of a row do not depend on the other rows of the caller's batch.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from histpred.bundle.folder import Bundle
from histpred.bundle.manifest import IntervalOutput
from histpred.bundle.outputs import encoder_for
from histpred.bundle.probability import probabilities_of
from histpred.core.errors import BundleError, ModelError
from histpred.core.runtime import open_session, run_session
from histpred.core.strict_json import parse
from histpred.genome.regions import Window

if TYPE_CHECKING:
    import onnxruntime
    from google.protobuf.message import Message

BLOCK = 256  # rows; large enough to keep all cores busy


class NotFiniteError(ModelError):
    """An embedding or a score is NaN or infinite; `row` is the first such row of the batch."""

    def __init__(self, what: str, rows: np.ndarray, total: int) -> None:
        self.row = int(rows[0])
        super().__init__(
            f"the {what} of row {self.row} is NaN or infinite ({len(rows)} of {total} rows)",
            "an encoder or a bundle is broken: check it with 'histpred bundle verify'",
        )

    def in_window(self, window: Window) -> ModelError:
        """The error of the window that the row stands for."""
        return not_finite(window, self.hint)


def not_finite(window: Window, hint: str) -> ModelError:
    """The error for a window whose vector or scores are not finite."""
    where = f"{window.name} ({window.chrom}:{window.start}-{window.end})"
    return ModelError(f"{where} gave NaN or infinity", hint)


class Scorer:
    """An open scorer. A context manager, because it holds threads and device memory.

    `device`: 'cpu', 'cuda', 'cuda:N' or 'auto' (CUDA if available, else the CPU). `threads`: of the
    CPU; None: the cores that this process may use. `interval`: the bundle's output for intervals;
    None: the output for the bundle's own windows. `only`: the marks to score; empty: all.

    The attribute `device` is the one in use, 'cpu' or 'cuda:N'; `marks` are the names of the
    columns of `probabilities`.
    """

    def __init__(
        self,
        bundle: Bundle,
        device: str = "auto",
        threads: int | None = None,
        interval: IntervalOutput | None = None,
        only: Collection[str] = (),
    ) -> None:
        path = self._path = bundle.directory / interval.scorer if interval else bundle.scorer_path
        self._session, self.device = open_session(path, device, threads)
        marks = (interval or bundle.manifest).marks
        every = tuple(mark.name for mark in marks)
        self._dimension = encoder_for(bundle.manifest, interval).dimension
        _check_fits(path, self._session, every, self._dimension)
        kept = [i for i, name in enumerate(every) if not only or name in only]
        if len(kept) < len(every):
            self._session, _ = open_session(path, device, threads, partial(_keep, kept))
        self._width = int(self._session.get_outputs()[0].shape[1])
        self._columns = kept if self._width == len(every) else list(range(len(kept)))
        self.marks = tuple(every[i] for i in kept)
        self._calibrations = [marks[i].calibration for i in kept]
        self._unpredicted = [bool(marks[i].unpredicted) for i in kept]

    def __enter__(self) -> Scorer:
        return self

    def __exit__(self, *raised: object) -> None:
        del self._session

    def probabilities(self, embeddings: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, float64 [n, marks], of embeddings, float32 [n, dimension].

        They are NaN for marks that the bundle does not predict. Raises NotFiniteError if an
        embedding or a logit is NaN or infinite, and ModelError if the embeddings have another
        shape.
        """
        return self.calibrated(self.logits(embeddings))

    def calibrated(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, float64 [n, marks], of `logits`; see `probabilities`."""
        probabilities = probabilities_of(logits, self._calibrations)
        probabilities[:, self._unpredicted] = np.nan
        return probabilities

    def logits(self, embeddings: np.ndarray) -> np.ndarray:
        """Logits before calibration, float32 [n, marks]; see `probabilities`."""
        if embeddings.ndim != 2 or embeddings.shape[1] != self._dimension:
            raise ModelError(
                f"embeddings of shape {embeddings.shape}, the scorer takes [n, {self._dimension}]"
            )
        _check_finite(embeddings, "embedding")

        logits = np.empty((len(embeddings), len(self.marks)), np.float32)
        block = np.zeros((BLOCK, self._dimension), np.float32)
        shape = BLOCK, self._width
        for start in range(0, len(embeddings), BLOCK):
            rows = embeddings[start : start + BLOCK]
            block[: len(rows)] = rows
            block[len(rows) :] = 0
            given = {"embedding": block}
            scored = run_session(self._session, self._path, "logits", given, shape)
            logits[start : start + BLOCK] = scored[: len(rows), self._columns]
        _check_finite(logits, "score")
        return logits


def _check_fits(
    path: Path, session: onnxruntime.InferenceSession, names: tuple[str, ...], dimension: int
) -> None:
    """Raise BundleError unless the scorer in `path` is the one that bundle.json describes."""
    written = session.get_modelmeta().custom_metadata_map.get("histpred.marks", "[]")
    try:
        marks = parse(written)
    except ValueError:
        marks = None
    if marks != list(names):
        known = marks if isinstance(marks, list) else []
        found = ", ".join(map(str, known)) or "(unnamed)"
        problem = f"{path}: scores the marks {found}, bundle.json says {', '.join(names)}"
        raise BundleError(problem, "get the bundle again")

    values = [*session.get_inputs(), *session.get_outputs()]
    shapes = {value.name: (value.type, value.shape) for value in values}
    widths = {
        name: shape[1] if kind == "tensor(float)" and len(shape) == 2 else shape
        for name, (kind, shape) in shapes.items()
    }
    expected = {"embedding": dimension, "logits": len(names)}
    if len(values) != len(expected) or widths != expected:
        problem = f"{path}: takes and gives {shapes}, bundle.json says {expected}"
        raise BundleError(problem, "get the bundle again")


def _keep(kept: list[int], model: Message) -> None:
    """Leave only the marks of these numbers in a graph of histpred; others are not changed.

    The marks of genes that are scored from all marks of several places stay, too.
    """
    (given,) = (end for end in model.graph.output if end.name == b"logits")
    width = given.type.tensor_type.shape.dim[1]
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    if b"places_shape" in tensors:
        return
    # As `histpred.training.export` names them.
    axes = {b"mark_part": 1} if b"mark_part" in tensors else {b"weight": 0, b"bias": 0}
    of_marks = [(tensors[name], axis) for name, axis in axes.items() if name in tensors]
    sizes = [tensor.dims[axis] for tensor, axis in of_marks]
    if model.producer_name != b"histpred" or sizes != [width.dim_value] * len(axes):
        return
    for tensor, axis in of_marks:
        values = np.frombuffer(tensor.raw_data, np.float32).reshape(tensor.dims)
        tensor.raw_data = values.take(kept, axis).tobytes()
        tensor.dims[axis] = len(kept)
    if b"mark_part" in tensors:
        tensors[b"logits_shape"].raw_data = np.array([-1, len(kept)]).tobytes()
    width.dim_value = len(kept)


def _check_finite(values: np.ndarray, what: str) -> None:
    rows = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if rows.size:
        raise NotFiniteError(what, rows, len(values))
