"""Which command of histpred made a folder, as the record in it tells."""

from __future__ import annotations

from pathlib import Path

from histpred.core.strict_json import parse

RUN = "run.json"
MADE_BY = {
    RUN: "predict",
    "variants.json": "variants",
    "scatter.json": "scatter",
    "metrics.json": "evaluate",
    "labels.json": "labels",
    "bundle.json": "train",
    "experiment.json": "experiment",
    "histpred_general_mqc.json": "summary",
}
"""The command that writes a record; `explain` writes run.json too."""


def maker_of(folder: Path) -> str:
    """The command of histpred that made a folder; '' for any other folder.

    A folder that is not finished has no record, so it is any other folder.
    """
    for name, verb in MADE_BY.items():
        try:
            fields = parse((folder / name).read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(fields, dict):
            result = fields.get("result")
            explained = name == RUN and isinstance(result, dict) and "explained" in result
            return "explain" if explained else verb
    return ""


def made_otherwise(folder: Path, verb: str) -> str:
    """A phrase if another command than `verb` made a folder, else ''.

    >>> made_otherwise(Path("none"), "predict")
    ''
    """
    maker = maker_of(folder)
    if maker in ("", verb):
        return ""
    return f"the output of histpred {maker}, not of histpred {verb}"
