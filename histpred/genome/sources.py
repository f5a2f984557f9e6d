"""Annotations that are no file: the contigs of a FASTA, typed regions, and sequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from histpred.core.errors import InputError, UsageError, first_few
from histpred.genome.annotation import Annotation, open_annotation
from histpred.genome.reference import Reference
from histpred.genome.regions import INTERVAL, Feature
from histpred.genome.request import FILE, REGIONS, SEQUENCES, Request, text_digest
from histpred.genome.transcript_headers import read_header
from histpred.genome.typed_regions import Region, parse_regions
from histpred.genome.windows import WindowSpec

CONTIGS = "contigs"
TYPED = "<regions>"  # the name of typed regions in messages


@contextmanager
def open_inputs(
    request: Request, spec: WindowSpec, work: Path
) -> Iterator[tuple[Annotation, Reference]]:
    """Open the annotation and the genome of a request.

    With tiles, the FASTA may also be the annotation; each contig is then a row. Temporary files go
    to `work`, and so do private indexes of the genome if the request has no cache.
    """
    private = request.cache or work
    typed = _typed(request, spec) if request.source == REGIONS else ()
    whole = spec.tile and request.annotation == request.fasta
    if request.source == FILE and not whole:
        selection = spec.kind, request.level, request.biotypes, request.genes
        with (
            open_annotation(request.annotation, work, *selection) as annotation,
            Reference(request.fasta, private) as reference,
        ):
            yield annotation, reference
        return
    with Reference(request.fasta, private, rna=request.source == SEQUENCES) as reference:
        if request.source == REGIONS:
            yield Regions(reference, request, typed), reference
        elif request.source == SEQUENCES:
            yield Sequences(reference, request), reference
        else:
            yield Contigs(reference, request), reference


class _Unfiled(Annotation):
    """Rows that come from no file of their own; they have neither biotypes nor names of genes."""

    def __init__(self, name: str, format_: str, request: Request) -> None:
        for option, given in (("--biotype", request.biotypes), ("--genes", request.genes)):
            if given:
                what = f"{option} was given, but {format_} have no {option[2:].rstrip('s')}s"
                raise UsageError(what, f"omit {option}, or give an annotation")
        self.name, self.format = name, format_
        self.taxon_id = self.genome_build = self.genes = None
        self.aliases, self.circular, self.biotypes, self._selected = {}, set(), set(), ()


class Contigs(_Unfiled):
    """The contigs of a FASTA as an annotation, one row each."""

    rows = CONTIGS

    def __init__(self, reference: Reference, request: Request) -> None:
        super().__init__(reference.name, self.rows, request)
        self._reference = reference

    @property
    def digest(self) -> str:
        """The sha256 of the FASTA."""
        return self._reference.digest

    def __iter__(self) -> Iterator[Feature]:
        for number, (contig, length) in enumerate(self._reference.lengths.items(), 1):
            yield Feature(number, contig, 0, length, "+", contig)


class Sequences(Contigs):
    """The records of a FASTA, each a sequence and a transcript of one exon by itself.

    Headers of Ensembl and GENCODE state its ID, gene and biotype; others are only a name.
    """

    rows = SEQUENCES

    def __iter__(self) -> Iterator[Feature]:
        descriptions = self._reference.descriptions()
        for feature in super().__iter__():
            header = read_header(feature.name, descriptions[feature.name])
            known = feature._replace(
                name=header.transcript,
                gene_id=header.gene_id,
                biotype=header.biotype,
                exons=((feature.start, feature.end),),
                gene_biotype=header.gene_biotype,
                gene_name=header.gene_name,
            )
            yield known if header.gene_name == "." else known.with_note(f"gene {header.gene_name}")


class Regions(_Unfiled):
    """Typed regions as an annotation, one row each.

    Raises InputError for a region that does not lie on a contig of the FASTA.
    """

    def __init__(self, reference: Reference, request: Request, regions: Iterable[Region]) -> None:
        super().__init__(TYPED, REGIONS, request)
        self._text = request.annotation
        self._rows: list[Feature] = []
        for number, region in enumerate(regions, 1):
            contig = reference.names.resolve(region.contig)
            if contig is None:
                where = "" if region.whole else f", for {region}"
                found = f"has no contig {region.contig}, or several that match{where}"
                hint = f"it has {first_few(reference.lengths)}; is it of the same assembly?"
                raise InputError(reference.name, found, hint)
            if region.end > reference.lengths[contig]:
                found = f"{region} ends past {contig}, which has {reference.lengths[contig]:,} bp"
                hint = "end the region there; or is the FASTA of another assembly?"
                raise InputError(reference.name, found, hint)
            self._rows.append(region.feature(number, reference.lengths[contig]))

    @property
    def digest(self) -> str:
        """The sha256 of the text."""
        return text_digest(self._text)

    def __iter__(self) -> Iterator[Feature]:
        yield from self._rows


def _typed(request: Request, spec: WindowSpec) -> tuple[Region, ...]:
    """The typed regions of a request; UsageError for a contig that is to be one interval."""
    regions = parse_regions(request.annotation, lambda word: True)
    for region in regions:
        if region.whole and spec.kind == INTERVAL and not spec.tile:
            what = f"{region} is a whole contig, and an interval is scored at its middle"
            hint = "to score all of it, add --tile 200; for a part, write its start and end"
            raise UsageError(what, f"{hint}: {region}:20,100,000-20,104,000")
    return regions
