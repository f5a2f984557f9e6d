"""The folder of a hub: written whole, in place of an earlier one, on the genome of its tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from histpred.core.hts import quiet_htslib
from histpred.core.output import output_folder, temporary_faults
from histpred.genome.reference import same_genome
from histpred.scoring import derived
from histpred.scoring.derived import HUB


@contextmanager
def hub_folder(out: Path, overwrite: bool) -> Iterator[tuple[Path, list[str]]]:
    """Yield a private folder, and a list that gets the names of the hub's files, hub.txt last.

    On success the files move to `out`, and those of an earlier hub that this one lacks are removed.
    Raises OutputError as `histpred.core.output.output_folder` does.
    """
    names, files = [HUB], list[str]()
    with (
        quiet_htslib(),
        temporary_faults(),
        output_folder(out, names, derived.is_hub, overwrite) as work,
    ):
        yield work, files
        before = derived.hub_files(out)
        names[:] = [*(name for name in before if name not in files), *files]
    derived.remove_empty(out, before)


def contig_lengths(fasta: str, sha256: str, tables: Path, indexes: Path) -> dict[str, int]:
    """The lengths of the contigs of the genome that `tables`, a folder, were made with, in bp.

    sha256: of that genome. indexes: a folder for those of the FASTA. Raises InputError if the FASTA
    is another genome.
    """
    with same_genome(fasta, sha256, tables, indexes) as reference:
        return dict(reference.lengths)
