"""Write the windows of an annotation as TSV, BED or FASTA."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from histpred.core.errors import UsageError
from histpred.core.hts import quiet_htslib
from histpred.core.log import tell
from histpred.core.output import output_files, refuse_inputs, temporary_faults
from histpred.genome.naming import BED, FASTA, TSV
from histpred.genome.plan import open_windows, scorable
from histpred.genome.request import Request
from histpred.genome.table import table_row
from histpred.genome.transcripts import table_writer
from histpred.genome.windows import Row, WindowSpec, reads_around

BUFFER = 1 << 20


class Extraction(NamedTuple):
    """The result of `extract`: numbers of rows, of windows written, and of rows skipped by reason.

    past_end: number of rows clipped because they end past their contig. ledger: path.
    """

    rows: int
    written: int
    skipped: dict[str, int]
    past_end: int
    ledger: Path


def extract(request: Request, spec: WindowSpec, out: Path, overwrite: bool = False) -> Extraction:
    """Write the windows of an annotation to `out` and their ledger to `<out>.ledger.tsv`.

    The suffix of `out` sets the format: `.tsv` (see `histpred.genome.table`), `.bed` (BED6, BED12
    for spliced windows), or `.fa` and `.fasta` (`>name::contig:start-end(strand)`, as bedtools
    getfasta -name -s writes). Raises UsageError for another suffix.
    """
    formats: dict[str, tuple[Callable[[Row], str], str]] = {
        ".tsv": (table_row, TSV),
        ".bed": (_bed, BED),
        ".fa": (_fasta, FASTA),
        ".fasta": (_fasta, FASTA),
    }
    if out.suffix not in formats:
        found = f"{out.name}: windows are written as {', '.join(formats)}"
        raise UsageError(found, "choose one as the suffix of -o")
    outputs = (out, out.with_name(f"{out.name}.ledger.tsv"))
    refuse_inputs(outputs, request.files)
    with quiet_htslib(), temporary_faults(), ExitStack() as stack:
        work = stack.enter_context(output_files(outputs, overwrite))
        line_of, form = formats[out.suffix]
        opened = open_windows(request, spec, work, [form])
        _, reference, ledger, planned, transcripts = stack.enter_context(opened)
        tell(planned.notices, planned.warnings)
        written = 0
        with open(work / outputs[0].name, "wb", buffering=BUFFER) as target:
            if form == TSV:
                header, line_of = table_writer(transcripts)
                target.write(f"{header}\n".encode())
            for batch in scorable(ledger, reference, spec, transcripts):
                target.writelines(line_of(row).encode() for row in batch)
                written += len(batch)
        ledger.write(work / outputs[1].name)
        return Extraction(ledger.rows, written, ledger.skipped, planned.past_end, outputs[1])


def _bed(row: Row) -> str:
    window = row.window
    chrom, start, end, strand, name, *_ = window
    line = f"{chrom}\t{start}\t{end}\t{name}\t0\t{strand}"
    if window.blocks is not None and not reads_around(window):
        sizes = ",".join(str(right - left) for left, right in window.blocks)
        starts = ",".join(str(left - start) for left, _ in window.blocks)
        line += f"\t{start}\t{end}\t0\t{len(window.blocks)}\t{sizes}\t{starts}"
    return f"{line}\n"


def _fasta(row: Row) -> str:
    chrom, start, end, strand, name = row.window[:5]
    return f">{name}::{chrom}:{start}-{end}({strand})\n{row.sequence.decode()}\n"
