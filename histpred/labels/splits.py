"""Which windows train, which validate, which test: by gene as in the paper, or so that no base is
shared.

A unit (a gene) is in one set with all its windows, whatever the split. Windows of different genes
may still share bases, and with 30 kb of upstream context many do; `leaks` counts them. Windows are
a DataFrame with the columns chrom, start, end (0-based half-open), name, strand, gene_id, biotype;
those of a spliced transcript count from their first to their last base. Strands make no difference.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.core.errors import InputError, UsageError, first_few
from histpred.genome.bed import read_bed
from histpred.genome.lines import open_lines
from histpred.genome.regions import merge

logger = logging.getLogger(__name__)

TRAIN, VALIDATION, TEST, UNUSED = "train", "validation", "test", "unused"
SETS = (TRAIN, VALIDATION, TEST)
RANDOM, CHROMOSOME, BLOCK, LOCUS = HOWS = ("random", "chromosome", "block", "locus")

SHARE = 0.1  # of the windows, for test and for validation (paper, 2.1)
GIANT = 1.5  # times the wanted share: larger pieces are for training
DRAWS = 100  # after which the nearest to the wanted shares is taken
LEAKY = "share bases with training windows"

TOLERANCE = 0.02  # of the windows, by which a share may miss

_COLUMNS = ("id", "chrom", "start", "end", "set")


class Split(NamedTuple):
    """sets: array of str [n], each TRAIN, VALIDATION, TEST or UNUSED; description: one line for the
    card.
    """

    sets: np.ndarray
    description: str


class Leaks(NamedTuple):
    """How many windows of a set share a base with a training window, on either strand."""

    validation: int
    test: int


def split(
    windows: pandas.DataFrame,
    units: Sequence[str],
    how: str,
    seed: int,
    *,
    block: int = 1_000_000,
    test_chromosomes: Sequence[str] = (),
    validation_chromosomes: Sequence[str] = (),
) -> Split:
    """Part windows [n] into sets. The order of the windows makes no difference.

    Parameters
    ----------
    units
        The unit of each window (its gene): all windows of a unit are in one set.
    how
        - 'random': 10 % of the units test, 10 % of the rest validate (paper, 2.1).
        - 'chromosome': whole chromosomes: those named, else drawn such that test and validation
          come near 10 % of the windows each. A unit on chromosomes of different sets is unused.
        - 'block': stretches of `block` bp, counted from the start of each chromosome, drawn
          likewise. A unit goes where the middle of its first window lies; then units with a
          training window that overlaps a window of validation or test, or a validation window that
          overlaps one of test, are unused.
        - 'locus': sets of units whose windows overlap, directly or through others, drawn likewise;
          those that are large against 10 % of the windows train. No two windows of different sets
          share a base.
        - a path: a table with the columns id (of a unit) and set, tab-separated, as `write_split`
          writes it; or a BED (suffix .bed, .bed.gz) whose names are train, validation and test: a
          unit gets a set if all its windows lie whole in regions of that set, those that touch or
          overlap joined, and overlap no other's. Other units are unused.
    block
        In bp, for 'block'.
    test_chromosomes, validation_chromosomes
        For 'chromosome'; what is not named is drawn.

    Raises
    ------
    UsageError
        Where a set comes out empty, or options do not go together or do not fit the windows.
    InputError
        Where the file cannot be used.
    """
    if how != CHROMOSOME and (test_chromosomes or validation_chromosomes):
        raise UsageError(
            f"chromosomes are named, but the split is {how!r}", f"name them with {CHROMOSOME!r}"
        )
    if block < 1:
        raise UsageError(f"blocks of {block} bp", "give a positive length")
    names, unit = np.unique(np.asarray(units, dtype=object).astype(str), return_inverse=True)
    rng = np.random.default_rng(seed)
    if how == RANDOM:
        sets = _random(len(names), rng)[unit]
        description = (
            f"random by gene, seed {seed}: {SHARE:.0%} of the genes test, {SHARE:.0%} of the rest "
            "validation"
        )
    elif how == CHROMOSOME:
        sets, description = _by_chromosome(
            windows, unit, rng, tuple(test_chromosomes), tuple(validation_chromosomes)
        )
        if not (test_chromosomes and validation_chromosomes):
            description += f", seed {seed}"
    elif how == BLOCK:
        sets = _by_block(windows, unit, block, rng)
        description = (
            f"by genomic blocks of {block:,} bp, seed {seed}: about {SHARE:.0%} of the windows "
            f"test, {SHARE:.0%} validation, genes that overlap another set's left out"
        )
    elif how == LOCUS:
        pieces = _components(windows, unit)
        sets = _draw(np.bincount(pieces), len(windows), (TEST, VALIDATION), rng)[pieces]
        description = (
            f"by locus (genes with overlapping windows together), seed {seed}: about {SHARE:.0%} "
            f"of the windows test, {SHARE:.0%} validation"
        )
    elif not Path(how).exists():
        raise UsageError(
            f"{how!r} is no kind of split, and no such file is there",
            f"use {', '.join(HOWS)}, or the path of a table or BED that names the sets",
        )
    else:
        of_bed = Path(how).name.removesuffix(".gz").endswith(".bed")
        sets = _by_bed(how, windows, unit) if of_bed else _by_table(how, names)[unit]
        description = f"as the file {Path(how).name} has it"

    _refuse_empty(sets, how)
    named = test_chromosomes or validation_chromosomes
    if how in (CHROMOSOME, BLOCK, LOCUS) and not named:
        _tell_shares(sets, how)
    return Split(sets, description)


def leaks(windows: pandas.DataFrame, sets: np.ndarray) -> Leaks:
    """How many validation and test windows share a base with a training window."""
    touched = _overlapping(windows, sets == TRAIN)
    return Leaks(*(int((touched & (sets == name)).sum()) for name in (VALIDATION, TEST)))


def warn_of_leaks(leaks: Leaks, sets: np.ndarray) -> str | None:
    """What the user must hear of leaks; None where there are none."""
    found = []
    for name, count in ((TEST, leaks.test), (VALIDATION, leaks.validation)):
        if count:
            total = int((sets == name).sum())
            found.append(f"{count:,} of {total:,} {name} windows ({count / total:.0%})")
    if not found:
        return None
    return (
        f"{' and '.join(found)} {LEAKY}: figures on them flatter the "
        f"model. Split by {LOCUS}, {CHROMOSOME} or {BLOCK} for figures that hold on new genes"
    )


def locus_numbers(windows: pandas.DataFrame) -> np.ndarray:
    """The number of each window's locus, int [n], from 0 in genome order: windows that overlap,
    directly or through others, share it; windows that only touch do not.
    """
    start, end = _laid_out(windows)
    order = np.lexsort((end, start))
    reached = np.maximum.accumulate(end[order])
    begins = np.ones(len(order), bool)
    begins[1:] = start[order][1:] >= reached[:-1]
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(begins) - 1
    return numbers


def write_split(
    path: Path, windows: pandas.DataFrame, units: Sequence[str], sets: np.ndarray
) -> None:
    """Write a split as a table, a row a window: id (of the unit), chrom, start, end, set."""
    places = (windows[name].tolist() for name in ("chrom", "start", "end"))
    rows = [_COLUMNS, *zip(units, *places, sets, strict=True)]
    Path(path).write_text(
        "".join("\t".join(map(str, row)) + "\n" for row in rows), "utf-8", newline="\n"
    )


def read_split(path: str | Path) -> dict[str, str]:
    """The set of each unit in a table with the columns id and set (tab-separated; gzip or not).

    Raises InputError (file:line) for missing columns, unknown sets, and units in two sets.
    """
    found: dict[str, str] = {}
    columns: list[str] = []
    with open_lines(path) as lines:
        for number, line in lines:
            fields = line.split("\t")
            if not columns:
                columns = [name.strip().removeprefix("#").lower() for name in fields]
                if missing := [name for name in ("id", "set") if name not in columns]:
                    raise InputError(
                        path,
                        f"no column {' and no column '.join(missing)} in its first line: "
                        f"{first_few(fields)}",
                        "a split is tab-separated, with a header that names id and set",
                        number,
                    )
                of_id, of_set = columns.index("id"), columns.index("set")
                continue
            if not line.strip():
                continue
            if len(fields) != len(columns):
                raise InputError(
                    path,
                    f"{len(fields)} columns where the header has {len(columns)}",
                    "is a tab missing, or is the file cut short?",
                    number,
                )
            unit, name = fields[of_id].strip(), fields[of_set].strip()
            _check_set(path, number, name, (*SETS, UNUSED))
            if found.setdefault(unit, name) != name:
                raise InputError(
                    path,
                    f"{unit} is in {name} here and in {found[unit]} before",
                    "one gene belongs to one set, with all its windows",
                    number,
                )
    if not columns:
        raise InputError(path, "is empty", "a split has a header that names id and set")
    return found


def _check_set(path: str | Path, line: int, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise InputError(path, f"unknown set {name!r}", f"use {', '.join(known)}", line)


def _random(count: int, rng: np.random.Generator) -> np.ndarray:
    """The set of each unit."""
    sets = np.full(count, TRAIN, dtype="<U10")
    test = round(SHARE * count)
    validation = round(SHARE * (count - test))
    order = rng.permutation(count)
    sets[order[:test]] = TEST
    sets[order[test : test + validation]] = VALIDATION
    return sets


def _by_chromosome(
    windows: pandas.DataFrame,
    unit: np.ndarray,
    rng: np.random.Generator,
    test: tuple[str, ...],
    validation: tuple[str, ...],
) -> tuple[np.ndarray, str]:
    there, piece = np.unique(windows["chrom"].astype(str), return_inverse=True)
    if len(there) < len(SETS):
        raise UsageError(
            f"three sets cannot be made of {len(there)} chromosomes ({first_few(there)})",
            f"split by {BLOCK} or {LOCUS}, which need no more than one",
        )
    if unknown := [name for name in (*test, *validation) if name not in there]:
        raise UsageError(
            f"no window lies on {first_few(unknown)}", f"there are windows on {first_few(there)}"
        )
    if both := sorted(set(test) & set(validation)):
        raise UsageError(f"{first_few(both)} cannot both test and validate", "name it once")

    named = {TEST: test, VALIDATION: validation}
    of_piece = np.full(len(there), TRAIN, dtype="<U10")
    for name, chosen in named.items():
        of_piece[np.isin(there, chosen)] = name
    free = np.flatnonzero(of_piece == TRAIN)
    wanted = [name for name, chosen in named.items() if not chosen]
    of_piece[free] = _draw(np.bincount(piece)[free], len(windows), wanted, rng)

    sets = of_piece[piece]
    straddling = _without_one_set(unit, sets)
    if straddling.any():
        logger.warning(
            "%d genes have windows on chromosomes of different sets and are not used",
            straddling.sum(),
        )
    sets[straddling[unit]] = UNUSED
    parts = [f"{name} {', '.join(there[of_piece == name])}" for name in (TEST, VALIDATION)]
    return sets, f"by chromosome: {'; '.join(parts)}; the others train"


def _without_one_set(unit: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """Which units, bool [units], have windows in more than one set."""
    pairs = pandas.DataFrame({"unit": unit, "set": sets}).drop_duplicates()
    return np.bincount(pairs["unit"]) > 1


def _by_block(
    windows: pandas.DataFrame, unit: np.ndarray, block: int, rng: np.random.Generator
) -> np.ndarray:
    start, end = _laid_out(windows)
    order = np.lexsort((end, start))
    _, first = np.unique(unit[order], return_index=True)
    leading = order[first][unit]  # the first window of each window's unit
    middle = ((windows["start"] + windows["end"]) // 2).to_numpy()
    place = pandas.DataFrame({"chrom": windows["chrom"].to_numpy(), "block": middle // block})
    piece = place.iloc[leading].groupby(["chrom", "block"], sort=True).ngroup().to_numpy()
    sets = _draw(np.bincount(piece), len(windows), (TEST, VALIDATION), rng)[piece]

    for name, others in ((VALIDATION, (TEST,)), (TRAIN, (TEST, VALIDATION))):
        shared = (sets == name) & _overlapping(windows, np.isin(sets, others))
        sets[np.isin(unit, unit[shared])] = UNUSED
    return sets


def _components(windows: pandas.DataFrame, unit: np.ndarray) -> np.ndarray:
    """Numbers, int [n], that windows share if they overlap or belong to one unit, directly or
    through others.
    """
    from scipy.sparse import coo_array  # not at the top: only this split needs scipy
    from scipy.sparse.csgraph import connected_components

    locus = locus_numbers(windows)
    nodes = int(locus.max(initial=-1) + unit.max(initial=-1) + 2)
    edges = (np.ones(len(locus), bool), (locus, locus.max(initial=-1) + 1 + unit))
    _, of_node = connected_components(coo_array(edges, shape=(nodes, nodes)), directed=False)
    return of_node[locus].astype(np.int64)


def _draw(
    sizes: np.ndarray, total: int, wanted: Sequence[str], rng: np.random.Generator
) -> np.ndarray:
    """The set of each piece: random ones for each of `wanted` until it is nearest to its share of
    `total`, the others for training. The first draw whose shares all lie within TOLERANCE, else the
    nearest of DRAWS.

    The largest piece trains; so do giant ones, unless the others do not make up half of what is
    wanted. If the pieces do not make up all of it, they are shared evenly. With too few pieces for
    `wanted`, all train.
    """
    target = SHARE * total
    drawn = np.full(len(sizes), TRAIN, dtype="<U10")
    pieces = np.argsort(sizes, kind="stable")[:-1]
    small = pieces[sizes[pieces] <= GIANT * target]
    if len(small) >= len(wanted) and sizes[small].sum() >= len(wanted) * target / 2:
        pieces = small
    if not wanted or len(pieces) < len(wanted):
        return drawn
    target = min(target, sizes[pieces].sum() / len(wanted))

    best, chosen = np.inf, []
    for _ in range(DRAWS):
        order = rng.permutation(pieces)
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


def _by_table(path: str, names: np.ndarray) -> np.ndarray:
    """The set of each unit."""
    found = read_split(path)
    known = set(names.tolist())
    strange = [name for name in found if name not in known]
    if strange:
        logger.warning(
            "%d of %d ids of %s have no window: %s",
            len(strange),
            len(found),
            path,
            first_few(strange),
        )
    unnamed = [name for name in names if name not in found]
    if unnamed:
        logger.warning(
            "%d of %d genes are not named in %s and are not used: %s",
            len(unnamed),
            len(names),
            path,
            first_few(unnamed),
        )
    return np.array([found.get(name, UNUSED) for name in names], dtype="<U10")


def _by_bed(path: str, windows: pandas.DataFrame, unit: np.ndarray) -> np.ndarray:
    regions: dict[str, list[tuple[str, int, int]]] = {name: [] for name in SETS}
    with open_lines(path) as lines:
        for feature in read_bed(path, lines):
            _check_set(path, feature.line, feature.name, SETS)
            regions[feature.name].append((feature.chrom, feature.start, feature.end))
    strange = {row[0] for rows in regions.values() for row in rows} - set(windows["chrom"])
    if strange:
        logger.warning(
            "no window lies on %d contigs of %s: %s", len(strange), path, first_few(sorted(strange))
        )

    sets = np.full(len(windows), UNUSED, dtype="<U10")
    touched = np.zeros(len(windows), int)
    for name, rows in regions.items():
        overlaps, inside = _against(windows, rows)
        touched += overlaps
        sets[inside] = name
    sets[touched > 1] = UNUSED
    outside = int((sets == UNUSED).sum())
    sets[_without_one_set(unit, sets)[unit]] = UNUSED
    unused = int((sets == UNUSED).sum())
    if unused:
        logger.warning(
            "%d of %d windows are not used: %d do not lie whole in regions of one set of %s, %d "
            "are of genes with such windows or in several sets",
            unused,
            len(windows),
            outside,
            path,
            unused - outside,
        )
    return sets


def _against(
    windows: pandas.DataFrame, regions: list[tuple[str, int, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """Which windows overlap the regions, and which lie whole in one of them, after joining."""
    by_chrom: dict[str, list[tuple[int, int]]] = {}
    for chrom, start, end in regions:
        by_chrom.setdefault(chrom, []).append((start, end))
    overlaps, inside = np.zeros((2, len(windows)), bool)
    for chrom, rows in by_chrom.items():
        here = np.flatnonzero((windows["chrom"] == chrom).to_numpy())
        start, end = (windows[name].to_numpy()[here] for name in ("start", "end"))
        left, right = np.array(merge(rows)).T
        last = np.searchsorted(left, end) - 1  # the last region that begins before the window ends
        reaches = (last >= 0) & (right[last] > start)
        overlaps[here] = reaches
        inside[here] = reaches & (left[last] <= start) & (end <= right[last])
    return overlaps, inside


def _laid_out(windows: pandas.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends, int64 [n], with the chromosomes laid out on one line by name."""
    _, chrom = np.unique(windows["chrom"].astype(str), return_inverse=True)
    start, end = (windows[name].to_numpy().astype(np.int64) for name in ("start", "end"))
    offset = chrom.astype(np.int64) * (end.max(initial=0) + 1)
    return start + offset, end + offset


def _overlapping(windows: pandas.DataFrame, targets: np.ndarray) -> np.ndarray:
    """Which windows, bool [n], share a base with one of the `targets` (bool [n]); targets do."""
    start, end = _laid_out(windows)
    order = np.flatnonzero(targets)[np.argsort(start[targets], kind="stable")]
    if not order.size:
        return np.zeros(len(windows), bool)
    reached = np.maximum.accumulate(end[order])
    before = np.searchsorted(start[order], end)  # targets that begin before the window ends
    return (before > 0) & (reached[before - 1] > start)


def _refuse_empty(sets: np.ndarray, how: str) -> None:
    counts = {name: int((sets == name).sum()) for name in (*SETS, UNUSED)}
    if empty := [name for name in SETS if not counts[name]]:
        have = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        raise UsageError(
            f"the split {how!r} of {len(sets):,} windows leaves none for {' and '.join(empty)} "
            f"({have})",
            "give more windows, another kind of split, or a file that names the sets",
        )


def _tell_shares(sets: np.ndarray, how: str) -> None:
    missed = [
        f"{(sets == name).mean():.1%} {name}"
        for name in (TEST, VALIDATION)
        if abs((sets == name).mean() - SHARE) > TOLERANCE
    ]
    if missed:
        logger.warning(
            "the split by %s gives %s windows, not %.0f %%: it cannot cut its pieces smaller",
            how,
            " and ".join(missed),
            100 * SHARE,
        )
