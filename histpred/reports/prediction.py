"""A finished prediction as one page of HTML that loads nothing: what a biologist reads first.

Everything is aggregated: the page is as long for 20 genes as for 60,000.
"""

from __future__ import annotations

import csv
import re
from base64 import b64encode
from collections import defaultdict
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from histpred.bundle.calls import first_words
from histpred.bundle.folder import Bundle, load_bundle, shipped_bundles
from histpred.bundle.mark_spec import MarkSpec
from histpred.bundle.organisms import in_words
from histpred.bundle.outputs import marks_of, was_trained_on
from histpred.core.errors import BundleError, InputError, first_few
from histpred.core.marks import by_class
from histpred.core.output import output_files, refuse_inputs, temporary_faults
from histpred.core.text import counted
from histpred.genome.ledger import LEDGER, SKIPPED
from histpred.genome.reasons import MEANINGS, UNWANTED
from histpred.genome.windows import WindowSpec
from histpred.reports.browser import (
    annotation_name,
    browser_view,
    file_name,
    igv_script,
    inline_json,
    place_json,
    place_text,
)
from histpred.reports.heat import group_heat, window_heat
from histpred.reports.landscape import NOT_STATED, TOP, Landscape, read_landscape
from histpred.reports.marks_table import marks_table, measured_of, rounded, share_of
from histpred.reports.opening import found, trust, unit_of
from histpred.reports.page import Cell, Row, Table, count, render, script_text
from histpred.reports.shapes import POINTS, distributions, overview
from histpred.reports.speech import speech_of
from histpred.reports.surroundings import GenomeAtHand, genome_of
from histpred.scoring.derived import REPORT
from histpred.scoring.launch import launch_words
from histpred.scoring.record import RUN, RunRecord, read_finished
from histpred.scoring.tables import AGAIN, SCORES

EXAMPLES = 3  # names of skipped rows


def write_report(
    scores: Path,
    out: Path | None = None,
    bundle: Bundle | None = None,
    *,
    fasta: str | None = None,
    cache: Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the report of a finished prediction to `out`, by default report.html beside its tables.

    scores: the folder of a finished `histpred predict`. bundle: that of the prediction; None: a
    shipped one. fasta: its genome; None: where the prediction read it, if it is there. cache: a
    folder for private indexes. Raises InputError if the folder is not a finished prediction, no
    window was scored, or the FASTA is another genome; BundleError if another bundle made it;
    OutputError if `out` exists, without `overwrite`.
    """
    run = read_finished(scores, AGAIN)
    bundle = _bundle_of(run, bundle)
    identity = run.identity
    marks = marks_of(bundle, identity.window, identity.marks, identity.call_precision)
    target = out or scores / REPORT
    refuse_inputs([target], [scores / name for name in (*run.outputs, RUN)])
    if not run.result.scored:
        raise InputError(scores, "no window was scored, so there is no report", f"see its {LEDGER}")
    with temporary_faults(), output_files([target], overwrite) as work:
        thresholds = [one.called_from for one in marks]
        landscape = read_landscape(scores, thresholds, run.result.scored)
        if landscape.marks != tuple(one.name for one in marks if not one.unpredicted):
            raise InputError(scores / SCORES, "its marks are not the bundle's", AGAIN)
        with genome_of(run, scores, fasta, cache or work / ".genome") as genome:
            page = _page(scores, run, bundle, marks, landscape, genome)
        (work / target.name).write_text(page, encoding="utf-8")
    return target


def _page(
    scores: Path,
    run: RunRecord,
    bundle: Bundle,
    marks: tuple[MarkSpec, ...],
    landscape: Landscape,
    genome: GenomeAtHand,
) -> str:
    window = run.identity.window
    unit = unit_of(window, run.identity.level, run.annotation.format)
    trained = was_trained_on(bundle, window)
    predicted = [one for one in marks if not one.unpredicted]
    measured = measured_of(predicted, bundle, window) if trained else {}
    evaluations = dict.fromkeys(name for name, *_ in measured.values())
    heat = window_heat(landscape, marks, unit)
    loci = list(heat.loci) if heat else [one for top in landscape.top.values() for one in top]
    view = browser_view(scores, run, landscape, loci, genome.reference)
    card = bundle.card_path.read_text(encoding="utf-8")
    species = bundle.manifest.species
    return render(
        "reports/prediction.html.j2",
        scripts=[igv_script(), script_text("browser.js")],
        title=annotation_name(run),
        run=run,
        unit=unit,
        landscape=landscape,
        bundle=f"{bundle.manifest.name} {bundle.manifest.version}",
        found=found(landscape, marks, unit),
        heat=heat,
        distributions=None if heat else distributions(landscape, marks),
        each=landscape.windows <= POINTS,
        trust=list(trust(landscape, marks)),
        first_words=first_words(bundle.manifest, marks),
        species=in_words(species, "{0.name} ({0.assembly})").replace(" ()", ""),
        trained=trained,
        marks=marks_table(landscape, marks, measured),
        evaluations={name: bundle.manifest.metrics[name] for name in evaluations},
        pictures=_pictures(bundle, evaluations),
        limits=_chapter(card, "Limits"),
        meaning=_chapter(card, "What a probability means"),
        groups=None if heat else group_heat(landscape, unit),
        overview=None if heat else overview(landscape),
        top=None if heat else _top_table(landscape),
        speech=speech_of(scores, run, bundle, marks, landscape, genome),
        rows=_rows(scores / LEDGER, run),
        facts=_facts(run, bundle, window),
        card=_as_html(card),
        view=inline_json(view),
        covered=view["loci"],
        loci=len(loci),
        bases=bool(view["bases"]),
    )


def _bundle_of(run: RunRecord, bundle: Bundle | None) -> Bundle:
    name, version, digest = (run.identity.bundle or "").rsplit(" ", 2)
    if bundle is None and name not in shipped_bundles():
        raise BundleError(
            f"the bundle {name} {version} does not ship with histpred", "name it with --bundle"
        )
    bundle = bundle or load_bundle(name)
    if bundle.digest != digest:
        raise BundleError(
            f"{bundle.directory} is not the bundle {name} {version} of the prediction",
            "name that bundle with --bundle, or predict again",
        )
    return bundle


def _facts(run: RunRecord, bundle: Bundle, window: WindowSpec) -> dict[str, str]:
    identity, result, species = run.identity, run.result, bundle.manifest.species
    fasta, shards = run.fasta, len(run.parts or ())
    transcripts = [f"transcripts {digest[:16]}..., " for digest in identity.transcripts_sha256]
    return {
        "annotation": f"{annotation_name(run)} ({run.annotation.format}), "
        f"{counted(result.rows, 'row')}",
        "genome": f"{file_name(fasta.path)}, {counted(fasta.contigs, 'contig')}, "
        f"{fasta.bases:,} bp",
        "bundle": f"{bundle.manifest.name} {bundle.manifest.version}: {bundle.manifest.summary}",
        "trained on": in_words(species, "{0.name}, {0.assembly}").removesuffix(", "),
        "windows": _windows(window, identity.level, run.annotation.format),
        "biotypes": ", ".join(identity.biotypes) or "all",
        **({"genes": first_few(identity.genes)} if identity.genes else {}),
        "scored": f"{counted(result.scored, 'window')}, {counted(result.calls, 'call')}",
        "thresholds": f"chosen for calls with a precision of {identity.call_precision:g}"
        if identity.call_precision
        else "the bundle's",
        "run": f"{run.started}, in {run.seconds:,.0f} s on {result.device}, by histpred "
        f"{identity.histpred}" + (f"; joined from {counted(shards, 'shard')}" if shards else ""),
        "digests": f"annotation {identity.annotation_sha256[:16]}..., genome "
        f"{identity.fasta_sha256[:16]}..., {''.join(transcripts)}bundle {bundle.digest[:16]}... "
        "(in full in run.json)",
        **({"pipeline": launch_words(run.launch)} if run.launch else {}),
    }


def _windows(window: WindowSpec, by: str, annotation_format: str) -> str:
    if window.tile:
        return (
            f"tiles of {window.tile:,} bp, read with {window.upstream:,} bp upstream and "
            f"{window.downstream:,} bp downstream of the middle"
        )
    shown = f"; shown as {window.shown:,} bp to each side of the TSS" if window.shown else ""
    each = by if annotation_format.startswith(("GTF", "GFF")) else "row"
    return f"{window}, one for each {each}{shown}"


def _rows(ledger: Path, run: RunRecord) -> Table:
    """How many rows of the annotation were scored or skipped, and why, with examples."""
    names: dict[str, list[str]] = defaultdict(list)
    with open(ledger, encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            found = names[row["reason"]]
            text = f"{row['name']} (line {row['line']})"
            if row["status"] == SKIPPED and len(found) < EXAMPLES and text not in found:
                found.append(text)
    names |= {reason: [] for reason in UNWANTED}
    skipped = sorted(run.result.skipped.items(), key=lambda item: -item[1])
    rows = [("scored", run.result.scored, "", "")]
    rows += [(why, many, MEANINGS.get(why, ""), ", ".join(names[why])) for why, many in skipped]
    return Table(
        "What became of the annotation's rows; ledger.tsv has every row.",
        ["Status", "Rows", "Share", "Reason", "Examples"],
        [
            Row(name, [count(many), share_of(many, run.result.rows), Cell(why), Cell(such)])
            for name, many, why, such in rows
        ],
    )


def _top_table(landscape: Landscape) -> Table:
    rows = []
    for name in by_class(landscape.top):
        column = landscape.marks.index(name)
        for rank, one in enumerate(landscape.top[name], 1):
            cells = [
                count(rank),
                Cell(one.name),
                Cell(place_text(one), kind="place"),
                Cell(one.strand, kind="narrow"),
                Cell("" if one.biotype == NOT_STATED else one.biotype),
                rounded(one.probabilities[column]),
            ]
            first = "first" if rank == 1 else ""
            rows.append(Row(name, cells, mark=True, kind=first, place=place_json(one)))
    return Table(
        f"For each mark the {TOP} called windows of highest probability, at most one in each "
        "10 kb of the genome; scores.tsv.gz has all windows.",
        ["Mark", "Rank", "Window", "Place", "Strand", "Biotype", "Probability"],
        rows,
        name="top-table",
    )


def _chapter(card: str, title: str) -> Markup:
    """A chapter of a card as HTML; '' if the card lacks it."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)
    return _as_html(found[1]) if found else Markup("")


def _as_html(text: str) -> Markup:
    """Markdown as HTML, its heads two levels down.

    Anybody can write a bundle: HTML, links and pictures are shown as text or left out.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link"])
    page = parser.render(text)
    page = re.sub(r"<(/?)h([1-4])>", lambda found: f"<{found[1]}h{int(found[2]) + 2}>", page)
    page = page.replace("<table>", '<div class="wide"><table class="plain">')
    return Markup(page.replace("</table>", "</table></div>"))


def _pictures(bundle: Bundle, evaluations: dict[str, None]) -> dict[str, str]:
    """The bundle's calibration pictures of these evaluations, as data URLs by evaluation."""
    return {
        name: "data:image/svg+xml;base64,"
        + b64encode((bundle.directory / path).read_bytes()).decode()
        for name in evaluations
        if (path := f"calibration-{name}.svg") in bundle.manifest.files
    }
