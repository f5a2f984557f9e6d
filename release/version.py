"""Check that every file names the version of histpred/core/version.py, or set a new one everywhere.

    release/version.py            # the places that differ; exit code 1 if there are any
    release/version.py 1.0.0      # writes 1.0.0 at each place

Python reads the version from one file. Files that are not Python repeat it: an image has its tag
before anything is installed. This table is the list of those files.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = "histpred/core/version.py"
VERSION = r"(\d+\.\d+\.\d+)"
IMAGE = rf"\bhistpred[:-]{VERSION}\b"

PLACES = {
    SOURCE: rf'__version__ = "{VERSION}"',
    "CITATION.cff": rf"^version: {VERSION}",
    ".zenodo.json": rf'"version": "{VERSION}"',
    "containers/Dockerfile": rf"(?:ARG VERSION=|\bhistpred:){VERSION}",
    "containers/README.md": IMAGE,
    "containers/apptainer.def": rf"(?:\bVersion |\bhistpred:){VERSION}",
    "docs/pipeline.md": IMAGE,
    "docs/tutorials/cluster.md": IMAGE,
    "nextflow.config": rf"version +=\s*'{VERSION}'",
    "nextflow/conda/histpred-train.yml": rf"- histpred={VERSION}",
    "nextflow/conda/histpred.yml": rf"- histpred={VERSION}",
    "recipes/recipe.yaml": rf'version: "{VERSION}"',
}
"""File -> how it names the version; the group is the version."""


def current(root: Path = ROOT) -> str:
    """The version that Python sees."""
    found = re.search(PLACES[SOURCE], (root / SOURCE).read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit(f"{root / SOURCE}: no line {PLACES[SOURCE]}")
    return found[1]


def named(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """File and version, for each place; '' for a file that names none."""
    for name, pattern in PLACES.items():
        found = re.findall(pattern, (root / name).read_text(encoding="utf-8"), re.MULTILINE)
        yield from ((name, version) for version in found or [""])


def different(root: Path = ROOT) -> list[str]:
    """The places that name another version, as 'FILE: VERSION'."""
    wanted = current(root)
    return [f"{name}: {found or 'none'}" for name, found in named(root) if found != wanted]


def write(version: str, root: Path = ROOT) -> None:
    """Name `version` at each place."""
    if not re.fullmatch(VERSION, version):
        raise SystemExit(f"{version}: not a version such as 1.0.0")
    for name, pattern in PLACES.items():
        path = root / name
        text = path.read_text(encoding="utf-8")
        path.write_text(
            re.sub(pattern, lambda found: found[0].replace(found[1], version), text, flags=re.M),
            encoding="utf-8",
        )


def main(arguments: list[str]) -> int:
    if arguments:
        write(arguments[0])
    wrong = different()
    print(f"version {current()}" + "".join(f"\n  differs: {line}" for line in wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
