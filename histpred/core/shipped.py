"""The data shipped with histpred: inside an installed package, or in the checkout."""

from __future__ import annotations

from pathlib import Path

from histpred.core.errors import HistpredError

PACKAGE = Path(__file__).resolve().parent.parent

LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def demo_data() -> Path:
    """The folder of `genome.fa.gz`, `genes.gtf.gz` and `genes.bed`, which `histpred demo` reads."""
    # A wheel holds the second folder under the name of the first (pyproject.toml).
    for folder in (PACKAGE / "demo_data", PACKAGE.parent / "test-data" / "human-chr22-20M"):
        if folder.is_dir():
            return folder
    raise HistpredError(
        f"the data of the demo is neither in {PACKAGE} nor beside it",
        "this copy of histpred is incomplete: install it again",
    )
