"""Arguments and options that several verbs share, each with one spelling and one help text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from histpred.bundle.folder import DEFAULT_BUNDLE
from histpred.commands import completers
from histpred.commands.help_pages import Decorator, option_in
from histpred.commands.numbers import Whole
from histpred.core.cores import limited_threads
from histpred.genome.regions import KINDS

if TYPE_CHECKING:
    from histpred.core.execution import Execution
    from histpred.genome.request import Request
    from histpred.training.settings import About, Recipe, Settings

Record = TypeVar("Record", "Request", "Execution", "Recipe", "Settings", "About")

PATH = click.Path(path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
INPUT = click.Path(readable=False)  # its reader says what is wrong with it
EXISTING = click.Path(exists=True, path_type=Path)

in_output, in_model = option_in("Output"), option_in("Bundle and marks")
in_rows, in_running = option_in("Rows and windows"), option_in("Running")
"""Like `click.option`, for the sections of help that verbs share."""


class NameList(click.ParamType):
    """Names separated by commas. `what` says in an error message what they name."""

    name = "NAME[,NAME...]"

    def __init__(self, what: str) -> None:
        self._what = what

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names without surrounding blanks. Empty names are dropped."""
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in str(value).split(",") if name.strip())
        return names or self.fail(f"no {self._what} named", param, ctx)


def several(*decorators: Decorator) -> Decorator:
    """Join `decorators` into one. The help shows their options in the given order."""

    def apply(function: Callable[..., object]) -> Callable[..., object]:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def widths(text: str) -> tuple[int, ...]:
    """Return the widths of hidden layers from whole numbers separated by commas.

    >>> widths("64,32")
    (64, 32)
    """
    parts = [part.strip() for part in text.split(",")]
    found = [int(part) for part in parts if re.fullmatch("[0-9]{1,9}", part)]
    if len(found) < len(parts) or not all(0 < width < 1 << 16 for width in found):
        raise click.BadParameter(f"not widths of layers: {text[:40]!r}", param_hint="--hidden")
    return tuple(found)


def filled(record: type[Record], given: Mapping[str, object], **others: object) -> Record:
    """Return a NamedTuple whose fields are the parameters of a command that have their names.

    `others` are fields that are no parameters, or take their place.
    """
    fields: dict[str, Any] = {name: given[name] for name in record._fields if name in given}
    return record(**fields | others)


def typed(values: Mapping[str, object]) -> dict[str, object]:
    """Return those of the `values`, by parameter, that the user typed; the others are defaults."""
    source = click.get_current_context().get_parameter_source
    return {
        name: value
        for name, value in values.items()
        if source(name) is click.core.ParameterSource.COMMANDLINE
    }


def encoder_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `choose_encoder` that every verb with an encoder has."""
    return {
        "bundle": given["bundle"],
        "name": given["encoder_name"],
        "chunks": given["chunks"],
        "window": given["kind"],
        "weights": given["weights"],
    }


def window_or(default: str | None) -> Decorator:
    """Return the option --window. Without a `default`, the bundle's window applies."""
    shown = default or "the bundle's"
    return in_rows(
        "--window",
        "kind",
        default=default,
        metavar="KIND[:UP[:DOWN]]",
        shell_complete=completers.one_of(KINDS),
        help=f"Window kind ({', '.join(KINDS)}) and lengths in bp: context:UP, "
        f"promoter:UP:DOWN, interval:UP:DOWN. [default: {shown}]",
    )


def out(
    metavar: str,
    text: str,
    kind: click.Path = FOLDER,
    required: bool = True,
    writes: str = "a folder",
) -> Decorator:
    """Return the option -o with its help text.

    writes: what the verb writes, which cannot go to standard output; empty: it can.
    """
    check = no_stream(writes) if writes else None
    named = {"required": required, "type": kind, "metavar": metavar, "help": text}
    return in_output("-o", "--out", callback=check, **named)


def no_stream(writes: str) -> Callable[[click.Context, click.Parameter, Path | None], Path | None]:
    """Return a callback of -o that refuses '-'; `writes` says what the verb writes."""

    def check(
        context: click.Context, parameter: click.Parameter, value: Path | None
    ) -> Path | None:
        if value is not None and str(value) == "-":
            what = f"{context.info_name} writes {writes}, which cannot go to standard output"
            raise click.BadParameter(f"{what}; give its name", context, parameter)
        return value

    return check


annotation = click.argument("annotation", metavar="ANNOTATION", type=INPUT)
fasta = click.argument("fasta", metavar="FASTA", type=INPUT)
scores = click.argument("scores", type=PATH)
labelled_genomes = several(
    click.argument("annotation", metavar="SHEET|ANNOTATION", type=INPUT),
    click.argument("fasta", metavar="[FASTA", type=INPUT, required=False),
    click.argument("labels", metavar="LABELS]", type=EXISTING, required=False),
)
bundle = in_model(
    "--bundle",
    default=DEFAULT_BUNDLE,
    metavar="NAME|DIR",
    shell_complete=completers.bundles,
    help="Shipped bundle (histpred bundle list), or the folder of a bundle.",
)
encoder = several(
    in_model(
        "--bundle",
        metavar="NAME|DIR",
        shell_complete=completers.bundles,
        help="Bundle that names the encoder, the chunks and the windows. [default: none]",
    ),
    in_model(
        "--encoder",
        "encoder_name",
        metavar="NAME",
        shell_complete=completers.encoders,
        help="Published encoder (histpred encoders list) or a kind such as 'kmer', in place of a "
        "bundle. [default: the bundle's]",
    ),
    in_model(
        "--chunks",
        metavar="window:BP|grid:BP",
        help="How windows are cut into chunks of BP bases: from their 5' end, or at bins of the "
        "genome that windows share. [default: the bundle's, or window:BP of the encoder's usual "
        "length]",
    ),
)
marks = in_model(
    "--marks",
    type=NameList("mark"),
    shell_complete=completers.marks,
    default=(),
    help="Use only these marks. [default: all marks]",
)
call_precision = in_model(
    "--call-precision",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SHARE",
    help="Precision that calls should have, from 0 to 1. Marks that cannot reach it are not "
    "called. [default: the bundle's thresholds]",
)
biotype = in_rows(
    "--biotype",
    "biotypes",
    type=NameList("biotype"),
    shell_complete=completers.biotypes,
    default=(),
    help="Read only these biotypes; 'ncRNA' and 'lncRNA' stand for all their classes. [default: "
    "all biotypes]",
)
by = in_rows(
    "--by",
    "level",
    type=click.Choice(["gene", "transcript"]),
    help="Make one window for each gene, or each transcript. [default: gene; transcript for "
    "spliced windows]",
)
tile = in_rows(
    "--tile",
    type=Whole(1),
    metavar="BP",
    help="Cut rows, or all of FASTA, into tiles of BP bases, and score each as an interval. "
    "[default: rows are not cut]",
)
unstranded = in_rows(
    "--unstranded", is_flag=True, help="Read rows with strand '.' as '+'. [default: refuse them]"
)
device = in_running(
    "--device",
    default="auto",
    metavar="auto|cpu|cuda|cuda:N|mps",
    shell_complete=completers.one_of(["auto", "cpu", "cuda", "mps"]),
    help="Device that embeds and scores.",
)
precision = in_running(
    "--precision",
    type=click.Choice(["auto", "fp32", "fp16", "bf16", "int8"]),
    default="auto",
    help="Numerical precision of torch encoders. auto: fp32 on a CPU, fp16 on CUDA.",
)
store = in_running(
    "--store",
    type=FOLDER,
    metavar="DIR",
    help="Folder that keeps embeddings for later runs. [default: with the output, until the run "
    "succeeds]",
)
weights = in_running(
    "--weights",
    type=EXISTING,
    metavar="PATH",
    help="Folder or file of the encoder's weights. [default: the bundle's folder, or that of "
    "'histpred encoders get']",
)
strict = in_running(
    "--strict",
    is_flag=True,
    help="End with exit code 3 if a row is skipped or clipped.",
)
overwrite = in_output("--overwrite", is_flag=True, help="Replace an existing output of histpred.")
cache = in_running(
    "--cache",
    type=FOLDER,
    envvar="HISTPRED_CACHE",
    metavar="DIR",
    help="Folder that keeps FASTA indexes and copies for later runs; also HISTPRED_CACHE. "
    "[default: a temporary folder, removed at the end]",
)
quiet = in_running("-q", "--quiet", is_flag=True, help="Show only warnings and errors.")


def threads(function: Callable[..., object]) -> Callable[..., object]:
    """Add -t to a verb, which then computes with at most so many threads."""

    @in_running(
        "-t",
        "--threads",
        type=Whole(1),
        metavar="N",
        help="Largest number of threads. [default: all cores that the machine, container or Slurm "
        "allows]",
    )
    @wraps(function)
    def limited(*arguments: object, threads: int | None, **given: object) -> object:
        with limited_threads(threads):
            return function(*arguments, **given)

    return limited


annotation_rows = several(biotype, by, unstranded)
selection = several(biotype, by, window_or(None), unstranded)
running = several(strict, overwrite, cache, quiet)
embedding = several(device, precision, weights)
