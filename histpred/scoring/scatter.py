"""Annotation and genome to shards: tables of windows that can be scored side by side.

All that needs the whole annotation happens here, once: reading it, checking it against the genome,
the ledger. The windows that will be scored are cut, in genome order, into runs of about the same
work. Each is an annotation of its own for `predict` and `embed`; `histpred.scoring.gather` joins
what became of them.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from histpred.bundle.encoding import Choice
from histpred.core.errors import InputError
from histpred.core.hts import quiet_htslib
from histpred.core.log import tell
from histpred.core.output import (
    altered,
    file_digest,
    input_digest,
    output_folder,
    refuse_another,
    refuse_inputs,
    temporary_faults,
)
from histpred.core.version import __version__
from histpred.encoders import EXPENSIVE
from histpred.encoders.chunks import GRID, ChunkPolicy, check_window
from histpred.genome.ledger import LEDGER
from histpred.genome.plan import open_windows, refuse_nothing, scorable
from histpred.genome.regions import SPLICED, Window
from histpred.genome.table import HEADER, table_row
from histpred.scoring.predict import domain_warnings
from histpred.scoring.record import Options, differences, identity, inputs_of, is_ours

SCATTER, SHARDS = "scatter.json", "shards"
SCHEMA_VERSION = "1.0"


class Scattered(NamedTuple):
    """How a scattering went. bases: of all windows, in bp; skipped, past_end, fresh: see
    `histpred.scoring.record.Prediction`.
    """

    rows: int
    windows: int
    bases: int
    shards: int
    skipped: dict[str, int]
    past_end: int
    fresh: bool = True


def scatter(
    annotation_path: str,
    fasta_path: str,
    out: Path,
    choice: Choice,
    options: Options,
    shard_bases: int,
    *,
    cache: Path | None = None,
    overwrite: bool = False,
) -> Scattered:
    """Write shards of the windows of an annotation to `out/shards`, their ledger and scatter.json.

    Parameters
    ----------
    choice
        What the windows will be embedded with; on a grid, a base that the window before has too
        costs nothing.
    shard_bases
        Bases that the windows of a shard have together, at most but for one window.

    See `histpred.scoring.predict.predict` for the other arguments.

    Raises
    ------
    HistpredError
        For what `predict` would refuse; nothing is published then.
    """
    check_window(choice.chunks, choice.window.kind)
    inputs = (annotation_path, fasta_path)
    refuse_inputs([out / SCATTER, out / LEDGER, *_shards_in(out)], inputs)
    made_from = {"shard bases": shard_bases, "chunks": str(choice.chunks)}
    before = read_scattered(out) if (out / SCATTER).exists() else None
    if before and not overwrite:
        digests = (input_digest(annotation_path), input_digest(fasta_path))
        now = _identity(*digests, choice, options) | made_from
        return _finished(out, before, now)

    names = [LEDGER, SCATTER]
    with quiet_htslib(), temporary_faults(), ExitStack() as stack:
        work = stack.enter_context(output_folder(out, names, is_ours))
        (work / SHARDS).mkdir()
        annotation, reference, ledger, planned = stack.enter_context(
            open_windows(
                annotation_path,
                fasta_path,
                work,
                options.window,
                level=options.level,
                biotypes=options.biotypes,
                unstranded=options.unstranded,
                cache=cache,
            )
        )
        warnings = list(planned.warnings)
        if choice.bundle:
            warnings += domain_warnings(choice.bundle, options, annotation, reference, ledger)
        tell(planned.notices, warnings)

        costs = Costs(choice.chunks)
        spool = work / "windows.tsv"
        with open(spool, "w", encoding="utf-8", newline="\n") as target:
            for batch in scorable(ledger, reference, options.window):
                for window, share in zip(batch.windows, batch.n_fractions, strict=True):
                    if window.blocks:  # a row of a table
                        check_window(choice.chunks, SPLICED)
                    target.write(table_row(window, share))
                    costs.add(window)
        refuse_nothing(annotation, ledger, len(costs.bases), "scored")
        shards = list(_write_shards(spool, work, costs, shard_bases))
        ledger.write(work / LEDGER)

        result = Scattered(
            rows=ledger.rows,
            windows=len(costs.bases),
            bases=sum(costs.bases),
            shards=len(shards),
            skipped=ledger.skipped,
            past_end=planned.past_end,
        )
        outputs = {shard["file"]: shard["sha256"] for shard in shards}
        outputs[LEDGER] = file_digest(work / LEDGER)
        record = {
            "schema_version": SCHEMA_VERSION,
            "identity": _identity(annotation.digest, reference.digest, choice, options) | made_from,
            "expensive": choice.spec.kind in EXPENSIVE,
            "result": result._asdict(),
            "warnings": warnings,
            **inputs_of(annotation_path, fasta_path, annotation, reference),
            "shards": shards,
            "outputs": outputs,
        }
        (work / SCATTER).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        # What a scattering into other shards left goes, even if it was killed.
        left = (f"{SHARDS}/{path.name}" for path in _shards_in(out))
        names[:] = [*dict.fromkeys([*left, *outputs]), SCATTER]
    return result


class Costs:
    """Bases and work of windows, in the order in which they come.

    `bases` has each window's; `work` those that the encoder has to see for it: on a grid, what
    windows on the same strand have in common is seen once.
    """

    def __init__(self, chunks: ChunkPolicy | None) -> None:
        self.bases = array("q")  # 8 bytes each: all else of a window is on disk
        self.work = array("q")
        self._shared = chunks is not None and chunks.policy == GRID
        self._reached: dict[tuple[str, bool], int] = {}

    def add(self, window: Window) -> None:
        """The next window."""
        blocks = window.blocks or ((window.start, window.end),)
        bases = sum(end - start for start, end in blocks)
        place = (window.chrom, window.strand == "-")  # '.' is read as '+'
        reached = self._reached.get(place, 0)
        self.bases.append(bases)
        self.work.append(max(0, window.end - max(window.start, reached)) if self._shared else bases)
        self._reached[place] = max(reached, window.end)


def cuts(work: Sequence[int], most: int) -> list[int]:
    """Where to cut a row of pieces of `work` so that parts are few and alike: the index behind the
    last piece of each part.

    There are as many parts as it takes to have no more than `most` in each, if pieces were small;
    a piece belongs to the part in which its middle lies.

    >>> cuts([5, 5, 5, 5, 1], 10)
    [1, 3, 5]
    """
    total = sum(work)
    count = max(1, -(-total // most))
    middles = np.cumsum(work, dtype=np.float64) - np.asarray(work) / 2
    part = np.minimum((middles * count // max(total, 1)).astype(int), count - 1)
    ends = np.flatnonzero(np.diff(part)) + 1
    return [*ends.tolist(), len(work)]


def read_scattered(folder: Path) -> dict[str, Any]:
    """The scatter.json of a folder; InputError where it is not ours or of another version."""
    path = folder / SCATTER
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if record["schema_version"] == SCHEMA_VERSION and record["identity"]["histpred"]:
            return record
        found = f"format {record['schema_version']}"
    except OSError as error:
        found = f"cannot be read: {error.strerror}"
    except (ValueError, KeyError, TypeError):
        found = "not written by histpred scatter"
    raise InputError(path, found, f"make it with histpred scatter of this version, {__version__}")


def _identity(
    annotation_digest: str, fasta_digest: str, choice: Choice, options: Options
) -> dict[str, Any]:
    """What fixes the shards, as `record.identity` has it; the precision is for `predict` to say."""
    found = identity(annotation_digest, fasta_digest, choice.bundle, options)["identity"]
    return {name: value for name, value in found.items() if name != "precision"}


def _shards_in(out: Path) -> list[Path]:
    """The files below `out` that are named as shards are."""
    return [path for path in (out / SHARDS).glob("*.tsv") if path.stem.isdecimal()]


def _finished(out: Path, before: dict[str, Any], now: dict[str, Any]) -> Scattered:
    """What `out` holds, if it is what is asked for."""
    if different := differences(before["identity"], now, altered(out, before["outputs"])):
        refuse_another(out, "other shards", different)
    return Scattered(**before["result"])._replace(fresh=False)


def _write_shards(
    spool: Path, work: Path, costs: Costs, shard_bases: int
) -> Iterator[dict[str, Any]]:
    """Cut the file of windows at `cuts`; yields what scatter.json says of each shard."""
    ends = cuts(costs.work, shard_bases)
    digits = max(4, len(str(len(ends))))
    start = 0
    with open(spool, encoding="utf-8", newline="\n") as windows:
        for number, end in enumerate(ends, 1):
            name = f"{SHARDS}/{number:0{digits}}.tsv"
            with open(work / name, "w", encoding="utf-8", newline="\n") as target:
                target.write(f"{HEADER}\n")
                target.writelines(next(windows) for _ in range(end - start))
            yield {
                "file": name,
                "windows": end - start,
                "bases": sum(costs.bases[start:end]),
                "work": sum(costs.work[start:end]),
                "sha256": file_digest(work / name),
            }
            start = end
    spool.unlink()
