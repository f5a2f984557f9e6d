from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from histpred.bundle.folder import load_bundle

MARKS = ("H3K4me3", "H3K27me3")
NETWORK = load_bundle("yeast").scorer_path.read_bytes()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def manifest_fields(files: dict[str, bytes]) -> dict:
    figures = {"auroc": 0.8, "auprc": 0.3, "ece": 0.01}
    return {
        "schema_version": "1.0",
        "name": "tiny",
        "version": "1.0.0",
        "summary": "a bundle for tests",
        "licence": "MIT",
        "species": {
            "name": "Saccharomyces cerevisiae",
            "taxon_id": 4932,
            "assembly": "sacCer3",
            "chromosome_lengths": {"sacCer3": [230218, 813184]},
        },
        "window": {"kind": "promoter", "upstream": 100, "downstream": 50, "max_n_fraction": 0.5},
        "encoder": {"kind": "kmer", "settings": {"k": [1]}, "dimension": 2},
        "marks": [
            {"name": mark, "threshold": 0.5, "calibration": {"slope": 1.0, "intercept": 0.0}}
            for mark in MARKS
        ],
        "files": {name: sha256(content) for name, content in files.items()},
        "training": {"data": ["none"], "splits": {}, "seed": 0, "counts": {}},
        "metrics": {
            "validation": {
                "description": "made up",
                "windows": 10,
                "marks": {
                    mark: {
                        "positives": 2,
                        "prevalence": 0.2,
                        "model": figures,
                        "baselines": {"GC": {"auroc": 0.6, "auprc": 0.25}},
                    }
                    for mark in MARKS
                },
            }
        },
        "known_answer": {"sequence": "ACGTN", "probabilities": dict.fromkeys(MARKS, 0.5)},
    }


@pytest.fixture
def bundle_folder(tmp_path) -> Path:
    """A bundle that is whole as far as files and manifest go; its scorer.onnx is of another."""
    files = {"scorer.onnx": NETWORK, "card.md": b"# tiny\n"}
    folder = tmp_path / "tiny"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "bundle.json").write_text(json.dumps(manifest_fields(files)))
    return folder
