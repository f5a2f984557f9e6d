"""histpred demo: run predict on the data shipped with histpred."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import click

from histpred.commands import options
from histpred.commands.help_pages import verb
from histpred.core.columns import HEADER, NA
from histpred.core.marks import by_class
from histpred.core.text import say

GENES = {
    "RANBP1": "a coding gene that all dividing cells need",
    "MIR1306": "a microRNA in an exon of DGCR8, 6 kb downstream of the promoter",
    "LINC00896": "a lncRNA with a promoter of its own",
    "FAM230J": "a lncRNA that most tissues do not transcribe",
}
"""Genes of the demo whose chromatin is known, and what is known"""


@verb(
    examples=[
        ("Score a real region, and see what comes out", "histpred demo"),
    ]
)
@options.in_output(
    "-o",
    "--out",
    default="histpred-demo",
    metavar="OUT",
    type=options.PATH,
    callback=options.no_stream("a folder"),
    help="Output folder.",
)
@options.overwrite
@click.pass_context
def demo(context: click.Context, out: Path, overwrite: bool) -> None:
    """Score the genes of human chr22:20-21 Mb (hg19) and show the results."""
    from histpred.bundle.calls import promise_of
    from histpred.bundle.folder import DEFAULT_BUNDLE, load_bundle
    from histpred.commands.predict import predict
    from histpred.core.shipped import demo_data
    from histpred.scoring.derived import REPORT

    data = demo_data()
    annotation, fasta = str(data / "genes.gtf.gz"), str(data / "genome.fa.gz")
    say(f"$ histpred predict {annotation} {fasta} -o {out}", err=True)
    given = {"annotation": annotation, "fasta": fasta, "out": out, "overwrite": overwrite}
    context.invoke(predict, **given)

    say("\nFour of the genes (probability of each mark; * is a call):\n")
    for line in table(out):
        say(f"  {line}")
    say("")
    for gene, known in GENES.items():
        say(f"  {gene}: {known}")
    marks = load_bundle(DEFAULT_BUNDLE).manifest.marks
    if any(mark.calls for mark in marks):
        say("\nWhat a call of each mark promises:")
        for mark in marks:
            say(f"  {promise_of(mark)}")
    say(f"\n{out / REPORT}: all of it as a page; open it in a browser")
    for name, what in (
        ("scores.tsv.gz", "a calibrated probability for each gene and mark"),
        ("calls.bed.gz", "the called marks of each gene, for a genome browser (hg19)"),
        ("ledger.tsv", "for each gene of the annotation: scored, or skipped and why"),
    ):
        say(f"{out / name}: {what}")
    say(
        "\nThe bundle was trained on this region, so the demo shows the program and not the "
        "accuracy (for that: histpred bundle show).\n"
        "Next, run it on your own files of one assembly (in a checkout: bin/histpred):\n"
        "  histpred predict genes.gtf.gz genome.fa --biotype ncRNA -o my-scores"
    )


def table(out: Path) -> list[str]:
    """The probabilities of GENES in the prediction in the folder `out`, as lines of text."""
    with gzip.open(out / "calls.bed.gz", "rt", encoding="utf-8") as lines:
        called = {line.split("\t")[3] for line in lines if not line.startswith("#")}
    with gzip.open(out / "scores.tsv.gz", "rt", encoding="utf-8") as lines:
        rows = {row["name"]: row for row in csv.DictReader(lines, delimiter="\t")}
    marks = by_class([name for name in rows[next(iter(GENES))] if name not in HEADER])
    shown = [["gene", "biotype", *marks]]
    for gene in GENES:
        cells = []
        for mark in marks:
            value = rows[gene][mark]
            star = "*" if f"{gene}|{mark}" in called else " "
            cells.append(f"{value if value == NA else format(float(value), '.2f')}{star}")
        shown.append([gene, rows[gene]["biotype"], *cells])
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in shown]
