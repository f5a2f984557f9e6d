"""Where the data that ships with histpred is: inside an installed package, or in the checkout."""

from __future__ import annotations

from pathlib import Path

from histpred.core.errors import HistpredError

PACKAGE = Path(__file__).resolve().parent.parent

LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def demo_data() -> Path:
    """The folder with `genome.fa.gz`, `genes.gtf.gz` and `genes.bed` that `histpred demo` reads."""
    # pyproject.toml puts the second into a wheel as the first.
    for folder in (PACKAGE / "demo_data", PACKAGE.parent / "test-data" / "human-chr22-20M"):
        if folder.is_dir():
            return folder
    raise HistpredError(
        f"the demo's data is neither in {PACKAGE} nor beside it",
        "this copy of histpred is incomplete: install it again",
    )
