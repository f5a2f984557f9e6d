"""A VCF, annotation and genome to shards: parts of the VCF that can be scored side by side.

What is judged for all alleles together is judged here, once. A shard is a part of the VCF with a
note in its header, and a table of the windows that read its alleles.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from histpred.bundle.encoding import EncoderChoice
from histpred.bundle.outputs import window_for
from histpred.core.errors import InputError
from histpred.core.finished import held, is_ours, write_record
from histpred.core.hts import quiet_htslib
from histpred.core.journal import file_digest
from histpred.core.log import tell
from histpred.core.output import output_folder, refuse_inputs, temporary_faults
from histpred.core.version import __version__
from histpred.encoders.chunks import check_window
from histpred.genome.ledger import LEDGER
from histpred.genome.naming import refuse_names
from histpred.genome.plan import OpenWindows, open_windows, scorable
from histpred.genome.regions import INTERVAL
from histpred.genome.request import Request
from histpred.genome.table import TABLE_HEADER, table_row
from histpred.genome.vcf import Variants, open_variants
from histpred.genome.vcf_note import ShardNote
from histpred.genome.vcf_reading import read_variants
from histpred.genome.vcf_shards import part_of, write_parts
from histpred.genome.vcf_spool import AlleleSpool
from histpred.scoring.domain import Surroundings, input_warnings
from histpred.scoring.provenance import input_records
from histpred.scoring.scatter import SCATTER, SHARDS, shards_in
from histpred.scoring.scatter_variants_record import (
    ScatteredVariants,
    ScatterVariantsIdentity,
    ScatterVariantsRecord,
    VariantsShard,
    identity_of,
)
from histpred.scoring.tables import FORMATS
from histpred.scoring.variants_resolution import WINDOWS
from histpred.scoring.variants_tables import header_with_tag
from histpred.scoring.variants_windows import alleles_of, tile_rows


class _Scattering(NamedTuple):
    """What is open; contigs: the FASTA's by the VCF's; starts: of each part, its first allele."""

    file: Variants
    choice: EncoderChoice
    windows: OpenWindows
    spool: AlleleSpool
    contigs: dict[str, str | None]
    starts: list[int]
    work: Path


class _Tables(NamedTuple):
    """The windows that read alleles: of each part, of all, and the first ones, as rows of a table.

    warnings: sentences about them.
    """

    held: list[int]
    read: int
    first: tuple[str, ...]
    warnings: list[str]


def scatter_variants(
    vcf: str,
    request: Request,
    choice: EncoderChoice,
    out: Path,
    shard_alleles: int,
    overwrite: bool = False,
    recorded_as: tuple[str, str, str] | None = None,
) -> ScatteredVariants:
    """Write parts of a VCF to `out/shards`, with their windows, the ledger and scatter.json.

    `shard_alleles` is the most alleles that a part has, give or take those of a record. The parts
    have about the same number. `recorded_as`: paths of VCF, annotation and FASTA for the record;
    None: the given ones. Raises HistpredError for what `variants` would refuse, but for devices and
    for bundles that resolve nothing; nothing is published then.
    """
    check_window(choice.chunks, choice.window.kind)
    inputs = [vcf, *request.files]
    refuse_inputs([out / SCATTER, out / LEDGER, *shards_in(out)], inputs)
    with quiet_htslib(), temporary_faults(), ExitStack() as stack:
        file = stack.enter_context(open_variants(vcf))
        refuse_shard(file)
        header_with_tag(file)
        identify = partial(identity_of, vcf, request, choice, shard_alleles)
        path, what = out / SCATTER, "other shards"
        if known := held(path, ScatterVariantsRecord, what, identify, overwrite):
            return known.result.of_before()

        names = [LEDGER, SCATTER]
        work = stack.enter_context(output_folder(out, names, is_ours))
        (work / SHARDS).mkdir()
        windows = stack.enter_context(open_windows(request, choice.window, work, FORMATS))
        warnings = input_warnings(windows, choice)
        spool = stack.enter_context(AlleleSpool(work))
        contigs = read_variants(file, windows.reference, spool)
        refuse_names(windows.reference.name, [*filter(None, contigs.values())], FORMATS)
        starts = spool.starts(max(1, -(-spool.count // shard_alleles)))
        scattering = _Scattering(file, choice, windows, spool, contigs, starts, work)
        shards, tables = _write_shards(scattering)
        tell([], tables.warnings)
        windows.ledger.write(work / LEDGER)

        paths = recorded_as or (vcf, request.annotation, request.fasta)
        made = shards, tables, warnings
        record = _record(scattering, identify(windows), made, paths)
        write_record(work / SCATTER, record)
        # Remove what an earlier scattering into other shards left, even if it was killed.
        left = (f"{SHARDS}/{path.name}" for path in shards_in(out))
        names[:] = [*dict.fromkeys([*left, *record.outputs]), SCATTER]
    return record.result


def refuse_shard(file: Variants) -> None:
    """Raise InputError for a VCF that is a part already."""
    if file.shard:
        raise InputError(file.name, "is a shard of a VCF already", "scatter the whole VCF")


def _record(
    given: _Scattering,
    identity: ScatterVariantsIdentity,
    made: tuple[list[VariantsShard], _Tables, list[str]],
    paths: tuple[str, str, str],
) -> ScatterVariantsRecord:
    """What scatter.json holds; `made`: shards, their tables, and warnings."""
    (shards, tables, warnings), choice = made, given.choice
    annotation, fasta = input_records(paths[1:], given.windows)
    outputs = {one.table: one.table_sha256 for one in shards}
    outputs |= {one.file: one.sha256 for one in shards}
    return ScatterVariantsRecord(
        identity=identity,
        expensive=choice.is_expensive,
        result=_result(given, shards, tables.read),
        marks=tuple(mark.name for mark in choice.scored),
        warnings=warnings,
        warnings_of_windows=tables.warnings,
        vcf=paths[0],
        annotation=annotation,
        fasta=fasta,
        shards=shards,
        outputs=outputs | {LEDGER: file_digest(given.work / LEDGER)},
    )


def _result(given: _Scattering, shards: Sequence[VariantsShard], read: int) -> ScatteredVariants:
    return ScatteredVariants(
        records=sum(shard.records for shard in shards),
        alleles=given.spool.count,
        windows=read,
        shards=len(shards),
        rows=given.windows.ledger.rows,
        skipped_rows=given.windows.ledger.skipped,
        past_end=given.windows.plan.past_end,
    )


def _write_shards(given: _Scattering) -> tuple[list[VariantsShard], _Tables]:
    """Write tables and parts; the shards, and what is known of the windows."""
    digits = max(4, len(str(len(given.starts))))
    names = [f"{number:0{digits}}" for number in range(1, len(given.starts) + 1)]
    tables = [given.work / SHARDS / f"{name}.tsv" for name in names]
    parts = [given.work / SHARDS / f"{name}.vcf.gz" for name in names]
    found = _write_tables(given, tables)
    digests = [file_digest(table) for table in tables]
    reference, bundle = given.windows.reference, given.choice.required_bundle.identity
    tiles = _measured_tiles(given)
    renamed = {name: contig for name, contig in given.contigs.items() if contig != name}

    def note_of(part: int, first: int) -> ShardNote:
        return ShardNote(
            histpred=__version__,
            first=first,
            annotation_sha256=digests[part],
            fasta_sha256=reference.digest,
            bundle=bundle,
            window=str(given.choice.window),
            contigs=renamed,
            windows=found.first,
            tiles=tiles,
        )

    counts = write_parts(given.file, given.starts, parts, note_of)
    shards = [
        VariantsShard(
            file=f"{SHARDS}/{part.name}",
            table=f"{SHARDS}/{table.name}",
            records=records,
            alleles=alleles,
            windows=count,
            sha256=file_digest(part),
            table_sha256=digest,
        )
        for part, table, digest, count, (records, alleles) in zip(
            parts, tables, digests, found.held, counts, strict=True
        )
    ]
    return shards, found


def _write_tables(given: _Scattering, tables: Sequence[Path]) -> _Tables:
    """Write the windows that read alleles of each part."""
    opened, spool = given.windows, given.spool
    around = Surroundings(opened.annotation.format)
    first: list[str] = []
    held, read = [0] * len(tables), 0
    for table in tables:
        table.write_text(f"{TABLE_HEADER}\n", encoding="utf-8", newline="\n")
    for batch in scorable(opened.ledger, opened.reference, given.choice.window):
        lines: defaultdict[int, list[str]] = defaultdict(list)
        for row in batch:
            alleles = alleles_of(row.window, spool)
            if not alleles:
                continue
            around.add([row])
            line = table_row(row)
            for part in sorted({part_of(allele.number, given.starts) for allele in alleles}):
                lines[part].append(line)
            read += 1
            if len(first) < WINDOWS:
                first.append(line.rstrip("\n"))
        for part, some in lines.items():
            held[part] += len(some)
            with open(tables[part], "a", encoding="utf-8", newline="\n") as target:
                target.writelines(some)
    return _Tables(held, read, tuple(first), around.warnings())


def _measured_tiles(given: _Scattering) -> tuple[tuple[str, int], ...]:
    """Contig and start of the first tiles with alleles; none if the bundle scores no intervals."""
    bundle = given.choice.required_bundle
    if not bundle.manifest.interval:
        return ()
    spec, tile = window_for(bundle, INTERVAL), bundle.manifest.interval.resolution
    rows = tile_rows(given.spool, given.windows.reference, spec, tile)
    return tuple((row.window.chrom, row.window.start) for row, _ in islice(rows, WINDOWS))
