"""Finished outputs as sections of a MultiQC report, one file each."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from histpred.core.errors import InputError, OutputError, first_few
from histpred.core.output import output_folder, refuse_inputs, temporary_faults
from histpred.core.strict_json import parse
from histpred.reports.multiqc import GENERAL, SECTIONS, sections
from histpred.reports.samples import METRICS, read_evaluation, read_prediction
from histpred.scoring.record import RUN

OUTPUTS = tuple(f"{section}_mqc.json" for section in SECTIONS)


def summarise(folders: Sequence[Path], out: Path, *, overwrite: bool = False) -> list[Path]:
    """Write MultiQC sections on finished predictions and evaluations into the folder `out`.

    Parameters
    ----------
    folders
        Folders of `histpred predict` and `histpred evaluate`, in any order. The last part of a
        folder's path is the name of its sample, which no two predictions or evaluations may share.
    out
        Gets those files of `OUTPUTS` that have something to show. The same content of the folders
        under the same names gives the same bytes.
    overwrite
        Replace an earlier summary.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        If a folder is not a finished output or has another schema, two have the same name, or calls
        and run.json disagree.
    OutputError
        If `out` holds a summary (without `overwrite`) or anything else.
    """
    predictions: dict[str, Path] = {}
    evaluations: dict[str, Path] = {}
    for folder in folders:
        _enter(predictions if _is_prediction(folder) else evaluations, folder)
    if not overwrite and (out / OUTPUTS[-1]).exists() and _is_ours(out / OUTPUTS[-1]):
        raise OutputError(f"{out} holds a summary", "choose another folder, or add --overwrite")
    refuse_inputs([out], folders)

    runs = {name: read_prediction(folder) for name, folder in sorted(predictions.items())}
    metrics = {name: read_evaluation(folder) for name, folder in sorted(evaluations.items())}
    found = sections(runs, metrics)
    with temporary_faults(), output_folder(out, OUTPUTS, _is_ours) as work:
        for name, section in found.items():
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


def _is_prediction(folder: Path) -> bool:
    """True for a prediction, False for an evaluation; InputError for anything else."""
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise InputError(folder, problem, "give folders of histpred predict or evaluate")
    found = [name for name in (RUN, METRICS) if (folder / name).exists()]
    if len(found) == 1:
        return found == [RUN]
    if found:
        raise InputError(
            folder, f"holds both {RUN} and {METRICS}", "move each output to a folder of its own"
        )
    here = first_few(sorted(path.name for path in folder.iterdir())) or "nothing"
    raise InputError(
        folder,
        f"holds neither {RUN} (of predict) nor {METRICS} (of evaluate), but {here}",
        "give finished outputs; the same command again finishes an interrupted run",
    )


def _enter(known: dict[str, Path], folder: Path) -> None:
    name = sample_name(folder)
    if name in known:
        raise InputError(
            folder,
            f"has the same sample name, {name!r}, as {known[name]}",
            "give each folder once, and rename those that share a name",
        )
    known[name] = folder


def _is_ours(path: Path) -> bool:
    try:
        fields = parse(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(fields, dict) and fields.get("id") == GENERAL
