"""What a finished explanation holds, as its page needs it: windows, profile, and annotation."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.core.columns import NA
from histpred.reports.surroundings import Feature, features_of
from histpred.scoring.explain_frames import read_table
from histpred.scoring.explain_record import BASES, CONTRIBUTIONS, WINDOWS, ExplainRecord
from histpred.scoring.profile import ALL, PROFILE

FEW = 12  # up to this many windows, each is drawn


class Contributions(NamedTuple):
    """What the stretches of a window contribute.

    name: in the tables. contig, start, end: 0-based half-open, of all that is drawn. strand: that
    of the window. anchor: position of the TSS; None if it is not known. own: its probabilities,
    [marks]. stretches: [n, 2]. values: [n, marks]. bases: position, REF and ALT; effects: [bases,
    marks]. features: rows of the annotation.
    """

    name: str
    contig: str
    start: int
    end: int
    strand: str
    anchor: int | None
    own: np.ndarray
    stretches: np.ndarray
    values: np.ndarray
    bases: list[tuple[int, str, str]]
    effects: np.ndarray
    features: list[Feature]


def few_windows(folder: Path, run: ExplainRecord) -> list[Contributions]:
    """The windows of an explanation, if there are at most `FEW`; none if there are more."""
    if run.result.explained > FEW:
        return []
    marks = run.identity.marks
    rows = read_table(folder / WINDOWS)
    with _lines(folder / CONTRIBUTIONS) as lines:
        places, values = _by_window(lines, len(marks), 2)
    substituted: dict[str, list[tuple[str, ...]]] = {}
    effects: dict[str, np.ndarray] = {}
    if (folder / BASES).exists():
        with _lines(folder / BASES) as lines:
            substituted, effects = _by_window(lines, len(marks), 4)
    found = []
    for row in rows.itertuples(index=False):
        name = row.window
        stretches = np.array(places.get(name, []), int).reshape(-1, 2)
        bases = [(int(place), ref, alt) for place, _, ref, alt in substituted.get(name, [])]
        start = min([row.start, *stretches[:, 0].tolist()])
        end = max([row.end, *stretches[:, 1].tolist()])
        features = features_of(folder, run.fasta.renamed, [(row.chrom, start, end)])
        found.append(
            Contributions(
                *(name, row.chrom, start, end, row.strand),
                None if row.anchor == NA else int(row.anchor),
                np.array(row[-len(marks) :], float),
                stretches,
                values.get(name, np.empty((0, len(marks)))),
                bases,
                effects.get(name, np.empty((0, len(marks)))),
                features,
            )
        )
    return found


def read_profile(folder: Path) -> pandas.DataFrame:
    """The profile of an explanation; intervals that are NA are NaN."""
    types = {"biotype": str, "mark": str}
    return pandas.read_csv(
        folder / PROFILE,
        sep="\t",
        dtype=types,
        keep_default_na=False,
        na_values={name: [NA] for name in ("low", "high", "strength_low", "strength_high")},
        quoting=3,
    )


def largest_biotypes(profile: pandas.DataFrame, most: int) -> list[str]:
    """The biotypes with most windows."""
    counts = profile[profile["biotype"] != ALL].groupby("biotype")["windows"].max()
    return [*counts.sort_values(ascending=False, kind="stable").index[:most]]


@contextmanager
def _lines(path: Path) -> Iterator[Iterator[list[str]]]:
    """The fields of the rows of a table."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield (line.rstrip("\n").split("\t") for line in lines if not line.startswith("#"))


def _by_window(
    lines: Iterator[list[str]], marks: int, keys: int
) -> tuple[dict[str, list[tuple[str, ...]]], dict[str, np.ndarray]]:
    """What the values of each window stand for, and the values, [n, marks].

    keys: 2 for a stretch, 4 for a substitution.
    """
    places: dict[str, list[tuple[str, ...]]] = {}
    values: dict[str, list[float]] = {}
    for _, start, end, window, _, *rest in lines:
        found = values.setdefault(window, [])
        if len(found) % marks == 0:
            places.setdefault(window, []).append((start, end, *rest[:-1])[:keys])
        found.append(float(rest[-1]))
    return places, {name: np.array(found).reshape(-1, marks) for name, found in values.items()}
