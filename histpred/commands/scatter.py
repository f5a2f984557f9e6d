"""histpred scatter: one prediction as several that run side by side."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from histpred.commands import inputs, options
from histpred.commands.help_pages import verb
from histpred.commands.progress import check_strict, skipped
from histpred.core.log import logger
from histpred.genome.regions import INTERVAL

if TYPE_CHECKING:
    from histpred.bundle.encoding import EncoderChoice


@verb(
    examples=[
        (
            "Split a prediction, score the shards side by side, and join them",
            "histpred scatter genes.gtf.gz genome.fa --bundle human-promoter -o scattered\n"
            "for shard in scattered/shards/*.tsv; do\n"
            "    histpred predict $shard genome.fa -o parts/$(basename $shard .tsv)\n"
            "done\n"
            "histpred gather scattered parts/* -o scores",
        ),
    ]
)
@inputs.annotation_or_regions
@options.out("DIR", "Folder for the shards, the ledger and scatter.json.")
@options.encoder
@options.selection
@inputs.genes
@inputs.sequences
@inputs.transcripts
@options.tile
@options.in_output(
    "--shard-bases",
    type=click.IntRange(1),
    default=100_000_000,
    metavar="BP",
    help="Largest number of bases in the windows of one shard, give or take one window. All shards "
    "get about the same number of bases.",
)
@options.in_output(
    "--recorded-as",
    nargs=2,
    metavar="ANNOTATION FASTA",
    help="Paths of the inputs for the records, if the given ones are links or copies that will be "
    "gone. [default: the given paths]",
)
@options.weights
@options.running
def scatter(
    out: Path,
    shard_bases: int,
    recorded_as: tuple[str, str] | None,
    strict: bool,
    overwrite: bool,
    **given: Any,
) -> None:
    """Check ANNOTATION against FASTA and write its windows as shards of about equal work.

    Each of DIR/shards/*.tsv is an annotation. Run predict or embed on it with the same FASTA and
    bundle, on any machine. Then histpred gather joins the predictions. Its files are those of a
    single predict, byte for byte.
    """
    from histpred import verbs
    from histpred.bundle.encoding import choose_encoder
    from histpred.genome.request import REGIONS, Request

    given = inputs.read_inputs(given)
    if recorded_as and given["source"] == REGIONS:  # no file is read, so there is no link to it
        recorded_as = (given["annotation"], recorded_as[1])
    request = options.filled(Request, given)
    choice = choose_encoder(**options.encoder_of(given), tile=given["tile"])
    result = verbs.scatter(request, choice, out, shard_bases, overwrite, recorded_as)
    if not result.fresh:
        logger.info(f"{out} already holds these shards: nothing to do")
    logger.info(
        f"{out}: {result.windows:,} windows of {result.rows:,} rows, {result.bases:,} bp, "
        f"in {result.shards} shards{skipped(result.skipped)}"
    )
    if needed := _needed(choice, request.transcripts):
        logger.info(f"give histpred predict {needed} on each shard")
    check_strict(strict, result.skipped, result.past_end, out / "ledger.tsv")


def _needed(choice: EncoderChoice, transcripts: tuple[str, ...]) -> str:
    """The options that predict needs to score the windows of a shard; '' if it needs none.

    A table of windows does not tell whether its rows are genes.
    """
    if transcripts:
        return shlex.join(word for path in transcripts for word in ("--transcripts", path))
    if choice.window.tile:
        return f"--tile {choice.window.tile}"
    usual = choice.bundle and choice.bundle.manifest.window.kind
    return f"--window {INTERVAL}" if choice.window.kind == INTERVAL != usual else ""
