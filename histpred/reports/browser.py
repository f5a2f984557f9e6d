"""The genome browser in a prediction's page, and the windows that it shows.

It is igv.js (https://igv.org), from the package igv-notebook.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import pandas
from markupsafe import Markup
from pydantic import JsonValue

from histpred.core.columns import NAMES, place_of
from histpred.core.marks import by_class, mark
from histpred.genome.naming import TABIX, refuse_names
from histpred.reports.landscape import Landscape
from histpred.scoring.tables import PALEST

AROUND = 10_000  # bp to each side of a locus that the browser has
MOST_SHOWN = 3_000  # windows in the browser


def browser_view(
    scores: Path, landscape: Landscape, top: pandas.DataFrame, signal: bool
) -> dict[str, JsonValue]:
    """The data of the browser: windows around the loci of `top`, as many as MOST_SHOWN allows.

    contigs: length up to the last window, bp. signal: draw a continuous signal. windows: chrom,
    start, end (0-based half-open), name, strand, and a probability for each mark. loci: how many of
    the first rows of `top` are covered.
    """
    import pysam

    refuse_names(str(scores), landscape.ends, [TABIX])
    rows: dict[tuple[str, ...], None] = {}
    loci = 0
    index = next(path for end in (".tbi", ".csi") if (path := Path(f"{scores}{end}")).exists())
    with pysam.TabixFile(str(scores), index=str(index), encoding="utf-8") as table:
        for row in top.itertuples():
            start, end = max(0, row.start - AROUND), row.end + AROUND
            near = table.fetch(row.chrom, start, end)
            fields = (line.split("\t") for line in near)
            found = {(*place_of(each), *each[len(NAMES) :]): None for each in fields}
            if loci and len(rows | found) > MOST_SHOWN:
                break
            rows |= dict(islice(found.items(), MOST_SHOWN))
            loci += 1
    return {
        "contigs": {plain_contig(contig): end for contig, end in landscape.ends.items()},
        "signal": signal,
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
            for chrom, start, end, name, strand, *values in rows
        ],
        "loci": loci,
    }


def plain_contig(contig: str) -> str:
    """A contig's name as igv.js can parse it in 'contig:start-end'.

    >>> plain_contig("HLA-A*01:01")
    'HLA-A_01_01'
    """
    return re.sub("[^A-Za-z0-9_.|-]", "_", contig)


def inline_json(content: Mapping[str, JsonValue] | Sequence[JsonValue]) -> Markup:
    """JSON for a <script> element, which nothing in it can close."""
    return Markup(json.dumps(content, separators=(",", ":")).replace("<", "\\u003c"))


def igv_script() -> str:
    """The source of igv.js for a <script> element."""
    package = find_spec("igv_notebook")  # importing it needs a notebook
    if package is None or package.origin is None:
        raise ModuleNotFoundError("igv-notebook is not installed")
    text = (Path(package.origin).parent / "js" / "igv.iife.js").read_text(encoding="utf-8")
    return re.sub("</(?=script)", r"<\\/", text, flags=re.IGNORECASE)
