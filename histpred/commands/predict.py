"""histpred predict: annotation and genome to a folder of scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from histpred.commands import inputs, options
from histpred.commands.help_pages import verb
from histpred.commands.progress import Progress, check_strict, skipped
from histpred.commands.report import no_report, report_on
from histpred.commands.tracks import tell_hub
from histpred.core.log import logger
from histpred.core.text import counted


@verb(
    examples=[
        (
            "Score the non-coding genes of an annotation",
            "histpred predict genes.gtf.gz genome.fa --biotype ncRNA -o scores",
        ),
        (
            "Score two genes, or a region",
            "histpred predict genes.gtf.gz genome.fa --genes XIST,MALAT1 -o scores\n"
            "histpred predict chr22:20,100,000-20,104,000 genome.fa -o region",
        ),
        (
            "Score the rows of a BED themselves, as intervals",
            "histpred predict peaks.bed genome.fa --window interval -o scores",
        ),
        (
            "Draw tracks of two marks along a whole genome",
            "histpred predict genome.fa --tile 200 --tracks --no-table \\\n"
            "    --marks H3K4me3,H3K27ac -o tracks",
        ),
    ]
)
@inputs.annotation_or_regions
@options.out("OUT", "Output folder.", options.PATH)
@options.bundle
@options.selection
@inputs.genes
@inputs.sequences
@inputs.transcripts
@options.tile
@options.in_output(
    "--tracks", is_flag=True, help="Also write tracks for genome browsers, into OUT/hub."
)
@options.in_output(
    "--no-table",
    "table",
    flag_value=False,
    default=True,
    help="With --tile and --tracks: leave out scores.tsv.gz (5 GB for a human genome).",
)
@no_report
@options.marks
@options.call_precision
@options.threads
@options.embedding
@options.store
@options.running
def predict(
    out: Path,
    tracks: bool,
    report: bool,
    strict: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Predict histone marks for the genes of ANNOTATION from the sequence in FASTA.

    ANNOTATION is BED, GTF or GFF3 ('-': standard input), FASTA the genome of the same assembly.
    Both may be compressed. Regions in place of ANNOTATION are scored as intervals:
    chr22:20,100,000-20,104,000, with :+ or :- for a strand; positions count from 1, and both ends
    belong to the region. With --tile, predict makes a continuous track along ANNOTATION's rows, a
    contig (chr22), or all of FASTA.

    OUT holds scores.tsv.gz (probabilities), calls.bed.gz (called marks), ledger.tsv (each input
    row: scored, or skipped and why), run.json (versions, digests, options) and report.html.
    """
    from histpred import verbs
    from histpred.bundle.calls import promise_of
    from histpred.core.execution import Execution
    from histpred.genome.request import Request
    from histpred.scoring.derived import FOLDER

    given = inputs.read_inputs(given)
    request = options.filled(Request, given)
    choice = inputs.choice_of(given)
    with (
        Progress("scoring windows", quiet) as progress,
        Progress("writing tracks", quiet) as tracks_progress,
    ):
        execution = options.filled(Execution, given, progress=progress)
        result, hub = verbs.predict(request, choice, out, execution, tracks, tracks_progress)

    if not result.fresh:
        logger.info(f"{out} already holds this prediction: nothing to do")
    logger.info(
        f"{out}: {result.scored:,} of {counted(result.rows, 'row')} scored for "
        f"{counted(len(choice.scored), 'mark')} on {result.device}, "
        f"{counted(result.calls, 'call')}{skipped(result.skipped)}"
    )
    for sentence in result.first_words:
        logger.info(sentence)
    for mark in choice.scored:
        if mark.unpredicted:
            logger.info(promise_of(mark))
    if hub:
        tell_hub(hub, out / FOLDER)
    if report and execution.table:
        report_on(out, choice.bundle, result)
    check_strict(strict, result.skipped, result.past_end, out / "ledger.tsv")
