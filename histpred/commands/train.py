"""histpred train: from labels to a bundle."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path
from typing import Any

import click

from histpred.commands import options
from histpred.commands.progress import Progress
from histpred.training.settings import LOSSES, MODELS, About, Recipe, Settings

logger = logging.getLogger(__name__)

RECIPE, SETTINGS, ABOUT = Recipe(), Settings(), About("")


@click.command()
@options.annotation
@options.fasta
@options.labels
@options.out_folder(
    "BUNDLE", "Folder for the bundle. The folder's name is the bundle's name unless you set --name."
)
@click.option(
    "--model",
    type=click.Choice(MODELS),
    default=RECIPE.model,
    show_default=True,
    help="Network to train. mlp: the marker-conditioned perceptron on embeddings. The others read "
    "the bases around the TSS. spectra: a small network over k-mer spectra and reading "
    "frames (10,000 bp to each side). deephistone: as published (500 bp to each side). "
    "deephistone-adapted: with global pooling (11,000 bp upstream, 1,000 bp downstream).",
)
@click.option(
    "--members",
    type=click.IntRange(1),
    default=RECIPE.members,
    show_default=True,
    help="Number of networks that differ in their seed and are averaged (mlp and spectra).",
)
@options.encoder
@options.selection
@options.marks
@click.option(
    "--mark-dimension",
    type=click.IntRange(1),
    metavar="N",
    help="Length of the trainable mark vectors, in numbers. [default: one-hot marks]",
)
@click.option(
    "--hidden",
    default=",".join(map(str, RECIPE.hidden)),
    show_default=True,
    metavar="WIDTH[,WIDTH...]",
    help="Widths of the perceptron's hidden layers, in units.",
)
@click.option(
    "--dropout",
    type=click.FloatRange(0, 1, max_open=True),
    default=RECIPE.dropout,
    show_default=True,
    help="Share of hidden units that are dropped in training.",
)
@click.option(
    "--split",
    default=RECIPE.split,
    show_default=True,
    metavar="random|chromosome|block|locus|FILE",
    help="How rows are split into training, validation and test sets. random: by gene, as in the "
    "paper. chromosome: whole chromosomes. block: blocks of the genome. locus: windows of "
    "different sets never overlap. FILE: a TSV of id and set, or a BED named train, "
    "validation and test.",
)
@click.option(
    "--block",
    type=click.IntRange(1),
    default=RECIPE.block,
    show_default=True,
    metavar="BP",
    help="Length of the blocks of --split block, in bp.",
)
@click.option(
    "--test-chromosomes",
    type=options.NameList("chromosome"),
    default=RECIPE.test_chromosomes,
    show_default=False,
    help="Test set of --split chromosome. [default: drawn, about 10 % of the rows]",
)
@click.option(
    "--validation-chromosomes",
    type=options.NameList("chromosome"),
    default=RECIPE.validation_chromosomes,
    show_default=False,
    help="Validation set of --split chromosome. [default: drawn, about 10 % of the rows]",
)
@click.option(
    "--loss",
    type=click.Choice(LOSSES),
    default=RECIPE.loss,
    show_default=True,
    help="Loss function. weighted: cross-entropy with positives weighted up. undersampled: "
    "cross-entropy on equal numbers of both classes. nnpu: positive-unlabelled learning. plain: "
    "cross-entropy.",
)
@click.option(
    "--prior",
    metavar="SHARE|FILE",
    help="Share of the true positives that are labelled, from 0 to 1, or a TSV of mark and prior. "
    "--loss nnpu needs it. [default: none]",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=SETTINGS.epochs,
    show_default=True,
    help="Largest number of epochs (passes over the training rows).",
)
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=SETTINGS.batch,
    show_default=True,
    help="Number of rows per batch.",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=SETTINGS.learning_rate,
    show_default=True,
    help="Learning rate of the first epochs.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=SETTINGS.seed,
    show_default=True,
    help="Random seed of the split and the training.",
)
@click.option("--name", help="Name of the bundle. [default: the name of its folder]")
@click.option("--summary", default=ABOUT.summary, help="One sentence for the card. [default: none]")
@click.option("--licence", default=ABOUT.licence, show_default=True, help="Licence of the weights.")
@click.option(
    "--species", help="Scientific name of the species. [default: from the FASTA, if it says]"
)
@click.option(
    "--taxon-id", type=int, help="NCBI taxonomy ID of the species. [default: from the annotation]"
)
@click.option("--assembly", help="Name of the assembly. [default: from the annotation]")
@options.embedding
@options.store
@options.overwrite
@options.cache
@options.quiet
def train(
    labels: Path, out: Path, hidden: str, name: str | None, quiet: bool, **given: Any
) -> None:
    """Train a bundle on the LABELS of the rows of ANNOTATION.

    LABELS is a folder that 'histpred labels' wrote, or a TSV. Its first column is an id (gene_id or
    name of the annotation). Each further column is a mark: 1 = present, 0 = absent, empty =
    unlabelled.

    If train is killed, run it again: it resumes where it stopped and ends with the same weights.
    """
    options.need("train")
    from histpred import verbs
    from histpred.core.execution import Execution
    from histpred.genome.request import Request
    from histpred.training.fitting import Epoch
    from histpred.training.recipe import choose_source

    settings = options.filled(Settings, given)
    recipe = options.filled(Recipe, given, hidden=options.widths(hidden), settings=settings)
    about = options.filled(About, given, name=name or out.resolve().name)
    choice = choose_source(recipe, **options.encoder_of(given))
    request = options.filled(Request, given)
    with Progress("training", quiet) as progress, Progress("embedding windows", quiet) as embedded:

        def tell(epoch: Epoch) -> None:
            progress(epoch.epoch, settings.epochs)
            logger.info(
                "epoch %d: training loss %.4f, validation loss %.4f%s",
                epoch.epoch,
                epoch.train_loss,
                epoch.validation_loss,
                ", the best so far" if epoch.best else "",
            )

        execution = options.filled(Execution, given, progress=embedded)
        trained = verbs.train(request, labels, out, recipe, about, choice, execution, progress=tell)
    counts = trained.manifest.training.counts
    files = [str(out), *request.files, str(labels), "-o", f"{out}-evaluation"]
    rows = ["--by", request.level] if request.level else []
    rows += ["--biotype", ",".join(request.biotypes)] if request.biotypes else []
    logger.info(
        "%s: %d marks, trained on %s rows; %s",
        out,
        len(trained.manifest.marks),
        f"{counts['train']:,}",
        f"next: {shlex.join(['histpred', 'evaluate', *files, *rows])}",
    )
