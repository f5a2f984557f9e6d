"""Arguments and options that several verbs share: one spelling, one help text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from histpred.core.regions import KINDS
from histpred.models.bundle import DEFAULT_BUNDLE

Decorator = Callable[[Callable[..., object]], Callable[..., object]]


class BiotypeList(click.ParamType):
    """Names separated by commas."""

    name = "NAME[,NAME...]"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names, without blanks and empty ones."""
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in str(value).split(",") if name.strip())
        return names or self.fail("no biotype named", param, ctx)


annotation = click.argument("annotation", metavar="ANNOTATION")
fasta = click.argument("fasta", metavar="FASTA")
bundle = click.option(
    "--bundle",
    default=DEFAULT_BUNDLE,
    metavar="NAME|DIR",
    show_default=True,
    help="Bundle: a shipped one (histpred bundle list) or a folder.",
)
biotype = click.option(
    "--biotype",
    "biotypes",
    type=BiotypeList(),
    default=(),
    show_default=False,
    help="Only these biotypes; 'ncRNA' and 'lncRNA' stand for all their names in GENCODE, "
    "Ensembl and NCBI. "
    "[default: all]",
)
by = click.option(
    "--by",
    "level",
    type=click.Choice(["gene", "transcript"]),
    help="One window for each gene or each transcript of a GTF or GFF3. "
    "[default: gene; transcript for spliced windows]",
)
window = click.option(
    "--window", "kind", type=click.Choice(KINDS), help="Kind of window. [default: the bundle's]"
)
unstranded = click.option(
    "--unstranded",
    is_flag=True,
    help="Read rows with the strand '.' as '+'. [default: refuse them]",
)
device = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda|cuda:N|mps",
    help="Where to embed and score; a device that is named and not there is an error.",
)
precision = click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "fp16", "bf16", "int8"]),
    default="auto",
    show_default=True,
    help="Of an encoder that runs on torch: fp32 or int8 on a CPU, fp16, bf16 or fp32 on CUDA. "
    "auto: fp32 on a CPU, fp16 on CUDA.",
)
weights = click.option(
    "--weights",
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="Folder (or the one file) of the encoder's weights. "
    "[default: the bundle's folder, or where 'histpred encoders get' puts them]",
)
strict = click.option(
    "--strict",
    is_flag=True,
    help="End with exit code 3 if a row was skipped or ends past its contig.",
)
overwrite = click.option(
    "--overwrite", is_flag=True, help="Replace an existing output of histpred."
)
cache = click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="HISTPRED_CACHE",
    metavar="DIR",
    help="Folder that keeps private FASTA indexes and copies for the next run; "
    "also HISTPRED_CACHE. "
    "[default: made anew in the output's place, removed at the end]",
)
quiet = click.option("-q", "--quiet", is_flag=True, help="Warnings and errors only.")


def several(*decorators: Decorator) -> Decorator:
    """`decorators` as one, in the order in which the help shows them."""

    def apply(function: Callable[..., object]) -> Callable[..., object]:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


selection = several(biotype, by, window, unstranded)
running = several(strict, overwrite, cache, quiet)
embedding = several(device, precision, weights)
