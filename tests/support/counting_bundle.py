"""A bundle whose answers are known: it counts one word of four letters, in bins of 20 bp.

It reads 200 bp to each side of the TSS. With n words and their reverse complements in its bins, the
raw scores of its marks are n/2, -n, n and 0. The calibration of the first has slope 2 and intercept
-1, that of the third has steps, and the last mark is not predicted.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from histpred.bundle.folder import Bundle
from histpred.bundle.manifest import EncoderSpec, Manifest
from histpred.bundle.publish import write_bundle
from support.kmers import all_words

WORD = "GATC"
MARKS = ("H3K4me3", "H3K27me3", "H3K9me3", "H3K27ac")
PER_WORD = (0.5, -1.0, 1.0, 0.0)
SLOPE, INTERCEPT = 2.0, -1.0
BIN, REACH = 20, 200
STEPS = {"logits": (0.0, 5.0), "probabilities": (0.1, 0.9), "method": "isotonic"}
SPECIFICATIONS = (
    {
        "name": "H3K4me3",
        "threshold": 0.5,
        "calibration": {"slope": SLOPE, "intercept": INTERCEPT},
    },
    {"name": "H3K27me3", "threshold": 0.5},
    {"name": "H3K9me3", "threshold": 0.5, "calibration": STEPS},
    {"name": "H3K27ac", "threshold": 1, "unpredicted": "too few genes carry it"},
)


def counting_bundle(folder: Path) -> Bundle:
    """Write the bundle into `folder`."""
    words = canonical_words()
    is_word = np.array([[float(word == WORD.encode())] for word in words], np.float32)
    width = len(words) + 1
    weights = np.zeros((width, len(MARKS)), np.float32)
    weights[0] = PER_WORD  # units come first, then the counts
    others = {
        "bins.onnx": model(("MatMul", "counts", "units"), is_word, [len(words)], [1]),
        "heads.onnx": model(("Flatten", "sums", "embedding"), None, [1, width], [width]),
    }
    scorer = model(("MatMul", "embedding", "logits"), weights, [width], [len(MARKS)])
    sequence = "A" * 2 * REACH
    answers = {"H3K4me3": 1 / (1 + math.exp(-INTERCEPT)), "H3K27me3": 0.5, "H3K9me3": 0.1}
    settings = {"bin_length": BIN, "stretches": [[-REACH, REACH]], "both_strands": True}
    manifest = Manifest(
        schema_version="1.6",
        name="counting",
        version="0.0.0",
        summary=f"counts {WORD}: its scores mean nothing",
        licence="MIT",
        species={"name": "Homo sapiens", "taxon_id": 9606, "assembly": "hg19"},
        window={
            "kind": "promoter",
            "upstream": REACH,
            "downstream": REACH,
            "max_n_fraction": 0.9,
            "whole": True,
        },
        encoder=EncoderSpec(kind="spectra", settings=settings, dimension=width),
        marks=SPECIFICATIONS,
        files={},
        training={"data": ["none"], "splits": {}, "seed": 0, "counts": {}},
        metrics={},
        known_answer={"sequence": sequence, "probabilities": answers},
    )
    return write_bundle(folder, manifest, scorer, "Counts.", others)


def canonical_words() -> list[bytes]:
    """The words of four letters, of a word and its reverse complement the first, in order."""
    complement = bytes.maketrans(b"ACGT", b"TGCA")
    return [word for word in all_words(4) if word <= word.translate(complement)[::-1]]


def model(
    node: tuple[str, str, str], weights: np.ndarray | None, taken: list[int], given: list[int]
) -> bytes:
    """A graph of one node: its operator, its input and its output."""
    operator, first, last = node
    inputs = [first] + (["weights"] if weights is not None else [])
    graph = helper.make_graph(
        [helper.make_node(operator, inputs, [last])],
        "graph",
        [helper.make_tensor_value_info(first, TensorProto.FLOAT, ["n", *taken])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["n", *given])],
        [numpy_helper.from_array(weights, "weights")] if weights is not None else [],
    )
    made = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="test"
    )
    if last == "logits":
        onnx.helper.set_model_props(made, {"histpred.marks": json.dumps(MARKS)})
    content: bytes = made.SerializeToString()
    return content


def words_in(sequence: str) -> int:
    """The words in a sequence of whole bins; GATC is its own reverse complement."""
    bins = [sequence[start : start + BIN] for start in range(0, len(sequence), BIN)]
    return sum(one[at:].startswith(WORD) for one in bins for at in range(len(one)))
