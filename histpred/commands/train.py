"""histpred train: from labels to a bundle."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from histpred.commands import options
from histpred.commands.progress import Progress
from histpred.core.log import logger
from histpred.training.settings import LOSSES, MODELS, About, Recipe, Settings

RECIPE, SETTINGS, ABOUT = Recipe(), Settings(), About("")


@click.command()
@options.annotation
@options.fasta
@options.labels
@options.out(
    "BUNDLE", "Folder for the bundle. The folder's name is the bundle's name unless you set --name."
)
@options.option(
    "--model",
    type=click.Choice(MODELS),
    default=RECIPE.model,
    help="Network to train. mlp: the marker-conditioned perceptron on embeddings. The others read "
    "the bases around the TSS. spectra: a small network over k-mer spectra and reading "
    "frames (10,000 bp to each side). deephistone: as published (500 bp to each side). "
    "deephistone-adapted: with global pooling (11,000 bp upstream, 1,000 bp downstream).",
)
@options.option(
    "--members",
    type=click.IntRange(1),
    default=RECIPE.members,
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
@options.option(
    "--hidden",
    default=",".join(map(str, RECIPE.hidden)),
    metavar="WIDTH[,WIDTH...]",
    help="Widths of the perceptron's hidden layers, in units.",
)
@options.option(
    "--dropout",
    type=click.FloatRange(0, 1, max_open=True),
    default=RECIPE.dropout,
    help="Share of hidden units that are dropped in training.",
)
@options.option(
    "--split",
    default=RECIPE.split,
    metavar="random|chromosome|block|locus|FILE",
    help="How rows are split into training, validation and test sets. random: by gene, as in the "
    "paper. chromosome: whole chromosomes. block: blocks of the genome. locus: windows of "
    "different sets never overlap. FILE: a TSV of id and set, or a BED named train, "
    "validation and test.",
)
@options.option(
    "--block",
    type=click.IntRange(1),
    default=RECIPE.block,
    metavar="BP",
    help="Length of the blocks of --split block, in bp.",
)
@click.option(
    "--test-chromosomes",
    type=options.NameList("chromosome"),
    default=RECIPE.test_chromosomes,
    help="Test set of --split chromosome. [default: drawn, about 10 % of the rows]",
)
@click.option(
    "--validation-chromosomes",
    type=options.NameList("chromosome"),
    default=RECIPE.validation_chromosomes,
    help="Validation set of --split chromosome. [default: drawn, about 10 % of the rows]",
)
@options.option(
    "--loss",
    type=click.Choice(LOSSES),
    default=RECIPE.loss,
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
    "--calls",
    metavar="precision:SHARE|youden",
    help="How each mark's threshold is chosen on the validation rows. precision: the lowest whose "
    "calls have that precision, such as precision:0.9. youden: the highest Youden's J, as in the "
    "paper. [default: precision:0.8, for intervals precision:0.5]",
)
@options.option(
    "--epochs",
    type=click.IntRange(1),
    default=SETTINGS.epochs,
    help="Largest number of epochs (passes over the training rows).",
)
@options.option(
    "--batch", type=click.IntRange(1), default=SETTINGS.batch, help="Number of rows per batch."
)
@options.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=SETTINGS.learning_rate,
    help="Learning rate of the first epochs.",
)
@options.option(
    "--seed",
    type=click.IntRange(0),
    default=SETTINGS.seed,
    help="Random seed of the split and the training.",
)
@click.option("--name", help="Name of the bundle. [default: the name of its folder]")
@click.option("--summary", default=ABOUT.summary, help="One sentence for the card. [default: none]")
@options.option("--licence", default=ABOUT.licence, help="Licence of the weights.")
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

    With --precision bf16, the network is trained in bf16 too.
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
                f"epoch {epoch.epoch}: training loss {epoch.train_loss:.4f}, validation loss "
                f"{epoch.validation_loss:.4f}{', the best so far' if epoch.best else ''}"
            )

        execution = options.filled(Execution, given, progress=embedded)
        trained = verbs.train(request, labels, out, recipe, about, choice, execution, progress=tell)
    counts = trained.manifest.training.counts
    files = [str(out), *request.files, str(labels), "-o", f"{out}-evaluation"]
    rows = ["--by", request.level] if request.level else []
    rows += ["--biotype", ",".join(request.biotypes)] if request.biotypes else []
    logger.info(
        f"{out}: {len(trained.manifest.marks)} marks, trained on {counts['train']:,} rows; "
        f"next: {shlex.join(['histpred', 'evaluate', *files, *rows])}"
    )
