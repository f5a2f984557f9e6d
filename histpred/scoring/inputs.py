"""An annotation and its genome as a table of windows in memory, with what is computed of each: for
training and evaluation, which need all rows at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pandas

from histpred.bundle.encoding import EncoderChoice
from histpred.core.execution import Execution
from histpred.core.hts import quiet_htslib
from histpred.core.log import tell
from histpred.encoders import Encoder
from histpred.genome.plan import open_windows, refuse_nothing, scorable
from histpred.genome.regions import COLUMN_NAMES
from histpred.genome.request import Request
from histpred.genome.windows import WindowSpec
from histpred.scoring.embed import embed, read_table

logger = logging.getLogger(__name__)

Computed = TypeVar("Computed")


class Genome(NamedTuple):
    """What annotation and FASTA say of the organism; None where they say nothing."""

    taxon_id: int | None
    build: str | None
    organism: str | None
    lengths: tuple[int, ...]


def embed_windows(
    request: Request, choice: EncoderChoice, encoder: Encoder, work: Path, execution: Execution
) -> tuple[pandas.DataFrame, np.ndarray]:
    """Windows (chrom, start, end, name, strand, gene_id, biotype, n_fraction) and their vectors,
    float32 [n, dimension], in genome order.

    Raises HistpredError for inputs that cannot be used, and ModelError for vectors with NaN.
    """
    table = work / "windows.parquet"
    run = embed(request, choice, encoder, table, execution._replace(overwrite=True))
    if execution.store:
        logger.info(
            "%s chunks embedded on %s, %s were there",
            f"{run.embedded:,}",
            encoder.device,
            f"{run.reused:,}",
        )
    return read_table(table)


def map_windows(
    request: Request,
    window: WindowSpec,
    work: Path,
    function: Callable[[Sequence[bytes]], Computed],
    quiet: bool = False,
) -> tuple[pandas.DataFrame, list[Computed], Genome]:
    """Windows as `embed_windows` gives them, with what `function` makes of each batch of sequences
    (5' to 3', cleaned). `quiet`: what the inputs give rise to was said before.
    """
    rows, results = [], []
    with (
        quiet_htslib(),
        open_windows(request, window, work) as (annotation, reference, ledger, planned),
    ):
        if not quiet:
            tell(planned.notices, planned.warnings)
        for batch in scorable(ledger, reference, window):
            results.append(function(batch.sequences))
            rows += [
                (w.chrom, w.start, w.end, w.name, w.strand, w.gene_id, w.biotype, n)
                for w, n in zip(batch.windows, batch.n_fractions, strict=True)
            ]
        refuse_nothing(annotation, ledger, len(rows), "used")
        genome = Genome(
            annotation.taxon_id,
            annotation.genome_build,
            reference.organism,
            tuple(reference.lengths.values()),
        )
    return pandas.DataFrame(rows, columns=COLUMN_NAMES), results, genome
