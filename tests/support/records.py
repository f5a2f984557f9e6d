"""Records: a run.json as predict writes it, and that of parts beside that of one run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def run_json(folder: Path, names: tuple[str, ...], windows: int) -> None:
    """Write run.json for the files `names` in `folder`, of so many scored windows."""
    record = {
        "schema_version": "1.0",
        "identity": {
            "histpred": "0",
            "annotation sha256": "a",
            "FASTA sha256": "f",
            "bundle": "b 1 c",
            "window": ["promoter", 100, 100, 0.5, False, 0, 0],
            "by": "gene",
            "biotypes": [],
            "unstranded": False,
            "precision": "auto",
        },
        "result": {
            "rows": windows,
            "scored": windows,
            "calls": 0,
            "skipped": {},
            "past_end": 0,
            "warnings": [],
            "device": "cpu",
            "fresh": True,
            "embedded": windows,
            "reused": 0,
        },
        "annotation": {"path": "genes.bed", "format": "BED6", "genome_build": None},
        "fasta": {"path": "genome.fa", "contigs": 1, "bases": 1000, "renamed": {}},
        "encoder": {"device": "cpu", "precision": "fp32", "chunks": None, "files": {}},
        "versions": {"python": "3.11"},
        "started": "2026-01-01T00:00:00+00:00",
        "seconds": 1.0,
        "outputs": {
            name: {
                "bytes": (folder / name).stat().st_size,
                "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
            }
            for name in names
        },
    }
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")


def assert_recorded_like(record: str, out: Path, plain: Path) -> tuple[list[dict], dict]:
    """The record of gathered parts is that of one run, but for times and what is counted in parts.

    Returns the parts, and the result of the one run.
    """
    found, expected = (json.loads((folder / record).read_text()) for folder in (out, plain))
    for one in (found, expected):
        for name in ("started", "seconds"):
            one.pop(name)
        for name in ("embedded", "reused"):
            one["result"].pop(name)
    parts = found.pop("parts")
    assert found == expected
    return parts, expected["result"]
