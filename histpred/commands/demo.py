"""histpred demo: run predict on the data shipped with histpred."""

from __future__ import annotations

import math
from pathlib import Path

import click

from histpred.commands import options
from histpred.commands.help_pages import verb
from histpred.core.columns import NA, picker, place_of
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
    from histpred.scoring.called import called_rows
    from histpred.scoring.tables import CALLS, SCORES, read_scores

    names_of, cells_of = picker("name", "biotype"), {}
    with read_scores(out / SCORES) as (marks, blocks), called_rows(out / CALLS, marks) as calls:
        for block in blocks:
            called = calls.take([*map(place_of, block.windows)])
            rows = zip(block.windows, block.probabilities.tolist(), called.tolist(), strict=True)
            for fields, values, stars in rows:
                name, biotype = names_of(fields)
                texts = (NA if math.isnan(value) else f"{value:.2f}" for value in values)
                cells = map(str.__add__, texts, ("*" if star else " " for star in stars))
                cells_of[name] = dict(zip(marks, cells, strict=True)) | {"biotype": biotype}
    columns = ["biotype", *by_class(marks)]
    shown = [["gene", *columns]]
    shown += [[gene, *(cells_of[gene][column] for column in columns)] for gene in GENES]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in shown]
