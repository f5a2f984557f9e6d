"""A finished explanation as one page of HTML that loads nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas

from histpred.core.marks import by_class
from histpred.core.output import output_files, temporary_faults
from histpred.core.text import counted
from histpred.genome.regions import INTERVAL
from histpred.reports.browser import annotation_name, file_name
from histpred.reports.explained import FEW, few_windows, read_profile
from histpred.reports.explained_shapes import MIDDLE, TSS, map_of, panels_of
from histpred.reports.page import Cell, Row, Table, render
from histpred.scoring.derived import REPORT
from histpred.scoring.explain_record import ExplainRecord, read_explained
from histpred.scoring.profile import ALL

NEAR = 2_000  # bp; what lies farther from the TSS is far
ZONES = {
    f"far upstream (over {NEAR // 1000} kb)": (-np.inf, -NEAR),
    f"{NEAR // 1000} kb upstream": (-NEAR, 0),
    f"{NEAR // 1000} kb downstream": (0, NEAR),
    f"far downstream (over {NEAR // 1000} kb)": (NEAR, np.inf),
}
"""Zones by the distance of a step's middle from the TSS, bp."""


def write_explanation(folder: Path, overwrite: bool = False) -> Path:
    """Write report.html of a finished `histpred explain` beside its tables; returns its path."""
    run = read_explained(folder)
    target = folder / REPORT
    with temporary_faults(), output_files([target], overwrite) as work:
        (work / target.name).write_text(_page(folder, run), encoding="utf-8")
    return target


def _page(folder: Path, run: ExplainRecord) -> str:
    marks = run.identity.marks
    windows = few_windows(folder, run)
    profile = None if windows else read_profile(folder)
    anchor = MIDDLE if run.identity.window.kind == INTERVAL else TSS
    panels, biotypes = ([], []) if profile is None else panels_of(profile, anchor)
    bundle = (run.identity.bundle or "").rpartition(" ")[0]
    return render(
        "reports/explanation.html.j2",
        title=annotation_name(run),
        run=run,
        bundle=bundle,
        few=FEW,
        maps=[map_of(one, marks) for one in windows],
        anchor=anchor,
        panels=panels,
        biotypes=biotypes,
        zones=None if profile is None else zone_table(profile),
        scale=scale_words(run),
        facts=_facts(run, bundle),
    )


def zone_table(profile: pandas.DataFrame) -> Table:
    """For each mark, the share of all that is contributed, by zone, and the mean of what is."""
    whole = profile[profile["biotype"] == ALL]
    rows = []
    for name in by_class(dict.fromkeys(whole["mark"])):
        of_mark = whole[whole["mark"] == name]
        middles = (of_mark["start"] + of_mark["end"]) / 2
        total = float(of_mark["strength"].sum()) or 1.0
        cells = []
        for first, last in ZONES.values():
            inside = of_mark[(middles >= first) & (middles < last)]
            share, mean = inside["strength"].sum() / total, inside["mean"].sum()
            cells.append(Cell(f"{share:.0%}", float(share), f"{mean:+.2f}"))
        cells.append(Cell(f"{total:.2f}", total))
        rows.append(Row(name, cells, mark=True))
    return Table(
        "Where the contributions lie. Percent: the share of the sizes of all contributions. Small: "
        "the sum of the means along the zone, in log-odds. Last: the sum of the mean sizes.",
        ["Mark", *ZONES, "Sum of sizes"],
        rows,
        "zone-table",
    )


def scale_words(run: ExplainRecord) -> str:
    """What the unit of the contributions is, as a sentence."""
    raw = [name for name, scale in run.result.scales.items() if scale == "raw"]
    if not raw:
        return "Contributions are in natural log-odds of the calibrated probability."
    which = "all marks" if len(raw) == len(run.result.scales) else ", ".join(raw)
    return (
        "Contributions are in natural log-odds of the calibrated probability; those of "
        f"{which} in units of the raw score, because the calibration has steps."
    )


def _facts(run: ExplainRecord, bundle: str) -> dict[str, str]:
    identity, result = run.identity, run.result
    return {
        "annotation": f"{annotation_name(run)} ({run.annotation.format}), "
        f"{counted(result.rows, 'row')}",
        "genome": f"{file_name(run.fasta.path)}, {counted(run.fasta.contigs, 'contig')}",
        "bundle": bundle,
        "windows": str(identity.window),
        "stretches": f"{run.result.divided}: {result.stretches:,} were replaced",
        **(
            {"bases": f"{identity.bases}: {result.substitutions:,} substitutions"}
            if identity.bases
            else {}
        ),
        "biotypes": ", ".join(identity.biotypes) or "all",
        "run": f"{run.started}, in {run.seconds:,.0f} s on {result.device}, by histpred "
        f"{identity.histpred}",
        "digests": f"annotation {identity.annotation_sha256[:16]}..., genome "
        f"{identity.fasta_sha256[:16]}... (in full in run.json)",
    }
