"""Genes as rows of the matrix."""

from __future__ import annotations

from collections.abc import Iterable

import pandas

from histpred.genome.regions import Feature
from histpred.labels.matrix import CARRIED


def gene_id(feature: Feature) -> str:
    """The id of a feature's gene: gene_id, or name where it is '.'."""
    return feature.gene_id if feature.gene_id != "." else feature.name


def carried(feature: Feature) -> tuple[str, str, str, int, int, str]:
    """The columns CARRIED[1:] of a feature."""
    name, biotype, strand = feature.name, feature.biotype, feature.strand
    return (name, biotype, feature.chrom, feature.start, feature.end, strand)


def gene_table(features: Iterable[Feature]) -> pandas.DataFrame:
    """One row per gene, with the columns id and CARRIED[1:]."""
    rows = [(gene_id(feature), *carried(feature)) for feature in features]
    return pandas.DataFrame(rows, columns=["id", *CARRIED[1:]])
