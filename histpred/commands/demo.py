"""histpred demo: run predict on the data shipped with histpred."""

from __future__ import annotations

import gzip
from itertools import islice
from pathlib import Path

import click

from histpred.commands import options
from histpred.commands.help_pages import verb
from histpred.core.text import say


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
    """Score the non-coding RNA genes of human chr22:20-21 Mb (hg19) and show the results."""
    from histpred.bundle.calls import promise_of
    from histpred.bundle.folder import DEFAULT_BUNDLE, load_bundle
    from histpred.commands.predict import predict
    from histpred.core.shipped import demo_data
    from histpred.scoring.derived import REPORT

    data = demo_data()
    annotation, fasta = str(data / "genes.gtf.gz"), str(data / "genome.fa.gz")
    say(f"$ histpred predict {annotation} {fasta} --biotype ncRNA -o {out}", err=True)
    given = {"annotation": annotation, "fasta": fasta, "out": out, "overwrite": overwrite}
    context.invoke(predict, biotypes=("ncRNA",), **given)

    for name, what in (
        ("scores.tsv.gz", "a calibrated probability for each gene and mark"),
        ("calls.bed.gz", "the called marks of each gene, for a genome browser (hg19)"),
        ("ledger.tsv", "for each gene of the annotation: scored, or skipped and why"),
    ):
        say(f"\n{out / name}: {what}")
        opened = gzip.open if name.endswith(".gz") else open
        with opened(out / name, "rt", encoding="utf-8") as lines:
            for line in islice(lines, 4):
                say(f"  {line.rstrip()}")
    say(f"\n{out / REPORT}: all of it as a page; open it in a browser")
    marks = load_bundle(DEFAULT_BUNDLE).manifest.marks
    if any(mark.calls for mark in marks):
        say("\nWhat a call of each mark promises:")
        for mark in marks:
            say(f"  {promise_of(mark)}")
    say(
        "\nThe bundle was trained on this region, so the demo shows the formats and not the "
        "accuracy (for that: histpred bundle show).\n"
        "Next, run it on your own files of one assembly (in a checkout: bin/histpred):\n"
        "  histpred predict genes.gtf.gz genome.fa --biotype ncRNA -o my-scores"
    )
