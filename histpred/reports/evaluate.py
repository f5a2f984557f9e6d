"""The folder of `histpred evaluate`: figures, tables, pictures and a page."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas

from histpred.bundle.folder import Bundle
from histpred.bundle.outputs import window_for
from histpred.core.errors import UsageError, first_few
from histpred.core.output import (
    RESUME,
    altered,
    file_digest,
    input_digest,
    output_folder,
    refuse_another,
    refuse_inputs,
    refuse_streams,
    sweep,
    temporary_faults,
)
from histpred.core.version import __version__
from histpred.evaluation.baselines import INPUTS
from histpred.evaluation.compare import compare, score
from histpred.evaluation.result import MACRO, MICRO
from histpred.evaluation.result import METRICS as METRIC_HEADS
from histpred.genome.annotation import level_for
from histpred.genome.biotypes import normalise
from histpred.genome.request import Request
from histpred.labels.matrix import labels_file
from histpred.labels.splits import (
    TEST,
)
from histpred.reports.evaluation import write_report, write_tables
from histpred.reports.evaluation_figures import FIGURE_NAMES, draw

logger = logging.getLogger(__name__)

METRICS, REPORT, FIGURES = "metrics.json", "report.html", "figures"
TABLES = (
    "summary.tsv",
    "marks.tsv",
    "groups.tsv",
    "similarity.tsv",
    "co_targeting.tsv",
    "predictions.tsv.gz",
)
OUTPUTS = (
    *(f"{FIGURES}/{name}.{suffix}" for name in FIGURE_NAMES for suffix in ("png", "svg")),
    *TABLES,
    REPORT,
    METRICS,
)


def evaluate(
    bundle: Bundle,
    inputs: Request,
    labels_path: Path,
    out: Path,
    *,
    beside: Sequence[Bundle] = (),
    rows: str = TEST,
    marks: tuple[str, ...] = (),
    seed: int = 0,
    device: str = "auto",
    weights: Path | None = None,
    store: Path | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Evaluate `bundle` into the folder `out`.

    Parameters
    ----------
    beside
        Bundles to be shown in the same tables, on the same rows and marks.
    rows
        The set of the bundle's own split to evaluate ('test' or 'validation'), or 'all'. Where
        none of the rows is in its split, all are evaluated.
    marks
        Those to evaluate; all that bundles and labels share if empty.
    seed
        Of the bootstrap.

    Baselines are fitted on the training rows of the bundle's split, as far as they are among these
    rows, with thresholds from its validation rows.

    Returns
    -------
    dict
        What metrics.json holds.

    Raises
    ------
    HistpredError
        For inputs that cannot be used; nothing is published then.
    """
    refuse_streams((inputs.annotation, inputs.fasta, labels_path))
    names = [bundle.manifest.name, *(other.manifest.name for other in beside)]
    if len({*names, *INPUTS}) < len(names) + len(INPUTS):
        raise UsageError(
            f"two of the bundles, or one and a baseline, have the same name: {first_few(names)}",
            "give them names with histpred train --name",
        )
    refuse_inputs([out / METRICS, out / REPORT], (inputs.annotation, inputs.fasta, labels_path))
    with temporary_faults(), ExitStack() as stack:
        identity = _identity(bundle, inputs, labels_path, beside, rows, marks, seed)
        if not overwrite and (known := _finished(out, identity)):
            sweep(out)
            return known
        work = stack.enter_context(output_folder(out, OUTPUTS, _is_ours))
        kept = store or out / RESUME
        scored = [
            score(each, inputs, device, weights, kept, work, progress) for each in (bundle, *beside)
        ]
        result = compare(bundle, beside, scored, inputs, labels_path, rows, marks, seed, work)
        logger.info("drawing figures and writing tables")
        (work / FIGURES).mkdir()
        figures = draw(result, work / FIGURES)
        write_tables(result, work)
        write_report(result, figures, work / REPORT)
        metrics = json.loads((work / METRICS).read_text(encoding="utf-8"))
        outputs = {name: file_digest(work / name) for name in OUTPUTS if (work / name).exists()}
        outputs.pop(METRICS)
        record = {"histpred": __version__, "identity": identity, "outputs": outputs}
        metrics = record | metrics
        text = json.dumps(metrics, indent=1, allow_nan=False)
        (work / METRICS).write_text(text + "\n", encoding="utf-8")
    return metrics


def summary(metrics: dict[str, Any]) -> str:
    """The micro and macro figures of each model as a small table, for a terminal."""
    columns = {MICRO: ("auroc", "auprc", "mcc", "ece"), MACRO: ("auroc", "auprc")}
    table = pandas.DataFrame(
        {
            f"{average} {METRIC_HEADS[name]}": {
                model: one["figures"][average][name]["value"]
                for model, one in metrics["models"].items()
            }
            for average, names in columns.items()
            for name in names
        }
    )
    return table.astype(float).to_string(float_format="{:.3f}".format, na_rep="")


def _identity(
    bundle: Bundle,
    inputs: Request,
    labels_path: Path,
    beside: Sequence[Bundle],
    rows: str,
    marks: tuple[str, ...],
    seed: int,
) -> dict[str, Any]:
    return {
        "histpred": __version__,
        "bundles": [each.digest for each in (bundle, *beside)],
        "annotation sha256": input_digest(inputs.annotation),
        "FASTA sha256": input_digest(inputs.fasta),
        "labels sha256": input_digest(labels_file(labels_path)),
        "by": [level_for(window_for(each).kind, inputs.level) for each in (bundle, *beside)],
        "biotypes": sorted({normalise(biotype) for biotype in inputs.biotypes}),
        "unstranded": inputs.unstranded,
        "rows": rows,
        "marks": list(marks),
        "seed": seed,
    }


def _finished(out: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The figures that `out` holds, if they are those asked for.

    Raises OutputError, naming what differs, where it holds others.
    """
    if not _is_ours(out / METRICS):
        return None
    metrics: dict[str, Any] = json.loads((out / METRICS).read_text(encoding="utf-8"))
    before = metrics["identity"]
    differences = [name for name in identity if identity[name] != before.get(name)]
    differences += [f"{name} missing or altered since" for name in altered(out, metrics["outputs"])]
    if differences:
        refuse_another(out, "another evaluation", ", ".join(differences))
    logger.info("%s holds this evaluation already: nothing to do", out)
    return metrics


def _is_ours(path: Path) -> bool:
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        return "bundles" in metrics["identity"] and isinstance(metrics["outputs"], dict)
    except (OSError, ValueError, KeyError, TypeError):
        return False
