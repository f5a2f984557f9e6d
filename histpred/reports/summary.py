"""Finished outputs as sections of a MultiQC report, one file each."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from histpred.core.errors import InputError, first_few
from histpred.core.finished import read_record
from histpred.core.makers import MADE_BY, maker_of
from histpred.core.output import output_folder, refuse_inputs, temporary_faults
from histpred.core.strict_json import parse
from histpred.reports import multiqc
from histpred.scoring.record import RUN, RunRecord
from histpred.scoring.tables import CALLS
from histpred.scoring.variants_record import RECORD, VariantsRecord

METRICS = "metrics.json"  # of an evaluation
SUMMARISED = {name: MADE_BY[name] for name in (RUN, RECORD, METRICS)}
REMEDY = "give a finished output of this release of histpred {verb}, or run that again"
WANTED = "give folders of histpred predict, variants or evaluate"
OUTPUTS = tuple(f"{section}_mqc.json" for section in multiqc.SECTIONS)


def summarise(folders: Sequence[Path], out: Path, *, overwrite: bool = False) -> list[Path]:
    """Write MultiQC sections on finished outputs into the folder `out`.

    folders: those of `histpred predict`, `variants` and `evaluate`, in any order. The last part of
    a folder's path is the name of its sample, which no two of the same command may share. Returns
    the files written: those of `OUTPUTS` that have something to show. The same content of the
    folders under the same names gives the same bytes.

    Raises InputError if a folder is not a finished output or has another schema, two have the same
    name, or calls and run.json disagree; OutputError if `out` holds another summary, without
    `overwrite`, or anything else.
    """
    kinds: dict[str, dict[str, Path]] = {record: {} for record in SUMMARISED}
    for folder in folders:
        known = kinds[_record_of(folder)]
        name = sample_name(folder)
        if name in known:
            raise InputError(
                folder,
                f"has the same sample name, {name!r}, as {known[name]}",
                "give each folder once, and rename those that share a name",
            )
        known[name] = folder
    refuse_inputs([out], folders)

    runs = {name: _prediction(folder) for name, folder in sorted(kinds[RUN].items())}
    effects = {name: _variants(folder) for name, folder in sorted(kinds[RECORD].items())}
    metrics = {name: _evaluation(folder) for name, folder in sorted(kinds[METRICS].items())}
    with temporary_faults(), output_folder(out, OUTPUTS, _is_ours, overwrite) as work:
        for name, section in multiqc.sections(runs, effects, metrics).items():
            if section["data"]:
                text = json.dumps({"id": name, **section}, indent=1, allow_nan=False)
                (work / f"{name}_mqc.json").write_text(text + "\n", encoding="utf-8")
    return [out / name for name in OUTPUTS if (out / name).exists()]


def sample_name(folder: Path) -> str:
    """The last part of a folder's path, as text; links are not followed.

    >>> sample_name(Path("results/hg38/"))
    'hg38'
    """
    name = os.path.basename(os.path.abspath(folder))
    return os.fsencode(name).decode("utf-8", "replace")


def _record_of(folder: Path) -> str:
    """The name of the record that a finished output has; InputError for anything else."""
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise InputError(folder, problem, WANTED)
    found = [name for name in SUMMARISED if (folder / name).exists()]
    maker = maker_of(folder)
    if maker and maker not in SUMMARISED.values():
        what = f"is the output of histpred {maker}, of which there is no summary"
        raise InputError(folder, what, WANTED)
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            folder, f"holds both {' and '.join(found)}", "move each output to a folder of its own"
        )
    here = first_few(sorted(path.name for path in folder.iterdir())) or "nothing"
    known = " nor ".join(f"{name} (of {verb})" for name, verb in SUMMARISED.items())
    raise InputError(
        folder,
        f"holds neither {known}, but {here}",
        "give finished outputs; the same command again finishes an interrupted run",
    )


def _is_ours(path: Path) -> bool:
    try:
        fields = parse(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(fields, dict) and fields.get("id") == multiqc.GENERAL


def _prediction(folder: Path) -> multiqc.PredictionSample:
    """A finished prediction; InputError if its record or its tables are damaged or disagree."""
    run = read_record(folder / RUN, RunRecord, "predict", REMEDY.format(verb="predict"))
    marks = [mark for mark in run.identity.marks if mark not in run.unpredicted]
    calls = _count_calls(folder / CALLS, marks)
    if (total := sum(calls.values())) != run.result.calls:
        raise InputError(
            folder / CALLS,
            f"has {total:,} calls, but {RUN} states {run.result.calls:,}",
            "the files are not of one run, or were changed since: predict again",
        )
    return multiqc.PredictionSample(run, calls)


def _variants(folder: Path) -> VariantsRecord:
    """A finished run of variants; InputError if its record is damaged."""
    remedy = REMEDY.format(verb="variants")
    return read_record(folder / RECORD, VariantsRecord, "variants", remedy)


def _evaluation(folder: Path) -> multiqc.EvaluationSample:
    """A finished evaluation; InputError if its metrics.json is damaged."""
    remedy = REMEDY.format(verb="evaluate")
    return read_record(folder / METRICS, multiqc.EvaluationSample, "evaluate", remedy)


def _count_calls(path: Path, marks: Sequence[str]) -> dict[str, int]:
    """Features of calls.bed.gz by mark, which stands after the last '|' of a feature's name.

    marks: those that were predicted; empty if the record does not say.
    """
    found: Counter[bytes] = Counter()
    for number, line in enumerate(_lines(path), 1):
        columns = line.split(b"\t", 4)
        if len(columns) < 5:
            raise InputError(path, "has a line that is not BED9", "predict again", line=number)
        found[columns[3].rpartition(b"|")[2]] += 1
    if not marks:
        return {mark.decode("utf-8", "replace"): count for mark, count in sorted(found.items())}
    counts = {mark: found.pop(mark.encode(), 0) for mark in marks}
    if found:
        others = first_few(sorted(mark.decode("utf-8", "replace") for mark in found))
        raise InputError(path, f"has calls of {others}, which {RUN} lacks", "predict again")
    return counts


def _lines(path: Path) -> Iterable[bytes]:
    try:
        with gzip.open(path) as lines:
            yield from lines
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            path, f"cannot be read: {reason}", "copy the whole folder, or predict again"
        ) from error
