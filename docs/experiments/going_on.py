"""Training that goes on from a bundle beside training anew, by number of labelled genes.

    python docs/experiments/going_on.py DATA WORK [yeast|chr20-spectra|chr20-mlp ...]
    python docs/experiments/going_on.py --table WORK

DATA holds human/ and yeast/. A parent is trained on some chromosomes with `histpred.train`. Then
20, 50, 100 or 300 genes are drawn from others, a fifth of them to validate, and networks are
trained on them, anew and from the parent. Each of four seeds draws once. All are judged on test
rows that no network has seen, by the mean AUROC of the marks that can be learned from the drawn
genes. Finished rows are kept in WORK/going_on.tsv: run the same command again and it goes on.
"""

from __future__ import annotations

import csv
import logging
import shutil
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas
import torch

import histpred
from histpred.bundle.folder import load_bundle
from histpred.core.execution import Execution
from histpred.evaluation.baselines import KMERS, fit_baselines
from histpred.genome.genomes import one_genome
from histpred.genome.request import Request
from histpred.labels.examples import FEWEST, Examples
from histpred.labels.genomes import read_genome_labels
from histpred.labels.splits import TEST, TRAIN, UNUSED, VALIDATION
from histpred.training.data import WINDOWS, Dataset, gather
from histpred.training.fitting import logits_of
from histpred.training.members import fit_members, trained_part
from histpred.training.onnx_networks import networks_of
from histpred.training.parent import like_parent
from histpred.training.recipe import Source, choose_source
from histpred.training.settings import MLP, PLAIN, SPECTRA, Recipe, Settings

NUMBERS = (20, 50, 100, 300)
SEEDS = range(4)
RATES = (2e-3, 2e-4)  # of the optimiser, from the parent
RATES_ANEW = {MLP: RATES, SPECTRA: RATES[:1]}
BATCH = 16
THIN = (256, 128, 96, 64, 32)  # the paper's five layers at an eighth of their width
AROUND_TSS = "promoter:1000:1000"
QUARTILE = 0.75
LATER = 4  # every fourth mark of yeast is new to the child
# Chromosomes of yeast that train the parent, that genes are drawn from, and that test
FIRST = ("chrI", "chrIII", "chrV", "chrVII", "chrIX", "chrXI", "chrXIII", "chrXV")
DRAWN = ("chrII", "chrVI", "chrVIII", "chrX", "chrXIV", "chrXVI")
JUDGED = ("chrIV", "chrXII")
SPARED = 3  # of the drawn and judged genes of yeast, every third is used
BORDER = 33_000_000  # bp of chr20: genes are drawn below, and judged above
FIELDS = ("data", "marks", "genes", "seed", "way", "learned", "auroc")


class Task(NamedTuple):
    """A parent, rows to go on with, and which marks of them are compared, by name of the set."""

    name: str
    parent: Path
    recipe: Recipe
    dataset: Dataset
    marks: dict[str, list[str]]


def yeast(data: Path, work: Path) -> Task:
    """Half of yeast's chromosomes and three quarters of its marks train the parent."""
    folder = data / "yeast"
    table = pandas.read_csv(
        folder / "yeast_sacCer3_gene_x_26marks_weiner_projected.tsv.gz", sep="\t"
    )
    marks = list(table.columns[table.columns.get_loc("n_nuc") + 1 :])
    table = table[table[marks].notna().all(axis=1)].drop_duplicates("gene")
    labels = (table[marks] >= table[marks].quantile(QUARTILE)).astype(int)
    labels.insert(0, "name", table["gene"])
    later = marks[::LATER]
    first = labels[table["chrom"].isin(FIRST)].drop(columns=later)
    rest = labels[table["chrom"].isin(DRAWN + JUDGED)][::SPARED]
    first.to_csv(work / "yeast.first.tsv", sep="\t", index=False)
    rest.to_csv(work / "yeast.rest.tsv", sep="\t", index=False)
    columns = ["chrom", "start0", "end", "gene", "strand"]
    for name, part in (("first", first), ("rest", rest)):
        rows = table.loc[part.index, columns]
        rows.insert(4, "score", 0)
        rows.to_csv(work / f"yeast.{name}.bed", sep="\t", header=False, index=False)
    fasta = folder / "sacCer3.fa.gz"
    parent = work / "yeast-parent"
    options = {"split": "chromosome", "validation_chromosomes": ("chrXV",)}
    histpred.train(
        work / "yeast.first.bed",
        fasta,
        work / "yeast.first.tsv",
        parent,
        model=SPECTRA,
        loss=PLAIN,
        learning_rate=2e-3,
        epochs=15,
        test_chromosomes=("chrI",),
        **options,
    )
    recipe, dataset = rows_for(parent, work / "yeast.rest.bed", fasta, work / "yeast.rest.tsv")
    kept = [mark for mark in marks if mark not in later]
    return Task("yeast, spectra", parent, recipe, dataset, {"same marks": kept, "new marks": later})


def chr20(data: Path, work: Path, model: str) -> Task:
    """Genes of chr22 train the parent; genes of chr20 go on."""
    for name in ("chr22", "chr20"):
        table = pandas.read_csv(data / f"human/{name}/labels_genes.tsv.gz", sep="\t")
        chosen = [c for c in table if c.startswith("c25.") and c != "c25.H3F3A"]
        labels = table[["gene_id", *chosen]].drop_duplicates("gene_id")
        labels.columns = [column.removeprefix("c25.") for column in labels]
        labels.to_csv(work / f"{name}.tsv", sep="\t", index=False)
    parent = work / f"chr22-{model}"
    by_model = {"model": model, "learning_rate": RATES[0], "batch": BATCH}
    if model == MLP:
        by_model |= {"hidden": THIN, "window": AROUND_TSS}
    files = [data / f"human/chr22/{name}" for name in ("genes.chr22.gtf.gz", "hg19.chr22.fa.gz")]
    histpred.train(
        *files, work / "chr22.tsv", parent, split="block", loss=PLAIN, epochs=30, **by_model
    )
    files = [data / f"human/chr20/{name}" for name in ("genes.chr20.gtf.gz", "hg19.chr20.fa.gz")]
    recipe, dataset = rows_for(parent, *files, work / "chr20.tsv")
    return Task(f"chr20, {model}", parent, recipe, dataset, {"same marks": list(dataset.marks)})


def rows_for(parent: Path, annotation: Path, fasta: Path, labels: Path) -> tuple[Recipe, Dataset]:
    """The parent's recipe, and all labelled rows as its network reads them."""
    plain = Recipe(parent=str(parent), loss=PLAIN)
    recipe = like_parent(plain, {})
    choice = choose_source(recipe)
    source = choice and Source(choice, choice.open())
    window = choice.window if choice else WINDOWS[recipe.model]
    genomes = one_genome(Request(str(annotation), str(fasta)), labels)
    work = parent.with_name(f"{parent.name}-windows")
    work.mkdir(exist_ok=True)
    given = genomes, window, source, work, Execution(), recipe, read_genome_labels(genomes)
    dataset = gather(*given)
    shutil.rmtree(work)
    return recipe, dataset


def runs(task: Task, done: set[tuple[str, ...]]) -> Iterator[tuple[object, ...]]:
    """The rows of going_on.tsv of a task that are not `done` yet."""
    for seed, (chosen, names), number in product(SEEDS, task.marks.items(), NUMBERS):
        key = task.name, chosen, number, seed
        if (*map(str, key), "end") in done:
            continue
        columns = [task.dataset.marks.index(name) for name in names]
        examples = task.dataset.examples
        drawn = draw(examples._replace(labels=examples.labels[:, columns]), number, seed)
        enough = learnable(drawn)
        drawn = drawn._replace(labels=drawn.labels[:, enough])
        marks = [name for name, fine in zip(names, enough, strict=True) if fine]
        for way, logits in ways(task, drawn, marks, seed):
            yield *key, way, len(marks), macro_auroc(drawn.of(TEST).labels, logits)
        yield *key, "end", len(marks), ""


def ways(
    task: Task, drawn: Examples, marks: list[str], seed: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Each way of training, and its logits or scores of the test rows."""
    features = drawn._replace(inputs=task.dataset.features)
    test = features.of(TEST)
    scores, _ = fit_baselines(features)(test.windows, test.inputs)[KMERS]
    yield KMERS, scores
    parent = load_bundle(task.parent)
    theirs = parent.manifest.mark_names
    places = [theirs.index(mark) for mark in marks if mark in theirs]
    inputs, numbers = torch.from_numpy(drawn.inputs), torch.from_numpy(drawn.numbers(TEST))
    if len(places) == len(marks):
        (network,) = networks_of(parent, task.recipe)
        logits = logits_of(trained_part(network), inputs, numbers)
        yield "parent as it is", logits[:, places].numpy()
    trainings = [("anew", None, rate) for rate in RATES_ANEW[task.recipe.model]]
    trainings += [("from the parent", str(task.parent), rate) for rate in RATES]
    for named, start, rate in trainings:
        settings = Settings(epochs=50, batch=BATCH, learning_rate=rate, seed=seed)
        recipe = task.recipe._replace(parent=start, settings=settings)
        checkpoints = task.parent.with_name(f"{task.parent.name}-scratch")
        shutil.rmtree(checkpoints, ignore_errors=True)
        network, _ = fit_members(
            *(drawn, tuple(marks), recipe, torch.device("cpu"), "fp32"),
            *(checkpoints, {}, lambda epoch: None),
        )
        logits = logits_of(trained_part(network), inputs, numbers).numpy()
        yield f"{named}, {rate:g}", logits


def draw(examples: Examples, number: int, seed: int) -> Examples:
    """Draw labelled genes for training and validation. Other genes that do not test are unused."""
    windows = examples.windows
    if windows["chrom"].iloc[0] in FIRST + DRAWN + JUDGED:
        judged = windows["chrom"].isin(JUDGED).to_numpy()
    else:
        judged = (windows["start"] >= BORDER).to_numpy()
    pool = np.flatnonzero(~judged)
    chosen = np.random.default_rng(seed).choice(pool, number, replace=False)
    sets = np.where(judged, TEST, UNUSED).astype("<U10")
    sets[chosen] = TRAIN
    sets[chosen[: number // 5]] = VALIDATION
    return examples._replace(sets=sets)


def learnable(examples: Examples) -> np.ndarray:
    """True, bool [marks], for marks that `histpred train` would not leave out, and that test."""
    train, test = (examples.labels[examples.sets == name] for name in (TRAIN, TEST))
    enough = [((part == value).sum(0) >= FEWEST) for part in (train, test) for value in (0, 1)]
    return np.logical_and.reduce(enough)


def macro_auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The mean AUROC of the marks, by scikit-learn."""
    from sklearn.metrics import roc_auc_score

    return float(np.mean([roc_auc_score(*pair) for pair in zip(labels.T, scores.T, strict=True)]))


def print_table(work: Path) -> None:
    """Print mean and standard deviation over finished draws, a row for each number of genes."""
    table = pandas.read_csv(work / "going_on.tsv", sep="\t")
    draws = table.loc[table["way"] == "end", list(FIELDS[:4])]  # those that are finished
    table = table[table["way"] != "end"].merge(draws).drop_duplicates(list(FIELDS[:5]))
    for (data, marks), part in table.groupby(["data", "marks"], sort=False):
        print(f"\n{data}, {marks}\n")
        figures = part.groupby(["genes", "way"], sort=False)["auroc"].agg(["mean", "std"])
        cells = figures.apply(lambda row: f"{row['mean']:.3f} ± {row['std']:.3f}", axis=1)
        ways = list(dict.fromkeys(part["way"]))
        print("| genes | " + " | ".join(ways) + " |\n" + "|---" * (len(ways) + 1) + "|")
        for number, row in cells.unstack(fill_value="")[ways].sort_index().iterrows():
            print(f"| {number} | " + " | ".join(row) + " |")


def main() -> None:
    if sys.argv[1] == "--table":
        print_table(Path(sys.argv[2]))
        return
    data, work = Path(sys.argv[1]), Path(sys.argv[2])
    work.mkdir(parents=True, exist_ok=True)
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    tasks = {
        "chr20-mlp": lambda: chr20(data, work, MLP),
        "chr20-spectra": lambda: chr20(data, work, SPECTRA),
        "yeast": lambda: yeast(data, work),
    }
    path = work / "going_on.tsv"
    if not path.exists():
        path.write_text("\t".join(FIELDS) + "\n")
    for name in sys.argv[3:] or tasks:
        with open(path) as lines:
            done = {tuple(row[:5]) for row in csv.reader(lines, delimiter="\t")}
        for row in runs(tasks[name](), done):
            with open(path, "a") as lines:
                lines.write("\t".join(map(str, row)) + "\n")


if __name__ == "__main__":
    main()
