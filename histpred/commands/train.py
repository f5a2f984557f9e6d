"""histpred train: from labels to a bundle."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from histpred.commands import completers, inputs, options
from histpred.commands.help_pages import option_in, verb
from histpred.commands.numbers import Whole
from histpred.commands.progress import Progress
from histpred.core.extras import need
from histpred.core.log import logger
from histpred.core.text import counted
from histpred.training.settings import LOSSES, MODELS, About, Recipe, Settings

if TYPE_CHECKING:
    from histpred.training.fitting import Epoch

in_network, in_split = option_in("Network"), option_in("Split")
in_fit, in_about = option_in("Fitting"), option_in("What the bundle says about itself")

RECIPE, SETTINGS, ABOUT = Recipe(), Settings(), About("")


@verb(
    examples=[
        (
            "Label genes, train a bundle and evaluate it",
            "histpred labels peaks genes.gtf.gz peaks/*.bed.gz -o labels\n"
            "histpred train genes.gtf.gz genome.fa labels --split chromosome -o mine\n"
            "histpred evaluate mine genes.gtf.gz genome.fa labels -o evaluation",
        ),
        (
            "Train one bundle on the genomes of a sheet",
            "histpred train genomes.csv --split chromosome -o mine",
        ),
        (
            "Train the small network that reads bases around the TSS",
            "histpred train genes.gtf.gz genome.fa labels --model spectra --members 5 \\\n"
            "    -o mine",
        ),
        (
            "Go on from the weights of a bundle, with labels of your own",
            "histpred train genes.bed genome.fa my-labels --from mine -o mine-tuned",
        ),
    ]
)
@options.labelled_genomes
@options.out(
    "BUNDLE", "Folder for the bundle. The folder's name is the bundle's name unless you set --name."
)
@in_network(
    "--model",
    type=click.Choice(MODELS),
    default=RECIPE.model,
    help="Network to train. mlp: the marker-conditioned perceptron on embeddings. spectra: a "
    "small network over k-mers and reading frames within 10,000 bp of the TSS. deephistone: as "
    "published, on 500 bp to each side. deephistone-adapted: with global pooling, on 11,000 bp "
    "upstream and 1,000 bp downstream.",
)
@in_network(
    "--from",
    "parent",
    metavar="NAME|DIR",
    shell_complete=completers.bundles,
    help="Bundle of 'histpred train' to start from (fine-tuning; mlp and spectra). It fixes the "
    "network, the encoder and the window. [default: train anew]",
)
@in_network(
    "--members",
    type=Whole(1),
    default=RECIPE.members,
    metavar="N",
    help="Number of networks that are averaged (mlp and spectra).",
)
@options.encoder
@options.selection
@inputs.transcripts
@options.marks
@in_network(
    "--mark-dimension",
    type=Whole(1),
    metavar="N",
    help="Length of the trainable mark vectors, in numbers. [default: one-hot marks]",
)
@in_network(
    "--hidden",
    default=",".join(map(str, RECIPE.hidden)),
    metavar="WIDTH[,WIDTH...]",
    help="Widths of the perceptron's hidden layers, in units.",
)
@in_network(
    "--dropout",
    type=click.FloatRange(0, 1, max_open=True),
    default=RECIPE.dropout,
    metavar="SHARE",
    help="Share of hidden units that are dropped in training.",
)
@in_split(
    "--split",
    default=RECIPE.split,
    metavar="random|chromosome|block|locus|FILE",
    shell_complete=completers.one_of(["random", "chromosome", "block", "locus"], "file"),
    help="Training, validation and test sets. random: by gene, as in the paper. chromosome: whole "
    "chromosomes. block: blocks of the genome. locus: windows of different sets never overlap. "
    "FILE: a TSV of id and set, or a BED named train, validation and test.",
)
@in_split(
    "--block",
    type=Whole(1),
    default=RECIPE.block,
    metavar="BP",
    help="Length of the blocks of --split block, in bp.",
)
@in_split(
    "--test-chromosomes",
    type=options.NameList("chromosome"),
    default=RECIPE.test_chromosomes,
    help="Test set of --split chromosome. [default: drawn, about 10 % of the rows]",
)
@in_split(
    "--validation-chromosomes",
    type=options.NameList("chromosome"),
    default=RECIPE.validation_chromosomes,
    help="Validation set of --split chromosome. [default: drawn, about 10 % of the rows]",
)
@in_fit(
    "--loss",
    type=click.Choice(LOSSES),
    default=RECIPE.loss,
    help="Loss function. weighted: cross-entropy with positives weighted up. undersampled: on "
    "equal numbers of both classes. nnpu: positive-unlabelled learning. plain: cross-entropy.",
)
@in_fit(
    "--prior",
    metavar="SHARE|FILE",
    help="With --loss nnpu: share of the true positives that are labelled, from 0 to 1, or a TSV "
    "of mark and prior. [default: none]",
)
@in_fit(
    "--calls",
    metavar="precision:SHARE|youden",
    help="Rule for each mark's threshold, on the validation rows. precision: the lowest with that "
    "precision. youden: the highest Youden's J, as in the paper. [default: precision:0.8, for "
    "intervals precision:0.5]",
)
@in_fit(
    "--epochs",
    type=Whole(1),
    default=SETTINGS.epochs,
    metavar="N",
    help="Largest number of epochs.",
)
@in_fit(
    "--batch",
    type=Whole(1),
    default=SETTINGS.batch,
    metavar="N",
    help="Number of rows per batch.",
)
@in_fit(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=SETTINGS.learning_rate,
    metavar="RATE",
    help="Learning rate of the first epochs.",
)
@in_fit(
    "--seed",
    type=click.IntRange(0),
    default=SETTINGS.seed,
    metavar="N",
    help="Random seed of the split and the training.",
)
@in_about("--name", help="Name of the bundle. [default: the name of its folder]")
@in_about("--summary", default=ABOUT.summary, help="One sentence for the card. [default: none]")
@in_about("--licence", default=ABOUT.licence, help="Licence of the weights.")
@in_about("--species", help="Scientific name of the species. [default: from the FASTA, if it says]")
@in_about(
    "--taxon-id", type=int, help="NCBI taxonomy ID of the species. [default: from the annotation]"
)
@in_about("--assembly", help="Name of the assembly. [default: from the annotation]")
@options.threads
@options.embedding
@options.store
@options.overwrite
@options.cache
@options.quiet
def train(out: Path, hidden: str, name: str | None, quiet: bool, **given: Any) -> None:
    """Train a bundle on the LABELS of the rows of ANNOTATION, or on several genomes.

    LABELS is a folder that 'histpred labels' wrote, or a TSV: an id (gene_id or name of the
    annotation), then a column for each mark (1 = present, 0 = absent, empty = unlabelled).

    SHEET is a CSV, or a TSV, with a row for each genome: name, annotation, fasta, labels and,
    optionally, species, taxon_id and assembly.

    If train is killed, run it again: it resumes and ends with the same weights. With --precision
    bf16, the network is trained in bf16 too.
    """
    need("train")
    from histpred import verbs
    from histpred.core.execution import Execution
    from histpred.training.parent import like_parent
    from histpred.training.recipe import check, choose_source

    settings = options.filled(Settings, given)
    recipe = options.filled(Recipe, given, hidden=options.widths(hidden), settings=settings)
    recipe = like_parent(recipe, options.typed(recipe._asdict()))
    about = options.filled(About, given, name=name or out.resolve().name)
    check(recipe, about)  # before the encoder is opened
    choice = choose_source(recipe, **options.encoder_of(given))
    genomes = inputs.genomes_of(given)
    with Progress("training", quiet) as progress, Progress("embedding windows", quiet) as embedded:

        def tell(epoch: Epoch) -> None:
            progress(epoch.epoch, settings.epochs)
            logger.info(
                f"epoch {epoch.epoch}: training loss {epoch.train_loss:.4f}, validation loss "
                f"{epoch.validation_loss:.4f}{', the best so far' if epoch.best else ''}"
            )

        execution = options.filled(Execution, given, progress=embedded)
        trained = verbs.train(genomes, out, recipe, about, choice, execution, progress=tell)
    counts = trained.manifest.training.counts
    logger.info(
        f"{out}: {counted(len(trained.manifest.marks), 'mark')}, trained on "
        f"{counted(counts['train'], 'row')}; next: {evaluating(out, given)}"
    )


def evaluating(out: Path, given: Mapping[str, Any]) -> str:
    """The command that evaluates a new bundle on the rows that it was trained on."""
    named = filter(None, (given[name] for name in ("annotation", "fasta", "labels")))
    words = ["histpred", "evaluate", str(out), *map(str, named), "-o", f"{out}-evaluation"]
    words += [word for path in given["transcripts"] for word in ("--transcripts", path)]
    words += ["--by", given["level"]] if given["level"] else []
    words += ["--biotype", ",".join(given["biotypes"])] if given["biotypes"] else []
    words += ["--unstranded"] if given["unstranded"] else []
    words += ["--weights", str(given["weights"])] if given["weights"] else []
    return shlex.join(words)
