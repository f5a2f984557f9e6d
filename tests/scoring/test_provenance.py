"""What records say of how an output was made."""

from __future__ import annotations

import hashlib
import importlib.metadata
from datetime import UTC, datetime

from histpred.scoring import provenance
from histpred.scoring.provenance import AnnotationRecord, EncoderRecord, FastaRecord, Tools

INPUTS = (
    AnnotationRecord(path="genes.gtf", format="GTF", genome_build=None),
    FastaRecord(path="genome.fa", contigs=1, bases=10, renamed={}),
)
ENCODER = EncoderRecord(device="cpu", precision="fp32", chunks=None, files={})


def test_files_that_are_there_are_listed_with_their_digests(tmp_path):
    (tmp_path / "scores.tsv.gz").write_bytes(b"scores")
    (tmp_path / "other").write_bytes(b"of nobody")
    names = ("scores.tsv.gz", "scores.tsv.gz.csi")
    tools = Tools(ENCODER, {"numpy": "2"})
    found = provenance.provenance(tmp_path, names, 0.0, INPUTS, tools)
    digest = hashlib.sha256(b"scores").hexdigest()
    file = provenance.OutputFile(bytes=6, sha256=digest)
    assert found["outputs"] == {"scores.tsv.gz": file}
    assert datetime.fromisoformat(found["started"]) == datetime(1970, 1, 1, tzinfo=UTC)
    assert found["seconds"] > 1e9
    assert (found["annotation"], found["fasta"], found["encoder"]) == (*INPUTS, ENCODER)
    assert found["versions"] == {"numpy": "2"}


def test_the_version_of_onnxruntime_is_told_whatever_package_it_came_as(monkeypatch):
    def only_gpu(name: str) -> str:
        if name == "onnxruntime":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(provenance, "version", only_gpu)
    assert provenance.versions()["onnxruntime"][0].isdigit()
