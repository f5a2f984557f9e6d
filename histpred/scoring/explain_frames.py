"""The tables of a finished explanation as DataFrames."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

from histpred.core.columns import NAMES
from histpred.core.finished import written
from histpred.scoring.explain_record import BASES, CONTRIBUTIONS, WINDOWS, ExplainRecord
from histpred.scoring.record import RUN

if TYPE_CHECKING:
    import pandas

TEXTS = (*NAMES, "window", "anchor", "mark", "ref", "alt")


def read_table(path: Path) -> pandas.DataFrame:
    """A table of an explanation; `start` and `end` are 0-based half-open."""
    import pandas

    types = dict.fromkeys(TEXTS, "str") | dict.fromkeys(("start", "end"), "int64")
    types |= dict.fromkeys(("n_fraction", "known_fraction"), "float64")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        head = next(lines)
        while head.startswith("##"):
            head = next(lines)
        names = head.removeprefix("#").rstrip("\n").split("\t")
        kinds = {name: types.get(name, "float64") for name in names}
        return pandas.read_csv(
            lines, sep="\t", names=names, dtype=kinds, keep_default_na=False, quoting=3
        )


def read_explanation(folder: Path) -> tuple[pandas.DataFrame, pandas.DataFrame | None]:
    """The contributions and, if bases were replaced, the effects; see `histpred.explain`."""
    run = written(folder / RUN, ExplainRecord)
    contributions = read_table(folder / CONTRIBUTIONS)
    contributions.attrs = {
        "bundle": run.identity.bundle,
        "scales": dict(run.result.scales),
        "windows": read_table(folder / WINDOWS).to_dict("records"),
        "warnings": [*run.result.warnings],
    }
    path = folder / BASES
    effects = read_table(path) if path.exists() else None
    return contributions, effects
