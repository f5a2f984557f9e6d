"""The sets of a split (train, validation, test), how a split is stored, and how it leaks.

A unit (a gene) is in one set with all its windows. Windows of different genes may still share
bases, and with 30 kb of upstream context many do; `leaks` counts them. Windows are those of
`histpred.labels.loci`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas

from histpred.core.errors import InputError, first_few
from histpred.core.text import agreeing, counted
from histpred.genome.bed import read_bed
from histpred.genome.lines import open_lines
from histpred.labels.loci import against_regions, overlapping
from histpred.labels.table import read_records

logger = logging.getLogger(__name__)

TRAIN, VALIDATION, TEST, UNUSED = "train", "validation", "test", "unused"
SETS = (TRAIN, VALIDATION, TEST)
RANDOM, CHROMOSOME, BLOCK, LOCUS = METHODS = ("random", "chromosome", "block", "locus")
LEAKY = "share bases with training windows"


def leaks(windows: pandas.DataFrame, sets: np.ndarray) -> dict[str, int]:
    """Count the test and validation windows that share a base with a training window."""
    touched = overlapping(windows, sets == TRAIN)
    return {name: int((touched & (sets == name)).sum()) for name in (TEST, VALIDATION)}


def warn_of_leaks(windows: pandas.DataFrame, sets: np.ndarray) -> str | None:
    """A warning for the user; None if nothing leaks."""
    found = []
    for name, count in leaks(windows, sets).items():
        if count:
            total = int((sets == name).sum())
            found.append(f"{count:,} of {total:,} {name} windows ({count / total:.0%})")
    if not found:
        return None
    return (
        f"{' and '.join(found)} {LEAKY}: figures on them flatter the "
        f"model. Split by {LOCUS}, {CHROMOSOME} or {BLOCK} for figures that hold on new genes"
    )


def in_several_sets(unit: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """True, bool [units], for units with windows in more than one set."""
    pairs = pandas.DataFrame({"unit": unit, "set": sets}).drop_duplicates()
    several: np.ndarray = np.bincount(pairs["unit"]) > 1
    return several


def write_split(
    path: Path, windows: pandas.DataFrame, units: Sequence[str], sets: np.ndarray
) -> None:
    """Write a split as a table, one row per window: id (of the unit), chrom, start, end, set."""
    places = (windows[name].tolist() for name in ("chrom", "start", "end"))
    rows = [("id", "chrom", "start", "end", "set"), *zip(units, *places, sets, strict=True)]
    text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    Path(path).write_text(text, "utf-8", newline="\n")


def read_split(path: str | Path) -> dict[str, str]:
    """The set of each unit in a table with the columns id and set (tab-separated; gzip or not).

    Raises InputError (file:line) for missing columns, unknown sets, and units in two sets.
    """
    found: dict[str, str] = {}
    for number, row in read_records(path, ("id", "set")):
        unit, name = row["id"], row["set"]
        _check_set(path, number, name, (*SETS, UNUSED))
        if found.setdefault(unit, name) != name:
            message = f"{unit} is in {name} here and in {found[unit]} before"
            hint = "assign each gene to one set, with all its windows"
            raise InputError(path, message, hint, number)
    return found


def sets_from_table(path: str, names: np.ndarray) -> np.ndarray:
    """The set of each unit [units], as `read_split` reads it; UNUSED for those not in the table."""
    found = read_split(path)
    known = set(names.tolist())
    used = [name for name, its_set in found.items() if its_set != UNUSED]
    if strange := [name for name in used if name not in known]:
        logger.warning(
            f"{len(strange)} of {counted(len(used), 'id')} of {path} "
            f"{agreeing(len(strange), 'has', 'have')} no window: "
            f"{first_few(strange)}"
        )
    if unnamed := [name for name in names if name not in found]:
        logger.warning(
            f"{len(unnamed)} of {counted(len(names), 'gene')} "
            f"{agreeing(len(unnamed), 'is', 'are')} not named in {path} and not used: "
            f"{first_few(unnamed)}"
        )
    return np.array([found.get(name, UNUSED) for name in names], dtype="<U10")


def sets_from_bed(path: str, windows: pandas.DataFrame, unit: np.ndarray) -> np.ndarray:
    """The set of each window [n], from a BED with the names train, validation and test.

    A unit gets a set if all its windows lie within regions of that set, and overlap no other's;
    other units are UNUSED. Regions of one set that touch or overlap are joined.
    """
    regions: dict[str, list[tuple[str, int, int]]] = {name: [] for name in SETS}
    with open_lines(path) as lines:
        for feature in read_bed(path, lines):
            _check_set(path, feature.line, feature.name, SETS)
            regions[feature.name].append((feature.chrom, feature.start, feature.end))
    strange = {row[0] for rows in regions.values() for row in rows} - set(windows["chrom"])
    if strange:
        names = first_few(sorted(strange))
        logger.warning(f"no window lies on {counted(len(strange), 'contig')} of {path}: {names}")

    sets = np.full(len(windows), UNUSED, dtype="<U10")
    touched = np.zeros(len(windows), int)
    for name, rows in regions.items():
        overlaps, inside = against_regions(windows, rows)
        touched += overlaps
        sets[inside] = name
    sets[touched > 1] = UNUSED
    outside = int((sets == UNUSED).sum())
    sets[in_several_sets(unit, sets)[unit]] = UNUSED
    if unused := int((sets == UNUSED).sum()):
        logger.warning(
            f"{unused} of {len(windows)} windows are not used: {outside} do not lie within regions "
            f"of one set of {path}, {unused - outside} belong to genes with such windows or with "
            "windows in several sets"
        )
    return sets


def _check_set(path: str | Path, line: int, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise InputError(path, f"unknown set {name!r}", f"use {', '.join(known)}", line)
