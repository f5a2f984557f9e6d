"""Labels of several genomes: read with the same marks, matched with windows, and pooled.

The genes of a named genome are known to a split as 'human:ENSG...', and its chromosomes as
'human:chr1', so that a name that two genomes share stays two.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas
from pydantic import JsonValue

from histpred.core.errors import InputError, first_few
from histpred.genome.genomes import ASSEMBLY, SPECIES, TAXON, GenomeInput, naming, within
from histpred.genome.request import request_identity
from histpred.labels.examples import LabelledWindows, choose_marks, labelled
from histpred.labels.matrix import Labels, labels_file, read_labels

logger = logging.getLogger(__name__)

OF_GENOME = ("annotation sha256", "FASTA sha256", "labels sha256")
_ENSEMBL = re.compile(r"ENS([A-Z]*)G\d{11}(?:\.\d+)?")


def read_genome_labels(
    genomes: Sequence[GenomeInput], names: tuple[str, ...] = ()
) -> tuple[Labels, ...]:
    """The labels of each genome, of the same marks: those named, or all that any genome has.

    A mark that a genome lacks is NaN there. Raises what `read_labels` and `choose_marks` raise.
    """
    tables = []
    for genome in genomes:
        with naming(genome):
            tables.append(read_labels(genome.labels_path))
    every = tuple(dict.fromkeys(mark for labels in tables for mark in labels.marks))
    return tuple(
        choose_marks(_of_marks(labels, every), names, genome.labels_path)
        for genome, labels in zip(genomes, tables, strict=True)
    )


def _of_marks(labels: Labels, marks: tuple[str, ...]) -> Labels:
    """The labels with these marks as columns, NaN for those that they do not have."""
    if labels.marks == marks:
        return labels
    values = np.full((len(labels.ids), len(marks)), np.nan, np.float32)
    values[:, [marks.index(mark) for mark in labels.marks]] = labels.values
    return Labels(labels.ids, marks, values)


def absent_marks(genomes: Sequence[GenomeInput], tables: Sequence[Labels]) -> list[str]:
    """Warnings of marks that some genomes have labels of, and others do not."""
    known = np.array([~np.isnan(labels.values).all(axis=0) for labels in tables])
    warnings = []
    for genome, here in zip(genomes, known, strict=True):
        missing = known.any(axis=0) & ~here
        if missing.any():
            marks = first_few(np.array(tables[0].marks)[missing])
            warnings.append(
                f"the labels of {genome.name} have no {marks}: these marks are unlabelled there"
            )
    return warnings


def labelled_genomes(
    genomes: Sequence[GenomeInput], tables: Sequence[pandas.DataFrame], labels: Sequence[Labels]
) -> LabelledWindows:
    """Match the windows of each genome with its labels, and pool those with a label.

    tables: the windows of each genome; `rows` of the result are their numbers among all of them.
    Raises InputError, which names the genome, if no window of a genome has a label.
    """
    found = []
    for genome, windows, these in zip(genomes, tables, labels, strict=True):
        with naming(genome):
            _refuse_other_species(these, windows, genome)
            one = labelled(windows, these, genome.labels_path)
        if genome.name:
            logger.info(f"genome {genome.name}: {len(one.rows):,} windows have a label")
            units = [within(genome.name, unit) for unit in one.units]
            one = one._replace(units=np.array(units, object))
        found.append(one)
    if len(found) == 1:
        return found[0]
    before = np.cumsum([0, *(len(windows) for windows in tables)])
    return LabelledWindows(
        np.concatenate([one.rows + count for one, count in zip(found, before, strict=False)]),
        pandas.concat([one.windows for one in found], ignore_index=True),
        np.concatenate([one.units for one in found]),
        np.concatenate([one.labels for one in found]),
    )


def _refuse_other_species(labels: Labels, windows: pandas.DataFrame, genome: GenomeInput) -> None:
    """Raise InputError if the Ensembl IDs of labels and windows are of different species."""
    here, there = ensembl_ids(labels.ids), ensembl_ids([*windows["gene_id"], *windows["name"]])
    if here and there and not here.keys() & there.keys():
        raise InputError(
            genome.labels_path,
            f"its genes are of another species than the annotation's: {first_few(here.values())} "
            f"here, {first_few(there.values())} there",
            "give the labels of that genome",
        )


def ensembl_ids(names: Iterable[str]) -> dict[str, str]:
    """An Ensembl gene ID of each species among some names, by the species' letters (MUS)."""
    found: dict[str, str] = {}
    for match in map(_ENSEMBL.fullmatch, names):
        if match:
            found.setdefault(match[1], match[0])
    return found


def genomes_identity(genomes: Sequence[GenomeInput], kind: str) -> dict[str, JsonValue]:
    """The part of a record that determines the windows and labels of genomes; kind: of windows.

    That of `request_identity` for a genome without a sheet. For others, 'genomes' has the digests
    of each by its name, and what the sheet says of its species.
    """
    first, *_ = each = [
        request_identity(genome.request, kind, labels=labels_file(genome.labels_path))
        for genome in genomes
    ]
    if not genomes[0].name:
        return first
    named: dict[str, JsonValue] = {}
    for genome, one in zip(genomes, each, strict=True):
        named[genome.name] = {
            **{key: one[key] for key in OF_GENOME},
            **{SPECIES: genome.species, TAXON: genome.taxon_id, ASSEMBLY: genome.assembly},
        }
    shared = {key: value for key, value in first.items() if key not in OF_GENOME}
    return {"genomes": named, **shared}
