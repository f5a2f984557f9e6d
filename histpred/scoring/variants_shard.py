"""A part of a VCF that `histpred scatter` wrote: what `histpred variants` takes from its note."""

from __future__ import annotations

from histpred.bundle.encoding import EncoderChoice
from histpred.core.errors import InputError
from histpred.core.finished import differences
from histpred.core.version import __version__
from histpred.genome.plan import OpenWindows
from histpred.genome.reference import Reference
from histpred.genome.table import read_windows
from histpred.genome.vcf import Variants
from histpred.genome.vcf_note import ShardNote
from histpred.genome.windows import Row, place_unchanged
from histpred.scoring.alternatives import Alternatives
from histpred.scoring.variants_windows import Outputs, row_with_bases, tile_row

LIKE_SCATTER = (
    "give the table of windows beside the shard, and the FASTA, --bundle and --window that scatter "
    "was given"
)


def refuse_other(variants: Variants, windows: OpenWindows, choice: EncoderChoice) -> None:
    """Raise InputError if a part of a VCF comes with other inputs than scatter made it for."""
    if note := variants.shard:
        made = {
            "histpred": note.histpred,
            "annotation sha256": note.annotation_sha256,
            "FASTA sha256": note.fasta_sha256,
            "bundle": note.bundle,
            "window": note.window,
        }
        now = {
            "histpred": __version__,
            "annotation sha256": windows.annotation.digest,
            "FASTA sha256": windows.reference.digest,
            "bundle": choice.required_bundle.identity,
            "window": str(choice.window),
        }
        if found := differences(made, now):
            what = f"this is a shard; what differs from its scattering: {'; '.join(found)}"
            raise InputError(variants.name, what, LIKE_SCATTER)


def measured_rows(
    note: ShardNote, reference: Reference, outputs: Outputs
) -> tuple[list[Row], Alternatives | None]:
    """The windows of the whole VCF that measure what a bundle resolves, and what scores them."""
    rows: list[Row | None] = []
    if outputs.windows and note.windows:
        spec = outputs.windows.bundle.choice.window
        for feature in read_windows("measured windows", enumerate(note.windows, 1)):
            length = reference.lengths[feature.chrom]
            window = place_unchanged(feature, feature.chrom, length).window
            rows.append(window and row_with_bases(window, reference, spec))
        return [row for row in rows if row], outputs.windows
    if outputs.tiles:
        spec = outputs.tiles.bundle.choice.window
        for contig, start in note.tiles:
            rows.append(tile_row(contig, start, reference, spec, outputs.tile))
        return [row for row in rows if row], outputs.tiles
    return [], None
