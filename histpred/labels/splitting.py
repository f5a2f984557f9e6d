"""Splits windows into training, validation and test sets.

- 'random': 10 % of the units test, 10 % of the rest validate (paper, 2.1).
- 'chromosome': whole chromosomes. Those that are not named are drawn so that test and validation
  come near 10 % of the windows each. A unit on chromosomes of different sets is unused.
- 'block': stretches of a fixed length, counted from the start of each chromosome, drawn likewise. A
  unit goes where the middle of its first window lies. Then units with a training window that
  overlaps a window of validation or test are unused, and so are units with a validation window that
  overlaps one of test.
- 'locus': groups of units whose windows overlap, directly or through others, drawn likewise. Groups
  that are large against 10 % of the windows train. No two windows of different sets share a base.
- a path: a table with the columns id (of a unit) and set, or a BED (suffix .bed or .bed.gz) whose
  names are train, validation and test; see `histpred.labels.splits`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.core.errors import UsageError, first_few
from histpred.core.spelling import did_you_mean
from histpred.core.text import agreeing, counted
from histpred.genome.regions import BLOCK as BLOCK_LENGTH
from histpred.labels.loci import components, on_one_axis, overlapping
from histpred.labels.splits import (
    BLOCK,
    CHROMOSOME,
    LOCUS,
    METHODS,
    RANDOM,
    SETS,
    TEST,
    TRAIN,
    UNUSED,
    VALIDATION,
    in_several_sets,
    sets_from_bed,
    sets_from_table,
)

logger = logging.getLogger(__name__)

SHARE = 0.1  # of the windows, for test and for validation (paper, 2.1)
TOLERANCE = 0.02  # of the windows, by which a share may miss
GIANT = 1.5  # times the wanted share; larger groups are for training
DRAWS = 100  # the best of them is taken if none is within TOLERANCE


class Split(NamedTuple):
    """The sets of windows (str [n]; see `histpred.labels.splits`), and a line for the card."""

    sets: np.ndarray
    description: str


def split(
    windows: pandas.DataFrame,
    units: Sequence[str],
    how: str,
    seed: int,
    *,
    block: int = BLOCK_LENGTH,
    test_chromosomes: Sequence[str] = (),
    validation_chromosomes: Sequence[str] = (),
) -> Split:
    """Split windows [n] into sets. The order of the windows makes no difference.

    units: the unit of each window (its gene): all windows of a unit are in one set. how: a method
    or a path, see the module. block: length of the stretches of 'block', in bp. test_chromosomes,
    validation_chromosomes: for 'chromosome'; sets without named chromosomes are drawn.

    Raises UsageError if a set is empty, or options do not go together or do not fit the windows,
    and InputError if the file cannot be used.
    """
    named = {TEST: test_chromosomes, VALIDATION: validation_chromosomes}
    if how != CHROMOSOME and any(named.values()):
        raise UsageError(
            f"chromosomes are named, but the split is {how!r}", f"name them with {CHROMOSOME!r}"
        )
    if block < 1:
        raise UsageError(f"blocks of {block} bp", "give a positive length")
    names, unit = np.unique(np.asarray(units, dtype=object).astype(str), return_inverse=True)
    if how == RANDOM:
        found = _random(unit, len(names), seed)
    elif how == CHROMOSOME:
        found = _by_chromosome(windows, unit, seed, named)
    elif how == BLOCK:
        found = _by_block(windows, unit, block, seed)
    elif how == LOCUS:
        found = Split(
            _draw_groups(components(windows, unit), seed),
            f"by locus (genes with overlapping windows together), seed {seed}: about {SHARE:.0%} "
            f"of the windows test, {SHARE:.0%} validation",
        )
    else:
        found = _from_file(how, windows, unit, names)

    _refuse_empty(found.sets, how)
    if how in (CHROMOSOME, BLOCK, LOCUS) and not any(named.values()):
        _warn_of_shares(found.sets, how)
    return found


def _random(unit: np.ndarray, count: int, seed: int) -> Split:
    sets = np.full(count, TRAIN, dtype="<U10")
    test = round(SHARE * count)
    validation = round(SHARE * (count - test))
    order = np.random.default_rng(seed).permutation(count)
    sets[order[:test]] = TEST
    sets[order[test : test + validation]] = VALIDATION
    return Split(
        sets[unit],
        f"random by gene, seed {seed}: {SHARE:.0%} of the genes test, {SHARE:.0%} of the rest "
        "validation",
    )


def _by_chromosome(
    windows: pandas.DataFrame, unit: np.ndarray, seed: int, named: dict[str, Sequence[str]]
) -> Split:
    present, chromosome = np.unique(windows["chrom"].astype(str), return_inverse=True)
    if len(present) < len(SETS):
        raise UsageError(
            f"three sets cannot be made of {len(present)} chromosomes ({first_few(present)})",
            f"split by {BLOCK} or {LOCUS}, which need no more than one",
        )
    if unknown := [name for name in (*named[TEST], *named[VALIDATION]) if name not in present]:
        raise UsageError(
            f"no window lies on {first_few(unknown)}", f"there are windows on {first_few(present)}"
        )
    if both := sorted(set(named[TEST]) & set(named[VALIDATION])):
        raise UsageError(f"{first_few(both)} cannot both test and validate", "name it once")

    drawn = np.full(len(present), TRAIN, dtype="<U10")
    for name, chosen in named.items():
        drawn[np.isin(present, chosen)] = name
    free = np.flatnonzero(drawn == TRAIN)
    wanted = [name for name, chosen in named.items() if not chosen]
    sizes = np.bincount(chromosome)[free]
    drawn[free] = _draw(sizes, len(windows), wanted, np.random.default_rng(seed))

    sets = drawn[chromosome]
    straddling = in_several_sets(unit, sets)
    if straddling.any():
        logger.warning(
            f"{counted(straddling.sum(), 'gene')} "
            f"{agreeing(straddling.sum(), 'has', 'have')} windows on chromosomes of different sets "
            f"and {agreeing(straddling.sum(), 'is', 'are')} not used"
        )
    sets[straddling[unit]] = UNUSED
    parts = "; ".join(f"{name} {', '.join(present[drawn == name])}" for name in (TEST, VALIDATION))
    seeded = "" if all(named.values()) else f", seed {seed}"
    return Split(sets, f"by chromosome: {parts}; the others train{seeded}")


def _by_block(windows: pandas.DataFrame, unit: np.ndarray, block: int, seed: int) -> Split:
    start, end = on_one_axis(windows)
    order = np.lexsort((end, start))
    _, first = np.unique(unit[order], return_index=True)
    leading = order[first][unit]  # the first window of each window's unit
    middle = ((windows["start"] + windows["end"]) // 2).to_numpy()
    place = pandas.DataFrame({"chrom": windows["chrom"].to_numpy(), "block": middle // block})
    blocks = place.iloc[leading].groupby(["chrom", "block"], sort=True).ngroup().to_numpy()
    sets = _draw_groups(blocks, seed)
    for name, others in ((VALIDATION, (TEST,)), (TRAIN, (TEST, VALIDATION))):
        shared = (sets == name) & overlapping(windows, np.isin(sets, others))
        sets[np.isin(unit, unit[shared])] = UNUSED
    return Split(
        sets,
        f"by genomic blocks of {block:,} bp, seed {seed}: about {SHARE:.0%} of the windows "
        f"test, {SHARE:.0%} validation, genes that overlap another set's left out",
    )


def refuse_unknown(how: str) -> None:
    """Raise UsageError if `how` is neither a method nor a file."""
    if how not in METHODS and (Path(how).is_dir() or not Path(how).exists()):
        usual = f"use {', '.join(METHODS)}, or the path of a table or BED that names the sets"
        what = "a folder" if Path(how).is_dir() else "no such file exists"
        raise UsageError(
            f"{how!r} is no kind of split, and {what}",
            did_you_mean([how], METHODS, usual),
        )


def _from_file(how: str, windows: pandas.DataFrame, unit: np.ndarray, names: np.ndarray) -> Split:
    refuse_unknown(how)
    name = Path(how).name
    if name.removesuffix(".gz").endswith(".bed"):
        sets = sets_from_bed(how, windows, unit)
    else:
        sets = sets_from_table(how, names)[unit]
    return Split(sets, f"as the file {name} has it")


def _draw_groups(group: np.ndarray, seed: int) -> np.ndarray:
    """The set of each window [n]; `group`, int [n], numbers the windows that stay together."""
    rng = np.random.default_rng(seed)
    sets: np.ndarray = _draw(np.bincount(group), len(group), (TEST, VALIDATION), rng)[group]
    return sets


def _draw(
    sizes: np.ndarray, total: int, wanted: Sequence[str], rng: np.random.Generator
) -> np.ndarray:
    """Draw groups for each set in `wanted` until its share of `total` is nearest to SHARE.

    Returns the set of each group; those that are not drawn train. The first draw whose shares are
    all within TOLERANCE is taken, else the best of DRAWS. The largest group trains. Giant groups do
    too, unless the others do not make up half of what is wanted. If the groups do not make up all
    of it, they are shared evenly. With fewer groups than `wanted`, all train.
    """
    target = SHARE * total
    drawn = np.full(len(sizes), TRAIN, dtype="<U10")
    groups = np.argsort(sizes, kind="stable")[:-1]
    small = groups[sizes[groups] <= GIANT * target]
    if len(small) >= len(wanted) and sizes[small].sum() >= len(wanted) * target / 2:
        groups = small
    if not wanted or len(groups) < len(wanted):
        return drawn
    target = min(target, sizes[groups].sum() / len(wanted))

    best, chosen = np.inf, []
    for _ in range(DRAWS):
        order = rng.permutation(groups)
        cuts, gaps = [0], []
        for left in range(len(wanted), 0, -1):
            reached = np.cumsum(sizes[order[cuts[-1] : len(order) - left + 1]])
            misses = np.abs(reached - target)
            cuts.append(cuts[-1] + int(misses.argmin()) + 1)
            gaps.append(misses.min())
        if sum(gaps) < best:
            best, chosen = sum(gaps), np.split(order, cuts[1:])[:-1]
        if max(gaps) <= TOLERANCE / SHARE * target:
            break
    for name, these in zip(wanted, chosen, strict=True):
        drawn[these] = name
    return drawn


def _refuse_empty(sets: np.ndarray, how: str) -> None:
    counts = {name: int((sets == name).sum()) for name in (*SETS, UNUSED)}
    if empty := [name for name in SETS if not counts[name]]:
        have = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        raise UsageError(
            f"the split {how!r} of {len(sets):,} windows leaves none for {' and '.join(empty)} "
            f"({have})",
            "give more windows, another kind of split, or a file that names the sets",
        )


def _warn_of_shares(sets: np.ndarray, how: str) -> None:
    missed = [
        f"{(sets == name).mean():.1%} {name}"
        for name in (TEST, VALIDATION)
        if abs((sets == name).mean() - SHARE) > TOLERANCE
    ]
    if missed:
        logger.warning(
            f"the split by {how} gives {' and '.join(missed)} windows, not {100 * SHARE:.0f} %: "
            "windows that belong together are not parted"
        )
