"""Arguments and options that several verbs share: one spelling, one help text."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import click

from histpred.bundle.folder import DEFAULT_BUNDLE
from histpred.core.errors import UsageError, first_few
from histpred.genome.regions import KINDS

Decorator = Callable[[Callable[..., object]], Callable[..., object]]


class NameList(click.ParamType):
    """Names separated by commas; `what` they are of."""

    name = "NAME[,NAME...]"

    def __init__(self, what: str) -> None:
        self._what = what

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names, without blanks and empty ones."""
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in str(value).split(",") if name.strip())
        return names or self.fail(f"no {self._what} named", param, ctx)


def several(*decorators: Decorator) -> Decorator:
    """`decorators` as one, in the order in which the help shows them."""

    def apply(function: Callable[..., object]) -> Callable[..., object]:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def widths(text: str) -> tuple[int, ...]:
    """Whole numbers separated by commas, of layers.

    >>> widths("64,32")
    (64, 32)
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 0 < int(part) < 1 << 16 for part in parts):
        raise click.BadParameter(f"not widths of layers: {text!r}", param_hint="--hidden")
    return tuple(map(int, parts))


def inputs(annotation: str, fasta: str | None, tile: int | None) -> tuple[str, str]:
    """ANNOTATION and FASTA, of which the first may be left out with --tile: the FASTA is both then.

    Raises UsageError where one is missing.
    """
    if fasta is None and not tile:
        raise UsageError(
            f"only one file was given: {annotation}",
            "give ANNOTATION and FASTA, or --tile BP to score a FASTA's whole contigs",
        )
    return annotation, fasta or annotation


def need(extra: str, but: str | None = None) -> None:
    """Raise UsageError unless the packages of `extra`, but one, are installed, before any work."""
    packages = {
        "train": ("torch", "sklearn", "scipy", "matplotlib", "jinja2", "onnx", "pyarrow"),
        "anndata": ("anndata", "pyarrow"),
        "labels": ("pybedtools", "sklearn", "scipy", "matplotlib"),
        "report": ("jinja2", "markdown_it", "matplotlib", "scipy", "igv_notebook"),
    }
    wanted = [name for name in packages[extra] if name != but]
    missing = [name for name in wanted if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"this needs {first_few(missing)}, which is not installed",
            f"pip install 'histpred[{extra}]', or from a checkout HISTPRED_EXTRAS={extra} "
            "bin/histpred ...",
        )


def window_or(default: str | None) -> Decorator:
    """The option --window; without a `default`, the bundle's window is meant."""
    told = default or "the bundle's"
    return click.option(
        "--window",
        "kind",
        default=default,
        metavar="KIND[:UP[:DOWN]]",
        help=f"Kind of window ({', '.join(KINDS)}), with bp upstream for context:UP, upstream and "
        "downstream of the TSS for promoter:UP:DOWN, of the middle for interval:UP:DOWN. "
        f"[default: {told}]",
    )


def out_folder(metavar: str, told: str) -> Decorator:
    """The option -o of verbs that write a folder; `told`: its help."""
    return click.option(
        "-o",
        "--out",
        required=True,
        type=click.Path(file_okay=False, path_type=Path),
        metavar=metavar,
        help=told,
    )


annotation = click.argument("annotation", metavar="ANNOTATION")
fasta = click.argument("fasta", metavar="FASTA")
annotation_or_contigs = several(
    click.argument("annotation", metavar="[ANNOTATION]"),
    click.argument("fasta", metavar="FASTA", required=False),
)
scores = click.argument("scores", type=click.Path(path_type=Path))
labels = click.argument("labels", metavar="LABELS", type=click.Path(exists=True, path_type=Path))
bundle = click.option(
    "--bundle",
    default=DEFAULT_BUNDLE,
    metavar="NAME|DIR",
    show_default=True,
    help="Bundle: a shipped one (histpred bundle list) or a folder.",
)
encoder = several(
    click.option(
        "--bundle", metavar="NAME|DIR", help="Take encoder, chunks and windows from this bundle."
    ),
    click.option(
        "--encoder",
        "encoder_name",
        metavar="NAME",
        help="A published encoder (histpred encoders list) or 'kmer', in place of a bundle.",
    ),
    click.option(
        "--chunks",
        metavar="window:BP|grid:BP",
        help="How windows are cut: from their 5' end on, or by bins of the genome, which "
        "overlapping windows share. [default: the bundle's, or window chunks of the encoder's "
        "usual length]",
    ),
)
marks = click.option(
    "--marks",
    type=NameList("mark"),
    default=(),
    show_default=False,
    help="Only these marks. [default: all that there are]",
)
biotype = click.option(
    "--biotype",
    "biotypes",
    type=NameList("biotype"),
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
window = window_or(None)
tile = click.option(
    "--tile",
    type=click.IntRange(1),
    metavar="BP",
    help="Cut rows into tiles that begin at multiples of BP, each scored as an interval; without "
    "ANNOTATION, all of FASTA. [default: rows as they are]",
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
store = click.option(
    "--store",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of embeddings that outlives the run: what it has is not computed again. "
    "[default: those of a large encoder are kept with the output until the run has succeeded]",
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


rows = several(biotype, by, unstranded)
selection = several(biotype, by, window, unstranded)
running = several(strict, overwrite, cache, quiet)
embedding = several(device, precision, weights)
