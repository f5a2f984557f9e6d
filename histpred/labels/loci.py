"""Windows that share bases: loci, overlaps with a set or with regions, and components.

Windows are a DataFrame with the columns chrom, start, end (0-based half-open). Those of a spliced
transcript count from their first to their last base. Strands do not matter, and windows that only
touch do not overlap. Windows that overlap, directly or through others, are one locus.
"""

from __future__ import annotations

import numpy as np
import pandas

from histpred.genome.regions import merge


def locus_numbers(windows: pandas.DataFrame) -> np.ndarray:
    """The number of each window's locus, int [n], from 0 in genome order."""
    start, end = on_one_axis(windows)
    order = np.lexsort((end, start))
    reached = np.maximum.accumulate(end[order])
    begins = np.ones(len(order), bool)
    begins[1:] = start[order][1:] >= reached[:-1]
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(begins) - 1
    return numbers


def components(windows: pandas.DataFrame, unit: np.ndarray) -> np.ndarray:
    """The number of each window's group, int [n].

    Windows of a group overlap or have one number in `unit`, int [n], directly or through others.
    """
    from scipy.sparse import coo_array  # not at the top: only this split needs scipy
    from scipy.sparse.csgraph import connected_components

    locus = locus_numbers(windows)
    nodes = int(locus.max(initial=-1) + unit.max(initial=-1) + 2)
    edges = (np.ones(len(locus), bool), (locus, locus.max(initial=-1) + 1 + unit))
    _, of_node = connected_components(coo_array(edges, shape=(nodes, nodes)), directed=False)
    numbers: np.ndarray = of_node[locus].astype(np.int64)
    return numbers


def overlapping(windows: pandas.DataFrame, targets: np.ndarray) -> np.ndarray:
    """True, bool [n], for windows that share a base with a target; `targets`, bool [n], do."""
    start, end = on_one_axis(windows)
    order = np.flatnonzero(targets)[np.argsort(start[targets], kind="stable")]
    if not order.size:
        return np.zeros(len(windows), bool)
    reached = np.maximum.accumulate(end[order])
    before = np.searchsorted(start[order], end)  # targets that begin before the window ends
    shared: np.ndarray = (before > 0) & (reached[before - 1] > start)
    return shared


def against_regions(
    windows: pandas.DataFrame, regions: list[tuple[str, int, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """True, bool [n], for windows that overlap a region; and for windows within a region.

    Regions (chrom, start, end) that overlap or touch are joined first.
    """
    by_chrom: dict[str, list[tuple[int, int]]] = {}
    for chrom, start, end in regions:
        by_chrom.setdefault(chrom, []).append((start, end))
    overlaps, inside = np.zeros((2, len(windows)), bool)
    for chrom, blocks in by_chrom.items():
        here = np.flatnonzero((windows["chrom"] == chrom).to_numpy())
        starts, ends = (windows[name].to_numpy()[here] for name in ("start", "end"))
        left, right = np.array(merge(blocks)).T
        last = np.searchsorted(left, ends) - 1  # the last region to begin before the window ends
        reaches = (last >= 0) & (right[last] > starts)
        overlaps[here] = reaches
        inside[here] = reaches & (left[last] <= starts) & (ends <= right[last])
    return overlaps, inside


def on_one_axis(windows: pandas.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends, int64 [n], on one axis along which the chromosomes lie in name order."""
    _, chrom = np.unique(windows["chrom"].astype(str), return_inverse=True)
    start, end = (windows[name].to_numpy().astype(np.int64) for name in ("start", "end"))
    offset = chrom.astype(np.int64) * (end.max(initial=0) + 1)
    return start + offset, end + offset
