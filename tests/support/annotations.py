"""Small annotations written by hand, and histpred's reading of them."""

from __future__ import annotations

from pathlib import Path

from histpred.genome.annotation import open_annotation
from histpred.genome.regions import Feature


def tabbed(text: str, columns: int = 9) -> str:
    """Turn rows written with spaces into a table with tabs. The last column keeps its spaces."""
    rows = (line.strip() for line in text.strip().splitlines())
    return "".join(
        (row if row.startswith(("#", ">")) else "\t".join(row.split(None, columns - 1))) + "\n"
        for row in rows
    )


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def features(
    path: Path, kind: str = "body", level: str | None = None, biotypes: tuple[str, ...] = ()
) -> list[Feature]:
    """Return all features of an annotation file, sorted."""
    with open_annotation(path, path.parent, kind, level, biotypes) as annotation:
        return sorted(annotation)
