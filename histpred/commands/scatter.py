"""histpred scatter: one prediction, or the effects of one VCF, as several that run side by side."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from histpred.commands import inputs, options
from histpred.commands.help_pages import verb
from histpred.commands.numbers import Whole
from histpred.commands.progress import check_strict, skipped
from histpred.core.errors import UsageError
from histpred.core.log import logger
from histpred.core.text import counted
from histpred.genome.regions import INTERVAL

if TYPE_CHECKING:
    from histpred.bundle.encoding import EncoderChoice
    from histpred.genome.request import Request

ONLY_OF_VCF = ("shard_alleles", "vcf_recorded_as")
NOT_OF_VCF = ("encoder_name", "chunks", "sequences", "tile", "transcripts", "shard_bases")


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
        (
            "Split a VCF, and score the first shard",
            "bundle=human-promoter\n"
            "histpred scatter genes.gtf genome.fa --bundle $bundle --vcf a.vcf -o cut\n"
            "shard=cut/shards/0001\n"
            "histpred variants $shard.vcf.gz $shard.tsv genome.fa -o parts/0001",
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
@inputs.in_rows(
    "--vcf",
    type=options.INPUT,
    metavar="VCF",
    help="VCF or BCF to split for histpred variants. Each shard is a part of it, with a table of "
    "the windows that read its alleles. [default: no VCF]",
)
@options.in_output(
    "--shard-bases",
    type=click.IntRange(1),
    default=100_000_000,
    metavar="BP",
    help="Largest number of bases in the windows of one shard, give or take one window.",
)
@options.in_output(
    "--shard-alleles",
    type=Whole(1),
    default=100_000,
    metavar="N",
    help="With --vcf: largest number of ALT alleles in one shard, give or take one record.",
)
@options.in_output(
    "--recorded-as",
    nargs=2,
    metavar="ANNOTATION FASTA",
    help="Paths for the records, if the given ones are links or copies. [default: the given paths]",
)
@options.in_output(
    "--vcf-recorded-as",
    metavar="VCF",
    help="Path of the VCF for the records. [default: the given path]",
)
@options.weights
@options.running
def scatter(
    out: Path,
    vcf: str | None,
    shard_bases: int,
    shard_alleles: int,
    recorded_as: tuple[str, str] | None,
    vcf_recorded_as: str | None,
    strict: bool,
    overwrite: bool,
    **given: Any,
) -> None:
    """Check ANNOTATION against FASTA and write its windows as shards of about equal work.

    Run predict or embed on each of DIR/shards/*.tsv with the same FASTA and bundle, on any machine.
    Then histpred gather joins the predictions.

    With --vcf, run variants on each of DIR/shards/*.vcf.gz and the .tsv beside it.
    """
    from histpred import verbs
    from histpred.bundle.encoding import choose_encoder
    from histpred.genome.request import REGIONS, Request

    given = inputs.read_inputs(given)
    if recorded_as and given["source"] == REGIONS:  # no file is read, so there is no link to it
        recorded_as = (given["annotation"], recorded_as[1])
    request = options.filled(Request, given)
    _refuse_others(given, vcf)
    choice = choose_encoder(**options.encoder_of(given), tile=given["tile"])
    if vcf:
        given_files = recorded_as or (request.annotation, request.fasta)
        paths = vcf_recorded_as or vcf, *given_files
        _scatter_vcf(vcf, request, choice, out, (shard_alleles, overwrite, paths), strict)
        return
    result = verbs.scatter(request, choice, out, shard_bases, overwrite, recorded_as)
    if not result.fresh:
        logger.info(f"{out} already holds these shards: nothing to do")
    logger.info(
        f"{out}: {counted(result.windows, 'window')} of {counted(result.rows, 'row')}, "
        f"{result.bases:,} bp, in {counted(result.shards, 'shard')}{skipped(result.skipped)}"
    )
    if needed := _needed(choice, request.transcripts):
        logger.info(f"give histpred predict {needed} on each shard")
    check_strict(strict, result.skipped, result.past_end, out / "ledger.tsv")


def _refuse_others(given: Mapping[str, Any], vcf: str | None) -> None:
    """Raise UsageError for options that do not go with --vcf, or that only go with it."""
    typed = options.typed(click.get_current_context().params)
    if not vcf:
        if others := [name for name in ONLY_OF_VCF if name in typed]:
            raise UsageError(f"{_flag(others[0])} needs --vcf", "give the VCF that is to be split")
        return
    if others := [name for name in NOT_OF_VCF if name in typed]:
        hint = "omit it; the shards of a VCF have as many alleles as --shard-alleles says"
        raise UsageError(f"--vcf and {_flag(others[0])} exclude each other", hint)
    if not given["bundle"]:
        raise UsageError("--vcf needs a bundle", "give --bundle, as to histpred variants")


def _flag(name: str) -> str:
    return f"--{name.removesuffix('_name').replace('_', '-')}"


def _scatter_vcf(
    vcf: str,
    request: Request,
    choice: EncoderChoice,
    out: Path,
    how: tuple[int, bool, tuple[str, str, str]],
    strict: bool,
) -> None:
    """Split a VCF, and say so; `how`: alleles of a shard, overwrite, and paths for the record."""
    from histpred import verbs

    result = verbs.scatter_variants(vcf, request, choice, out, *how)
    if not result.fresh:
        logger.info(f"{out} already holds these shards: nothing to do")
    logger.info(
        f"{out}: {counted(result.alleles, 'allele')} of {counted(result.records, 'record')}, read "
        f"by {counted(result.windows, 'window')} of {counted(result.rows, 'row')}, in "
        f"{counted(result.shards, 'shard')}{skipped(result.skipped_rows)}"
    )
    if needed := _needed(choice, ()):
        logger.info(f"give histpred variants {needed} on each shard")
    check_strict(strict, {}, result.past_end, out / "ledger.tsv")


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
