"""The genome browser in a prediction's page, and what it shows: igv.js (https://igv.org).

igv/ holds its version 3.8.10 from npm's registry (dist/igv.min.js without the last line, which
names a source map), and its licence. The package that PyPI has, igv-notebook, needs Jupyter.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import islice
from pathlib import Path

from markupsafe import Markup
from pydantic import JsonValue

from histpred.core.columns import NAMES, place_of
from histpred.core.errors import first_few
from histpred.core.marks import by_class, mark
from histpred.genome.naming import TABIX, refuse_names
from histpred.genome.reference import Reference
from histpred.genome.request import REGIONS
from histpred.reports.landscape import Landscape, Locus
from histpred.reports.surroundings import bases_of, features_of, stretches_around
from histpred.scoring.explain_record import ExplainRecord
from histpred.scoring.record import RunRecord
from histpred.scoring.tables import PALEST, SCORES

AROUND = 10_000  # bp to each side of a locus that the browser has
MOST_SHOWN = 3_000  # windows in the browser
NO_WINDOWS = ("interval", "body")  # kinds of windows that are rows of the annotation


def browser_view(
    folder: Path,
    run: RunRecord,
    landscape: Landscape,
    loci: Sequence[Locus],
    reference: Reference | None,
) -> dict[str, JsonValue]:
    """The data of the browser: what lies around the first of `loci`, as MOST_SHOWN allows.

    Positions are 0-based half-open. contigs: length up to the last window, bp. signal: draw a
    continuous signal. annotation: its file's name. features: contig, start, end, name, strand,
    whether the row was scored. windows: contig, start, end, name, strand, and a probability for
    each mark. cover: windows are more than the rows of the annotation. bases: contig, start, text.
    loci: how many of the loci are covered. reference: the genome, if it is at hand.
    """
    windows, covered = _windows(folder / SCORES, landscape, loci)
    around = stretches_around(loci[:covered], AROUND)
    window = run.identity.window
    features = features_of(folder, run.fasta.renamed, around)
    bases = bases_of(reference, stretches_around(loci[:covered], 0))
    return {
        "contigs": {plain_contig(contig): end for contig, end in landscape.ends.items()},
        "signal": bool(window.tile),
        "cover": window.kind not in NO_WINDOWS,
        "annotation": annotation_name(run),
        "features": [[plain_contig(one[0]), *one[1:]] for one in features],
        "marks": [{"name": name, "colour": [*mark(name).colour]} for name in landscape.marks],
        "order": [*by_class(landscape.marks)],
        "palest": PALEST,
        "windows": [
            [
                plain_contig(chrom),
                int(start),
                int(end),
                name,
                strand,
                [round(float(values[column]), 4) for column in landscape.columns],
            ]
            for chrom, start, end, name, strand, *values in windows
        ],
        "bases": [[plain_contig(one[0]), *one[1:]] for one in bases],
        "loci": covered,
    }


def _windows(
    scores: Path, landscape: Landscape, loci: Sequence[Locus]
) -> tuple[list[tuple[str, ...]], int]:
    """The windows around the first loci, place and probabilities, and the number of these loci."""
    import pysam

    refuse_names(str(scores), landscape.ends, [TABIX])
    rows: dict[tuple[str, ...], None] = {}
    covered = 0
    index = next(path for end in (".tbi", ".csi") if (path := Path(f"{scores}{end}")).exists())
    with pysam.TabixFile(str(scores), index=str(index), encoding="utf-8") as table:
        for locus in loci:
            near = table.fetch(locus.chrom, max(0, locus.start - AROUND), locus.end + AROUND)
            fields = (line.split("\t") for line in near)
            found = {(*place_of(each), *each[len(NAMES) :]): None for each in fields}
            if covered and len(rows | found) > MOST_SHOWN:
                break
            rows |= dict(islice(found.items(), MOST_SHOWN))
            covered += 1
    return list(rows), covered


def annotation_name(run: RunRecord | ExplainRecord) -> str:
    """The name of the annotation's file, or the first typed regions."""
    path = run.annotation.path
    if run.identity.source == REGIONS:
        return first_few(path.split())
    return "standard input" if path == "-" else file_name(path)


def file_name(path: str) -> str:
    """The last part of a path, as text that any page can hold."""
    return os.fsencode(Path(path).name).decode("utf-8", "replace")


def plain_contig(contig: str) -> str:
    """A contig's name as igv.js can parse it in 'contig:start-end'.

    >>> plain_contig("HLA-A*01:01")
    'HLA-A_01_01'
    """
    return re.sub("[^A-Za-z0-9_.|-]", "_", contig)


def place_text(locus: Locus) -> str:
    """A place as browsers write it, 1-based."""
    return f"{locus.chrom}:{locus.start + 1:,}-{locus.end:,}"


def place_json(locus: Locus) -> str:
    """A place for the page's browser, 0-based half-open."""
    return json.dumps([plain_contig(locus.chrom), locus.start, locus.end])


def inline_json(content: Mapping[str, JsonValue] | Sequence[JsonValue]) -> Markup:
    """JSON for a <script> element, which nothing in it can close."""
    return Markup(json.dumps(content, separators=(",", ":")).replace("<", "\\u003c"))


def igv_script() -> str:
    """The source of igv.js for a <script> element."""
    text = files(__package__).joinpath("igv", "igv.min.js").read_text(encoding="utf-8")
    return re.sub("</(?=script)", r"<\\/", text, flags=re.IGNORECASE)
