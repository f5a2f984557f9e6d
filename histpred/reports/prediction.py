"""A finished prediction as one page of HTML that loads nothing: what a biologist reads first.

Everything is aggregated, so that the page is as long for 20 genes as for 60,000. The browser in it
is igv.js (https://igv.org), from the package igv-notebook; what it shows travels in the page.
"""

from __future__ import annotations

import base64
import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup

from histpred.bundle.folder import Bundle, load_bundle, shipped_bundles
from histpred.bundle.manifest import MarkSpec
from histpred.bundle.outputs import interval_output, marks_of, was_trained_on
from histpred.core.errors import BundleError, InputError
from histpred.core.marks import by_class, hex_colour, mark
from histpred.core.output import output_files, refuse_inputs, temporary_faults
from histpred.genome.ledger import LEDGER, SKIPPED
from histpred.genome.reasons import MEANINGS, NOT_SELECTED
from histpred.genome.windows import WindowSpec
from histpred.reports.landscape import Landscape, read_landscape
from histpred.reports.landscape_figures import draw
from histpred.reports.page import counted, render
from histpred.scoring.derived import REPORT
from histpred.scoring.record import RUN, read_finished
from histpred.scoring.tables import AGAIN, PALEST, SCORES

AROUND = 10_000  # bp to each side of a locus that the browser has
MOST_SHOWN = 3_000  # windows in the browser
EXAMPLES = 3  # names of skipped rows
MEANING, LIMITS = "What a probability means", "Limits"  # chapters of a card


def write_report(
    scores: Path, out: Path | None = None, bundle: Bundle | None = None, *, overwrite: bool = False
) -> Path:
    """Write the report of a finished prediction to `out`, by default report.html beside its tables.

    Parameters
    ----------
    scores
        The folder of a finished `histpred predict`.
    bundle
        That it was made with; None: a shipped one.

    Raises
    ------
    InputError
        Where the folder is no finished prediction.
    BundleError
        Where the bundle is another than the prediction's.
    OutputError
        Where `out` exists, without `overwrite`.
    """
    run = read_finished(scores, AGAIN).model_dump(by_alias=True, mode="json")
    bundle = _bundle_of(run, bundle)
    window = WindowSpec(*run["identity"]["window"])
    marks = marks_of(bundle, window)
    thresholds = [one.threshold for one in marks]
    target = out or scores / REPORT
    refuse_inputs([target], [scores / name for name in (*run["outputs"], RUN)])
    if not run["result"]["scored"]:
        raise InputError(
            scores, "no window was scored: there is nothing to report", f"see its {LEDGER}"
        )
    with temporary_faults(), output_files([target], overwrite) as work:
        landscape = read_landscape(scores, thresholds, run["result"]["scored"])
        if landscape.marks != tuple(one.name for one in marks):
            raise InputError(scores / SCORES, "its marks are not the bundle's", AGAIN)
        mark_rows = _mark_rows(landscape, marks, bundle, window)
        measured = dict.fromkeys(row["measured"][0] for row in mark_rows if row["measured"])
        top = _top_rows(landscape)
        view = _view(scores / SCORES, landscape, top, marks, bool(window.tile))
        card = bundle.card_path.read_text(encoding="utf-8")
        page = render(
            "reports/prediction.html.j2",
            title=_title(run),
            run=run,
            facts=_facts(run, bundle, window),
            rows=_rows(scores / LEDGER, run),
            figures=draw(landscape, thresholds),
            marks=mark_rows,
            top=top,
            meanings=_meanings(marks),
            trained=was_trained_on(bundle, window),
            bundle=f"{bundle.manifest.name} {bundle.manifest.version}",
            meaning=_chapter(card, MEANING),
            limits=_chapter(card, LIMITS),
            card=_html(card),
            pictures=_pictures(bundle, measured),
            evaluations={name: bundle.manifest.metrics[name] for name in measured},
            loci=view["loci"],
            view=_inline_json(view),
            igv=Markup(_igv()),
        )
        (work / target.name).write_text(page, encoding="utf-8")
    return target


def _bundle_of(run: dict[str, Any], bundle: Bundle | None) -> Bundle:
    name, version, digest = run["identity"]["bundle"].rsplit(" ", 2)
    if bundle is None and name not in shipped_bundles():
        raise BundleError(f"{name} {version} does not ship with histpred", "name it with --bundle")
    bundle = bundle or load_bundle(name)
    if bundle.digest != digest:
        raise BundleError(
            f"{bundle.directory} is not the bundle {name} {version} of the prediction",
            "name that with --bundle, or predict again",
        )
    return bundle


def _title(run: dict[str, Any]) -> str:
    path = run["annotation"]["path"]
    return "standard input" if path == "-" else Path(path).name


def _facts(run: dict[str, Any], bundle: Bundle, window: WindowSpec) -> dict[str, str]:
    identity, result, species = run["identity"], run["result"], bundle.manifest.species
    fasta = run["fasta"]
    return {
        "annotation": f"{_title(run)} ({run['annotation']['format']}), "
        f"{counted(result['rows'], 'row')}",
        "genome": f"{Path(fasta['path']).name}, {counted(fasta['contigs'], 'contig')}, "
        f"{fasta['bases']:,} bp",
        "bundle": f"{bundle.manifest.name} {bundle.manifest.version}: {bundle.manifest.summary}",
        "trained on": f"{species.name}, {species.assembly}" if species.assembly else species.name,
        "windows": _of_windows(window, identity["by"], run["annotation"]["format"]),
        "biotypes": ", ".join(identity["biotypes"]) or "all",
        "scored": f"{counted(result['scored'], 'window')}, {counted(result['calls'], 'call')}",
        "made": f"{run['started']}, in {run['seconds']:,.0f} s on {result['device']}, by histpred "
        f"{identity['histpred']}",
        "digests": f"annotation {identity['annotation sha256'][:16]}..., genome "
        f"{identity['FASTA sha256'][:16]}..., bundle {bundle.digest[:16]}... (whole in run.json)",
    }


def _of_windows(window: WindowSpec, by: str, annotation_format: str) -> str:
    if window.tile:
        return (
            f"tiles of {window.tile:,} bp, read with {window.upstream:,} bp upstream and "
            f"{window.downstream:,} bp downstream of the middle"
        )
    shown = f"; shown are the {window.shown:,} bp to each side of the start" if window.shown else ""
    each = by if annotation_format.startswith(("GTF", "GFF")) else "row"
    return f"{window}, one for each {each}{shown}"


def _meanings(marks: tuple[MarkSpec, ...]) -> dict[str, str]:
    """What a probability is of, where the bundle says so: marks by meaning."""
    found: dict[str, list[str]] = {}
    for one in marks:
        found.setdefault(one.meaning, []).append(one.name)
    return {
        meaning: "all marks" if len(names) == len(marks) else ", ".join(names)
        for meaning, names in found.items()
        if meaning
    }


def _rows(ledger: Path, run: dict[str, Any]) -> list[dict[str, Any]]:
    """What became of the annotation's rows, and of which."""
    names: dict[str, list[str]] = defaultdict(list)
    with open(ledger, encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            found = names[row["reason"]]
            text = f"{row['name']} (line {row['line']})"
            if row["status"] == SKIPPED and len(found) < EXAMPLES and text not in found:
                found.append(text)
    rows = [{"what": "scored", "rows": run["result"]["scored"], "why": "", "examples": ""}]
    for reason, count in sorted(run["result"]["skipped"].items(), key=lambda item: -item[1]):
        rows.append(
            {
                "what": reason,
                "rows": count,
                "why": MEANINGS.get(reason, ""),
                "examples": "" if reason == NOT_SELECTED else ", ".join(names[reason]),
            }
        )
    return rows


def _mark_rows(
    landscape: Landscape, marks: tuple[MarkSpec, ...], bundle: Bundle, window: WindowSpec
) -> list[dict[str, Any]]:
    """A row a mark, by class. measured: the name of the evaluation that tells how well the mark is
    predicted there, and its figures.
    """
    evaluations = list(bundle.manifest.metrics.items())
    if not interval_output(bundle, window):
        evaluations.reverse()  # genes come last, and of training's two the one that chose nothing
    found = {}
    for number, one in enumerate(marks):
        known = mark(one.name)
        measured = [(name, e.marks[one.name]) for name, e in evaluations if one.name in e.marks]
        found[one.name] = {
            "measured": measured[0] if measured else None,
            "name": one.name,
            "mark_class": known.mark_class,
            "colour": hex_colour(one.name),
            "called": int(landscape.called[number]),
            "share": landscape.called[number] / landscape.windows,
            "mean": landscape.sums[number] / landscape.windows,
            "threshold": one.threshold,
        }
    return [found[name] for name in by_class(found)]


def _top_rows(landscape: Landscape) -> list[dict[str, Any]]:
    order = by_class(landscape.marks)
    top = landscape.top.assign(order=landscape.top["mark"].map(order.index))
    rows = top.sort_values(["rank", "order"], kind="stable").to_dict("records")
    return [
        {
            **row,
            "colour": hex_colour(row["mark"]),
            "locus": f"{row['chrom']}:{row['start'] + 1:,}-{row['end']:,}",
            "place": [_plain(row["chrom"]), row["start"], row["end"]],
        }
        for row in rows
    ]


def _view(
    scores: Path,
    landscape: Landscape,
    top: list[dict[str, Any]],
    marks: tuple[MarkSpec, ...],
    signal: bool,
) -> dict[str, Any]:
    """What the browser shows: around the best locus of each mark, then the second, as far as
    MOST_SHOWN windows go.

    contigs: as long as there are windows. windows: chrom, start, end, name, strand, and a
    probability for each mark. loci: how many of the table's first rows are in it.
    """
    import pysam

    rows: dict[tuple[str, ...], None] = {}
    loci = 0
    index = next(path for end in (".tbi", ".csi") if (path := Path(f"{scores}{end}")).exists())
    with pysam.TabixFile(str(scores), index=str(index), encoding="utf-8") as table:
        for row in top:
            start, end = max(0, row["start"] - AROUND), row["end"] + AROUND
            near = [line.split("\t") for line in table.fetch(row["chrom"], start, end)]
            found = {(*fields[:5], *fields[8:]): None for fields in near}
            if loci and len(rows | found) > MOST_SHOWN:
                break
            rows |= dict(islice(found.items(), MOST_SHOWN))
            loci += 1
    return {
        "contigs": {_plain(contig): end for contig, end in landscape.ends.items()},
        "signal": signal,
        "marks": [{"name": one.name, "colour": mark(one.name).colour} for one in marks],
        "order": by_class(landscape.marks),
        "palest": PALEST,
        "windows": [
            [
                _plain(chrom),
                int(start),
                int(end),
                name,
                strand,
                [round(float(p), 4) for p in values],
            ]
            for chrom, start, end, name, strand, *values in rows
        ],
        "loci": loci,
    }


def _plain(contig: str) -> str:
    """A contig's name as igv.js can read it in 'contig:start-end': 'HLA-A*01:01' cannot be."""
    return re.sub("[^A-Za-z0-9_.|-]", "_", contig)


def _inline_json(content: dict[str, Any]) -> Markup:
    """JSON that may stand inside a <script>: nothing in it can end that."""
    return Markup(json.dumps(content, separators=(",", ":")).replace("<", "\\u003c"))


def _igv() -> str:
    """igv.js, as text that may stand inside a <script>."""
    package = find_spec("igv_notebook")  # not imported: it would want a notebook
    if package is None or package.origin is None:
        raise ModuleNotFoundError("igv-notebook is not installed")
    text = (Path(package.origin).parent / "js" / "igv.iife.js").read_text(encoding="utf-8")
    return re.sub("</(?=script)", r"<\\/", text, flags=re.IGNORECASE)


def _chapter(card: str, title: str) -> Markup:
    """A chapter of a card as HTML; '' where it has none."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)
    return _html(found[1]) if found else Markup("")


def _pictures(bundle: Bundle, evaluations: Iterable[str]) -> dict[str, str]:
    """The bundle's pictures of its calibration on these sets, as addresses that hold them."""
    return {
        name: "data:image/svg+xml;base64,"
        + base64.b64encode((bundle.directory / path).read_bytes()).decode()
        for name in evaluations
        if (path := f"calibration-{name}.svg") in bundle.manifest.files
    }


def _html(text: str) -> Markup:
    """Markdown as HTML, without pictures and links; HTML in the text is shown, not obeyed: a bundle
    may be anybody's.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link"])
    page = parser.render(text)
    page = re.sub(r"<(/?)h([1-4])>", lambda found: f"<{found[1]}h{int(found[2]) + 2}>", page)
    page = page.replace("<table>", '<div class="wide"><table class="plain">')
    return Markup(page.replace("</table>", "</table></div>"))
