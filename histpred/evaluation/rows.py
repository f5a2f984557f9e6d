"""The rows of an evaluation: which are evaluated, and what to warn of."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from histpred.bundle.folder import SPLIT, Bundle
from histpred.core.errors import InputError, UsageError, first_few
from histpred.core.text import agreeing, counted
from histpred.evaluation.blocks import Blocks
from histpred.evaluation.scores import COPY, SAME_ROW, ScoredWindows, Target
from histpred.genome.genomes import GENOME, GenomeInput, local_name
from histpred.genome.regions import BLOCK
from histpred.labels.examples import LabelledWindows, choose_marks
from histpred.labels.genomes import absent_marks, labelled_genomes
from histpred.labels.matrix import Labels, unit_ids, without_version
from histpred.labels.splits import LEAKY, TEST, TRAIN, UNUSED, VALIDATION, read_split, warn_of_leaks

logger = logging.getLogger(__name__)

ALL = "all"


class EvaluationOptions(NamedTuple):
    """What to evaluate of a bundle.

    beside: bundles that are shown in the same tables, on the same rows and marks. rows: the set of
    the bundle's own split to evaluate ('test' or 'validation'), or 'all'; if no row belongs to the
    split, all rows are evaluated. marks: those to evaluate; if empty, all that bundles and labels
    share. seed: seed of the bootstrap. target: the windows to evaluate. block: length in bp of the
    blocks by which baselines are fitted if no row trained the bundle.
    """

    beside: tuple[Bundle, ...] = ()
    rows: str = TEST
    marks: tuple[str, ...] = ()
    seed: int = 0
    target: Target = Target()
    block: int = BLOCK


class LabelledRows(NamedTuple):
    """Labelled windows of a bundle, and which of them are evaluated.

    marks: those of the labels. labelled: windows (with the column COPY) and labels. sets: str [n],
    the set of each row in the bundle's split, '' if it is not in it. evaluated: bool [n]. places:
    for each table of scores, the row of each window, -1 where it has none. blocks: those in which
    the evaluated rows lie.
    """

    marks: tuple[str, ...]
    labelled: LabelledWindows
    sets: np.ndarray
    evaluated: np.ndarray
    places: list[np.ndarray]
    blocks: Blocks
    warnings: list[str]

    @property
    def unknown(self) -> bool:
        """True if no row belongs to the bundle's split."""
        return bool((self.sets == "").all())

    @property
    def validation(self) -> np.ndarray:
        """The validation rows of the bundle's split that all bundles score, bool [n]."""
        scored = np.all([place >= 0 for place in self.places], axis=0)
        chosen: np.ndarray = scored & (self.sets == VALIDATION)
        return chosen

    def of(self, chosen: np.ndarray) -> tuple[pandas.DataFrame, np.ndarray]:
        """Windows without COPY, and labels [n, marks], of the rows chosen by a mask."""
        windows = self.labelled.windows.loc[chosen, self.labelled.windows.columns != COPY]
        return windows.reset_index(drop=True), self.labelled.labels[chosen]

    @property
    def known_sets(self) -> np.ndarray:
        """The sets, UNUSED for rows that are not in the split."""
        return np.where(self.sets == "", UNUSED, self.sets)


def label_rows(
    scored: Sequence[ScoredWindows],
    genomes: Sequence[GenomeInput],
    labels: Sequence[Labels],
    options: EvaluationOptions,
) -> LabelledRows:
    """Match the windows of the first bundle with labels, and choose the rows to evaluate.

    `labels` are those of each genome.

    Warnings are logged and returned. Raises InputError if bundles and labels share no mark, or
    windows and labels no row; UsageError for a mark that a bundle does not score, and if no row is
    left.
    """
    bundle = scored[0].bundle
    path = genomes[0].labels_path
    labels = [_common_marks(scored, these, path, options.marks) for these in labels]
    found = labelled_genomes(genomes, _by_genome(genomes, scored[0].table), labels)
    sets = _sets(bundle, found.windows)
    chosen, warnings = _choose(sets, options.rows, bundle)
    warnings += absent_marks(genomes, labels)
    places = [found.rows, *_places(scored[1:], found.windows)]
    everywhere = np.all([place >= 0 for place in places], axis=0)
    if not everywhere.any():
        raise UsageError(
            "the windows of the bundles have no row in common",
            "use one level for all of them, --by gene or --by transcript",
        )
    if lost := int((chosen & ~everywhere).sum()):
        are = agreeing(lost, "is", "are")
        warnings.append(f"{counted(lost, 'row')} {are} left out: not every bundle can score them")
    chosen &= everywhere
    if not chosen.any():
        raise UsageError(
            f"no row of the set {options.rows!r} can be evaluated", "choose other rows with --rows"
        )
    blocks = Blocks(found.windows[chosen], options.block)
    these = LabelledRows(labels[0].marks, found, sets, chosen, places, blocks, warnings)
    warnings += _warnings([each.bundle for each in scored], these)
    for warning in warnings:
        logger.warning(warning)
    if np.isnan(found.labels[chosen]).all():
        raise UsageError(
            f"the {chosen.sum():,} rows to evaluate have no labels", "choose other rows with --rows"
        )
    return these


def _common_marks(
    scored: Sequence[ScoredWindows], labels: Labels, path: Path, marks: tuple[str, ...]
) -> Labels:
    """The labels of the given marks, or of those that all bundles score."""
    first = scored[0]
    shared = [
        mark
        for mark in first.names
        if mark in labels.marks and all(mark in each.names for each in scored)
    ]
    if not marks and not shared:
        raise InputError(
            path,
            f"has none of the marks that the bundles share: {first_few(labels.marks)} here",
            f"{first.bundle.manifest.name} has {first_few(first.names)}",
        )
    labels = choose_marks(labels, marks or tuple(shared), path)
    for each in scored:
        if absent := [mark for mark in labels.marks if mark not in each.names]:
            raise UsageError(
                f"{each.bundle.manifest.name} does not score {first_few(absent)}",
                f"it scores {', '.join(each.names)}",
            )
    return labels


def _by_genome(genomes: Sequence[GenomeInput], windows: pandas.DataFrame) -> list[pandas.DataFrame]:
    if GENOME not in windows:
        return [windows]
    return [windows[windows[GENOME] == genome.name] for genome in genomes]


def _sets(bundle: Bundle, windows: pandas.DataFrame) -> np.ndarray:
    """The set of each row in the bundle's split, '' if it is not in it.

    A bundle of several genomes knows a row by genome and id. Rows of a genome without a name are
    then those of the genome with which they share most ids. Raises UsageError if there are two.
    """
    units = unit_ids(windows)
    if SPLIT not in bundle.manifest.files:
        return np.full(len(units), "")
    known = read_split(bundle.directory / SPLIT)
    trained = [species.genome for species in bundle.manifest.species]
    if trained == [""]:
        return _looked_up(known, "", units)
    if GENOME not in windows:
        every = {genome: _looked_up(known, genome, units) for genome in trained}
        shared = {genome: int((sets != "").sum()) for genome, sets in every.items()}
        alike = [genome for genome in trained if shared[genome] == max(shared.values())]
        if len(alike) > 1 and shared[alike[0]]:
            raise UsageError(
                f"the genomes {first_few(alike)} have the ids of these rows alike",
                "give a sheet of genomes, with the name of this one",
            )
        return every[alike[0]]
    sets = np.full(len(units), "", dtype="<U10")
    for genome in set(windows[GENOME]).intersection(trained):
        here = np.flatnonzero(windows[GENOME] == genome)
        sets[here] = _looked_up(known, genome, [units[i] for i in here])
    return sets


def _looked_up(known: Mapping[str, str], genome: str, units: Sequence[str]) -> np.ndarray:
    """The sets of units of one genome, by id or else by id without its version."""
    own = ((local_name(genome, unit), name) for unit, name in known.items())
    these = {unit: name for unit, name in own if unit is not None}
    bare = {without_version(unit): name for unit, name in these.items()}
    return np.array([these.get(unit, bare.get(without_version(unit), "")) for unit in units])


def _choose(sets: np.ndarray, rows: str, bundle: Bundle) -> tuple[np.ndarray, list[str]]:
    """The chosen rows, bool [n], and what to warn of."""
    unknown, warnings = bool((sets == "").all()), []
    if rows == ALL or unknown:
        if (sets == TRAIN).any():
            warnings.append(
                "training rows are among the evaluated rows: the figures flatter the model"
            )
        elif unknown:
            warnings.append(
                f"no row belongs to the split of {bundle.manifest.name}: all rows are evaluated. "
                "The model may have been trained on them, or on rows that overlap them"
            )
        return np.ones(len(sets), bool), warnings
    if rows == VALIDATION:
        warnings.append(
            "validation rows chose the epoch and the thresholds: the figures flatter the model"
        )
    chosen = sets == rows
    if not chosen.any():
        raise UsageError(
            f"no row here is in the set {rows!r} of the split of {bundle.manifest.name}",
            f"choose other rows with --rows; there are {', '.join(sorted(set(sets) - {''}))}",
        )
    return chosen, warnings


def _places(scored: Sequence[ScoredWindows], windows: pandas.DataFrame) -> list[np.ndarray]:
    if not scored:
        return []
    keys, *indexes = (
        pandas.MultiIndex.from_frame(table[[*SAME_ROW, COPY]])
        for table in (windows, *(each.table for each in scored))
    )
    return [index.get_indexer(keys) for index in indexes]


def _warnings(bundles: Sequence[Bundle], rows: LabelledRows) -> list[str]:
    """Warnings of leaks, of rows that trained another bundle, and of absent training rows."""
    bundle, *others = bundles
    training = bundle.manifest.training
    warnings = []
    leaky = warn_of_leaks(rows.labelled.windows, rows.known_sets)
    if not leaky and not rows.unknown:  # rows that leaked in training may not be here
        leaky = next((text for text in training.splits.values() if LEAKY in text), None)
    if leaky:
        warnings.append(leaky)
    if (parent := training.parent) and parent.test_rows_seen and not rows.unknown:
        warnings.append(
            f"{bundle.manifest.name} goes on from {parent.name}, which was trained or validated on "
            f"{parent.test_rows_seen:,} of its test rows: the figures flatter it"
        )
    for other in others:
        fitted = np.isin(_sets(other, rows.labelled.windows), (TRAIN, VALIDATION))
        if seen := int((rows.evaluated & fitted).sum()):
            warnings.append(
                f"{seen:,} of the {rows.evaluated.sum():,} rows trained or validated "
                f"{other.manifest.name}: the figures flatter it. Train it with --split and the "
                f"{SPLIT} of {bundle.manifest.name}"
            )
    here, trained = int((rows.sets == TRAIN).sum()), training.counts.get(TRAIN, 0)
    if not here and len(rows.blocks.names) < 2:
        warnings.append(
            "no training row is among these rows, and all of them lie in one block of "
            f"{rows.blocks.length:,} bp: there are no baselines to compare. Give shorter blocks "
            "with --block"
        )
    elif 0 < here < trained:
        warnings.append(
            f"only {here:,} of the {trained:,} training rows are among these rows: "
            "baselines fitted on them are weaker than they could be"
        )
    return warnings
