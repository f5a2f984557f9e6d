"""What goes in: an annotation, typed regions, names of genes or sequences, and the FASTA."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from histpred.commands.options import INPUT, filled, in_rows, several
from histpred.core.errors import UsageError, first_few
from histpred.core.log import logger
from histpred.genome.regions import BODY, INTERVAL, PROMOTER

if TYPE_CHECKING:
    from histpred.bundle.encoding import EncoderChoice
    from histpred.genome.genomes import GenomeInput

REGION = "chr22:20,100,000-20,104,000"


class Genes(click.ParamType):
    """Names of genes separated by commas, or a file with one name a line."""

    name = "NAME[,NAME...]|FILE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names. A file of that name counts before a gene of that name."""
        from histpred.genome.gene_list import read_gene_list

        if isinstance(value, tuple):
            return value
        text = str(value)
        if os.path.exists(text) and not os.path.isdir(text):
            return read_gene_list(text)
        if "/" in text or Path(text).suffix in (".txt", ".tsv", ".csv", ".list", ".gz"):
            self.fail(f"{text}: no such file of names", param, ctx)
        names = tuple(name.strip() for name in text.split(",") if name.strip())
        return names or self.fail("no gene named", param, ctx)


annotation_or_regions = several(
    click.argument("annotation", metavar="[ANNOTATION|REGION...]", nargs=-1, type=INPUT),
    click.argument("fasta", metavar="FASTA", type=INPUT),
)
genes = in_rows(
    "--genes",
    type=Genes(),
    default=(),
    help="Read only genes with these names or IDs, or with those in a file, one a line. [default: "
    "all genes]",
)
sequences = in_rows(
    "--sequences",
    is_flag=True,
    help="Without ANNOTATION: read each record of FASTA as a sequence, not as a genome.",
)


transcripts = in_rows(
    "--transcripts",
    multiple=True,
    type=INPUT,
    metavar="FASTA",
    help="Take the sequences of spliced windows from this file, by transcript ID. May be "
    "repeated. [default: exons are joined]",
)


def read_inputs(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a command with what its words before FASTA stand for.

    `annotation` is then one path, or the text of typed regions; `source` says which. Regions are
    intervals, unless there is a --window. Raises UsageError for words that are neither.
    """
    from histpred.genome.request import FILE, REGIONS, SEQUENCES

    words, fasta, tile = given["annotation"], given["fasta"], given.get("tile")
    words = [words] if isinstance(words, str) else list(words)
    if given.get("sequences"):
        if words or tile:
            other = f"the annotation {words[0]}" if words else "--tile"
            raise UsageError(f"--sequences and {other} exclude each other", "omit one of them")
        kind = given["kind"] or _window(SEQUENCES, given["bundle"])
        return {**given, "annotation": fasta, "kind": kind, "source": SEQUENCES}
    if not words:
        return {**given, **_alone(fasta, tile), "source": FILE}
    if found := _regions([*words, fasta]):
        kind = given["kind"] or (None if tile else _window(REGIONS, given["bundle"]))
        return {**given, **found, "kind": kind, "source": REGIONS}
    if len(words) > 1:
        raise UsageError(
            f"{len(words)} annotations were given: {first_few(words)}",
            f"give one, or join them with cat; or type regions, such as {REGION}",
        )
    return {**given, "annotation": words[0], "source": FILE}


def choice_of(given: Mapping[str, Any]) -> EncoderChoice:
    """Return the encoder of the bundle, for the windows and marks that the options name."""
    from histpred.bundle.encoding import bundle_encoder
    from histpred.bundle.folder import load_bundle

    bundle = load_bundle(given["bundle"])
    choice = bundle_encoder(bundle, given["kind"], given.get("tile"), given["weights"])
    return choice._replace(marks=given["marks"], call_precision=given.get("call_precision"))


def genomes_of(given: Mapping[str, Any]) -> tuple[GenomeInput, ...]:
    """Return the genome that three arguments name, or those of a sheet.

    Raises UsageError for any other number of arguments.
    """
    from histpred.genome.genomes import one_genome, read_genomes
    from histpred.genome.request import Request

    request = filled(Request, given, fasta=given["fasta"] or "")
    if given["fasta"] is None:
        return read_genomes(given["annotation"], request)
    if given["labels"] is None:
        raise UsageError(
            f"two files were given: {given['annotation']} and {given['fasta']}",
            "give ANNOTATION, FASTA and LABELS, or a sheet of genomes (.csv or .tsv)",
        )
    return one_genome(request, given["labels"])


def _window(source: str, bundle: str | None) -> str:
    """The window kind of regions or sequences, for a bundle or, without one, for an encoder."""
    from histpred.bundle.folder import load_bundle
    from histpred.bundle.organisms import in_words
    from histpred.bundle.outputs import window_of_regions, window_of_sequences
    from histpred.genome.request import REGIONS

    if bundle is None:
        return INTERVAL if source == REGIONS else BODY
    loaded = load_bundle(bundle)
    if source == REGIONS:
        return window_of_regions(loaded)
    kind, manifest = window_of_sequences(loaded), loaded.manifest
    trained = in_words(manifest.species)
    logger.info(f"{manifest.name} was trained on {trained}: are the sequences of it?")
    if kind == INTERVAL and manifest.window.kind == PROMOTER:
        hint = "if a TSS is at their middle, add --window promoter"
        logger.info(f"sequences are scored as intervals; {hint}")
    return kind


def _alone(fasta: str, tile: int | None) -> dict[str, str]:
    """Annotation and FASTA, if only one word was given."""
    from histpred.genome.typed_regions import like_regions

    if not os.path.exists(fasta) and like_regions(fasta):
        raise UsageError(f"no FASTA was given, only {fasta}", "give the FASTA after the regions")
    if not tile:
        raise UsageError(
            f"only one file was given: {fasta}",
            f"give ANNOTATION and FASTA, or regions such as {REGION} and FASTA; or score a FASTA "
            "alone: its whole contigs with --tile BP, or each record with --sequences",
        )
    return {"annotation": fasta, "fasta": fasta}


def _regions(words: Sequence[str]) -> dict[str, str] | None:
    """The text of the regions and the FASTA among the words; None if there are no regions.

    The FASTA comes last. As with samtools, it may also come first.
    """
    from histpred.genome.typed_regions import (
        canonical,
        like_regions,
        names_contig,
        parse_regions,
    )

    files = [word for word in words if os.path.exists(word)]
    *typed, fasta = words
    if typed == ["-"] or (len(words) == 2 and words[0] in files and not like_regions(fasta)):
        return None
    if files == [words[0]]:
        fasta, *typed = words
    text = " ".join(typed)

    def is_contig(word: str) -> bool:
        return word not in files and names_contig(word, fasta)

    if not like_regions(text) and not all(map(is_contig, typed)):
        return None
    if annotations := [word for word in files if word in typed]:
        found = f"regions were typed beside the file {annotations[0]}"
        raise UsageError(found, "give either an annotation or regions, then the FASTA")
    return {"annotation": canonical(parse_regions(text, is_contig)), "fasta": fasta}
