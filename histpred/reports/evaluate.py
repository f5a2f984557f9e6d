"""The folder of `histpred evaluate`: tables, figures and a page."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas
from pydantic import BaseModel, ConfigDict, JsonValue

from histpred.bundle.folder import Bundle
from histpred.bundle.outputs import window_for
from histpred.core.errors import UsageError, first_few
from histpred.core.execution import Execution
from histpred.core.finished import held, is_ours
from histpred.core.output import (
    RESUME,
    file_digest,
    output_folder,
    refuse_inputs,
    refuse_streams,
    temporary_faults,
)
from histpred.core.text import counted
from histpred.core.version import __version__
from histpred.evaluation.baselines import INPUTS
from histpred.evaluation.compare import compare
from histpred.evaluation.result import MACRO, MICRO, PAPER_METRICS, Result
from histpred.evaluation.result import METRICS as METRIC_HEADS
from histpred.evaluation.rows import EvaluationOptions, label_rows
from histpred.evaluation.scores import score
from histpred.evaluation.sources import sources_of
from histpred.genome.annotation import level_for
from histpred.genome.genomes import GenomeInput, all_files, with_cache
from histpred.genome.regions import SPLICED
from histpred.genome.transcripts import check_request
from histpred.labels.genomes import genomes_identity, read_genome_labels
from histpred.reports.evaluation import metrics_of, write_report
from histpred.reports.evaluation_figures import FIGURE_NAMES, draw
from histpred.reports.evaluation_tables import PREDICTIONS, READINGS, write_tables
from histpred.reports.readings import PAPER
from histpred.scoring.profile import PROFILE

logger = logging.getLogger(__name__)

METRICS, REPORT, FIGURES = "metrics.json", "report.html", "figures"
OUTPUTS = (
    *(f"{FIGURES}/{name}.{suffix}" for name in FIGURE_NAMES for suffix in ("png", "svg")),
    *("summary.tsv", "marks.tsv", "groups.tsv", "kinds.tsv", "similarity.tsv", "co_targeting.tsv"),
    *(PREDICTIONS, READINGS, PROFILE, REPORT, METRICS),
)


class EvaluationRecord(BaseModel):
    """What metrics.json records of its origin; the metrics follow."""

    model_config = ConfigDict(extra="allow")

    histpred: str
    identity: dict[str, JsonValue]
    outputs: dict[str, str]
    readings: dict[str, str]


def evaluate(
    bundle: Bundle,
    genomes: Sequence[GenomeInput],
    out: Path,
    options: EvaluationOptions = EvaluationOptions(),
    execution: Execution = Execution(),
    weights: Path | None = None,
) -> dict[str, Any]:
    """Evaluate `bundle` into the folder `out`; returns the content of metrics.json.

    Baselines are fitted on those of the rows that are training rows of the bundle's split, with
    thresholds from its validation rows. weights: those of the encoders, if they are neither in the
    bundle nor where `histpred encoders get` puts them. Raises HistpredError for unusable inputs;
    nothing is published then.
    """
    bundles = (bundle, *options.beside)
    files = all_files(genomes)
    refuse_streams(files)
    names = [each.manifest.name for each in bundles]
    if len({*names, *INPUTS}) < len(names) + len(INPUTS):
        raise UsageError(
            f"two of the bundles, or a bundle and a baseline, have the same name: "
            f"{first_few(names)}",
            "give the bundles other names with histpred train --name",
        )
    refuse_inputs([out / METRICS, out / REPORT], files)
    labels = read_genome_labels(genomes, options.marks)  # before any embedding
    with temporary_faults(), ExitStack() as stack:
        identity = _identity(bundles, genomes, options)
        what, overwrite = "another evaluation", execution.overwrite
        if known := held(out / METRICS, EvaluationRecord, what, lambda: identity, overwrite):
            logger.info("%s holds this evaluation already: nothing to do", out)
            return known.model_dump()
        work = stack.enter_context(output_folder(out, OUTPUTS, is_ours))
        genomes = with_cache(genomes, work / ".genome")
        execution = execution._replace(store=execution.store or out / RESUME)
        scored = [
            score(each, genomes, options.target, weights, work, execution) for each in bundles
        ]
        chosen = label_rows(scored, genomes, labels, options)
        del labels  # there may be one row for each tile of a genome
        result = compare(scored, genomes, chosen, options, work)
        found = sources_of(scored[0], genomes, result.windows, options, work, execution, weights)
        if found is not None:
            found = found[found["mark"].isin(result.marks)]
        result = result._replace(sources=found)
        return _write(result, work, identity)


def _write(result: Result, work: Path, identity: dict[str, Any]) -> dict[str, Any]:
    """Write figures, tables, page and metrics.json into `work`; returns the latter's content."""
    logger.info("drawing figures and writing tables")
    (work / FIGURES).mkdir()
    figures = draw(result, work / FIGURES)
    write_tables(result, work)
    write_report(result, figures, work / REPORT)
    names = [name for name in OUTPUTS if name != METRICS and (work / name).exists()]
    metrics: dict[str, Any] = {
        "histpred": __version__,
        "identity": identity,
        "outputs": {name: file_digest(work / name) for name in names},
        **metrics_of(result),
    }
    text = json.dumps(metrics, indent=1, allow_nan=False)
    (work / METRICS).write_text(text + "\n", encoding="utf-8")
    return metrics


def summary(metrics: dict[str, Any]) -> str:
    """Both readings of each model as small tables for a terminal."""
    columns = {MICRO: ("auroc", "auprc", "mcc", "ece"), MACRO: ("auroc", "auprc")}
    ours = {
        f"{average} {METRIC_HEADS[name]}": {
            model: one["figures"][average][name]["value"]
            for model, one in metrics["models"].items()
        }
        for average, names in columns.items()
        for name in names
    }
    theirs = {
        f"{average} {METRIC_HEADS[name]}": {
            model: one["paper"]["figures"][average][name]
            for model, one in metrics["models"].items()
            if one["paper"]
        }
        for average, names in {MICRO: PAPER_METRICS, MACRO: ("auroc",)}.items()
        for name in names
    }
    head = "histpred's reading: calibrated probabilities, the bundle's thresholds"
    parts = [head, _printed(ours), ""]
    if metrics["validation"]:
        rows = counted(metrics["validation"]["windows"], "validation row")
        parts += [f"The paper's reading: raw scores, Youden's J on {rows}", _printed(theirs)]
    else:
        parts.append(metrics["readings"][PAPER])
    return "\n".join(parts)


def _printed(columns: dict[str, dict[str, float | None]]) -> str:
    table = pandas.DataFrame(columns).astype(float)
    text: str = table.to_string(float_format="{:.3f}".format, na_rep="")
    return text


def _identity(
    bundles: Sequence[Bundle], genomes: Sequence[GenomeInput], options: EvaluationOptions
) -> dict[str, Any]:
    wanted, tile = options.target
    windows = [window_for(each, wanted, tile) for each in bundles]
    kinds = [window.kind for window in windows]
    if SPLICED not in kinds:
        check_request(genomes[0].request, kinds[0])
    return genomes_identity(genomes, kinds[0]) | {
        "histpred": __version__,
        "bundles": [each.digest for each in bundles],
        "by": [level_for(kind, genomes[0].request.level) for kind in kinds],
        "rows": options.rows,
        "marks": list(options.marks),
        "seed": options.seed,
        "windows": [str(window) for window in windows],
        "tile": tile,
        "block": options.block,
    }
