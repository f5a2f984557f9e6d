"""Published encoders that histpred can load: their kinds, files, digests and folders.

Digests and sizes belong to the pinned revision of the repository at Hugging Face; None if unknown.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from histpred.core.errors import UsageError
from histpred.core.spelling import did_you_mean
from histpred.encoders import ENCODERS

if TYPE_CHECKING:
    from pydantic import JsonValue

FOLDER_VARIABLE = "HISTPRED_ENCODERS"


class File(NamedTuple):
    name: str
    sha256: str | None = None
    size: int | None = None  # bytes


class Published(NamedTuple):
    """A published encoder. Chunk length (bp) and window are its defaults."""

    name: str
    kind: str
    dimension: int
    chunk_length: int
    repository: str
    files: tuple[File, ...]
    licence: str
    note: str
    window: str = "context"
    settings: Mapping[str, JsonValue] = {}
    revision: str | None = None  # a commit of `repository`, None if not pinned

    @property
    def published(self) -> str:
        """Its name, as encoder specs have it."""
        return self.name

    def url(self, file: File) -> str:
        revision = self.revision or "main"
        return f"https://huggingface.co/{self.repository}/resolve/{revision}/{file.name}"


def listed(text: str) -> tuple[File, ...]:
    """Files from lines of sha256, size in bytes and name."""
    rows = map(str.split, text.strip().splitlines())
    return tuple(File(name, sha256, int(size)) for sha256, size, name in rows)


CONFIG = File("config.json")

PUBLISHED = (
    Published(
        name="dnabert2",
        kind="dnabert2",
        dimension=768,
        chunk_length=2000,
        repository="zhihan1996/DNABERT-2-117M",
        revision="d064dece8a8b41d9fb8729fbe3435278786931f1",
        files=listed(
            """
  7ff39ec77a484dd01070a41bfd6e95cdd7247bec80fe357ab43a4be33687aeba 468354983 pytorch_model.bin
  ba9bdafaff0cc3e30556927474d4a179519a9864012bed2628e9f1bc23c84bfd       904 config.json
  5d178e8ce2ba55df97fff197f4b30f40133b95d7096be398c2df6b526c5d8cd3    167908 tokenizer.json
"""
        ),
        licence="Apache-2.0",
        note="the paper's encoder of DNA: 117 M parameters, 135 species",
    ),
    Published(
        name="dnabert-s",
        kind="dnabert2",
        dimension=768,
        chunk_length=2000,
        repository="zhihan1996/DNABERT-S",
        revision="00e47f96cdea35e4b6f5df89e5419cbe47d490c6",
        files=listed(
            """
  f3cfc3d0541859df64759e758cc4bc40fe1d5760799a7d098a9f9f09501c1e5f 468320053 pytorch_model.bin
  d54c142114563aa34ef7c2b54ccc921d08e50cd7c3cd69c439d5e0d2bbcfcdee      1025 config.json
  667f5a0e6e9630f7052b004784dda7c7aeba395cc4ca3c01b11b02e6aa29d7b1    168203 tokenizer.json
"""
        ),
        licence="Apache-2.0",
        note="DNABERT-2 trained further to tell species apart, 117 M parameters",
    ),
    Published(
        name="rnafm",
        kind="rnafm",
        dimension=640,
        window="spliced",
        chunk_length=1000,
        repository="cuhkaih/rnafm",
        revision="91d4a46d28d8054a7b429955e8fc0c253ba0afd6",
        files=listed(
            """
  5b5d7d87b37c291ef42c140ef9edf7aea29f255fa2a4fd435f776c52e93d5e99 1194424423 RNA-FM_pretrained.pth
"""
        ),
        licence="MIT (code), Apache-2.0 (weights)",
        note="the paper's encoder of RNA: 99 M parameters, non-coding RNA",
    ),
    Published(
        name="rnafm-multimolecule",
        kind="rnafm",
        dimension=640,
        window="spliced",
        chunk_length=1000,
        repository="multimolecule/rnafm",
        revision="7d6e73ad3b48e042b378f9a788a56ccb4d573a27",
        files=(File("model.safetensors"),),
        licence="AGPL-3.0",
        note="RNA-FM as safetensors, a third of the size",
    ),
    Published(
        name="grover",
        kind="hf",
        dimension=768,
        chunk_length=1000,
        repository="PoetschLab/GROVER",
        revision="6b223110f0d6963e849f55bc2a2f3cff0e38c7a4",
        files=listed(
            """
  81fa4ee056e65ff1c06c32512589f3ba3bcb9d054960f35f634b9cf6da7aadda 348488361 pytorch_model.bin
  de60db6f5cb476d9f38630517abec87803e32a87672ace7946b5cf82f68ac5de      1109 config.json
  86b51bd8ecfc52cdc04f9f6787a2bd64fc5784709e7fd988b82d2e97348f9afd     24637 tokenizer.json
"""
        ),
        licence="not stated",
        note="human DNA, byte-pair tokens, 87 M parameters",
    ),
    Published(
        name="nucleotide-transformer-500m-human",
        kind="hf",
        dimension=1280,
        chunk_length=900,
        repository="InstaDeepAI/nucleotide-transformer-500m-human-ref",
        files=(
            *listed(
                """
  971cb721bd8cc8134d3665b5d94b195fffb18a1480ad5925d6dcc9290bf1c17f 1942934337 pytorch_model.bin
"""
            ),
            CONFIG,
            File("vocab.txt"),
            File("tokenizer_config.json"),
        ),
        licence="CC-BY-NC-SA-4.0",
        note="human DNA, 6-mers, 480 M parameters; not for commercial use",
    ),
    Published(
        name="moderngena-base",
        kind="hf",
        dimension=768,
        chunk_length=4000,
        repository="AIRI-Institute/moderngena-base",
        files=(File("model.safetensors"), CONFIG, File("tokenizer.json")),
        licence="not stated",
        note="vertebrate DNA around transcription starts, byte-pair tokens",
    ),
    Published(
        name="rnaernie",
        kind="hf",
        settings={"alphabet": "rna", "spaced": True},
        dimension=768,
        window="spliced",
        chunk_length=500,
        repository="LLM-EDA/RNAErnie",
        files=(File("model.safetensors"), CONFIG, File("vocab.txt")),
        licence="Apache-2.0",
        note="non-coding RNA, 87 M parameters",
    ),
)


def find(name: str) -> Published:
    """The published encoder of this name; UsageError listing the names for an unknown one."""
    for encoder in PUBLISHED:
        if encoder.name == name:
            return encoder
    names = [encoder.name for encoder in PUBLISHED]
    hint = did_you_mean([name], [*names, *ENCODERS], f"there are {', '.join(names)}")
    raise UsageError(f"{name!r}: no such encoder", hint)


def is_published(name: str) -> bool:
    """Return True if a published encoder has this name."""
    return any(encoder.name == name for encoder in PUBLISHED)


def default_folder(name: str) -> Path:
    """The folder of `histpred encoders get`: in $HISTPRED_ENCODERS, else in the user's data."""
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        return Path(given) / name
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "histpred" / "encoders" / name
