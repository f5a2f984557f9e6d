"""Prepare the inputs of the bundle `yeast`, and put the trained bundle into the package.

    python training/yeast.py inputs --data PATH/yeast -o yeast
    python training/yeast.py ship BUNDLE -o histpred/bundle/shipped/yeast
    python training/yeast.py baselines BUNDLE -o histpred/bundle/shipped/yeast

The first command writes genes.bed and labels.tsv. A gene has a mark if the mean log2 of its
nucleosomes (Weiner et al. 2015, doi:10.1016/j.molcel.2015.02.008) is in the top quarter of all
genes with a value. docs/train-your-own.md has the commands that make a bundle from these files. The
second command copies that bundle into the package, with the notes of yeast_notes.md on its card and
without the names of the training genes. The third keeps the network of the shipped bundle and
replaces the baselines beside it by those that the training of BUNDLE measured on the same rows.
"""

from __future__ import annotations

from argparse import ArgumentParser, RawTextHelpFormatter
from pathlib import Path

import pandas as pd

from histpred.bundle.figures import Evaluation
from histpred.bundle.folder import CARD, MANIFEST, SCORER, SPLIT, Bundle, load_bundle
from histpred.bundle.manifest import SCHEMA_VERSION, Manifest
from histpred.bundle.publish import write_bundle
from histpred.scoring.verify import verify

TABLE = "yeast_sacCer3_gene_x_26marks_weiner_projected.tsv.gz"
FIRST_MARK = "H2AK5ac"
SHARE = 0.25
SHOWN = 500  # bp on each side of the TSS in tables and tracks: about a gene without its neighbours
MITOCHONDRION = "chrM"
NOTES = Path(__file__).with_name("yeast_notes.md")
DATA = (
    "log2 of 26 marks at nucleosomes of 4,858 genes (Weiner et al. 2015, GEO GSE61888), laid on "
    "all genes and transcripts that they overlap",
    "sacCer3, whole genome",
)


def main(arguments: list[str] | None = None) -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("inputs")
    verb.add_argument("--data", type=Path, required=True, help="the folder yeast")
    verb.add_argument("-o", "--output", type=Path, required=True, help="folder of the two files")
    verb = verbs.add_parser("ship")
    verb.add_argument("bundle", type=Path, help="the bundle that histpred train wrote")
    verb.add_argument("-o", "--output", type=Path, required=True, help="the bundle's folder")
    verb = verbs.add_parser("baselines")
    verb.add_argument("bundle", type=Path, help="a bundle of the same recipe, by histpred train")
    verb.add_argument(
        "-o", "--output", type=Path, required=True, help="the shipped bundle's folder"
    )
    options = parser.parse_args(arguments)
    if options.verb == "inputs":
        write_inputs(options.data, options.output)
    elif options.verb == "ship":
        ship(options.bundle, options.output)
    else:
        renew_baselines(options.bundle, options.output)


def write_inputs(data: Path, output: Path) -> None:
    """Write genes.bed and labels.tsv of the nuclear genes that have a value for every mark."""
    table = pd.read_csv(data / TABLE, sep="\t")
    marks = table.columns[table.columns.get_loc(FIRST_MARK) :]
    known = table[marks].notna().all(axis=1) & (table["chrom"] != MITOCHONDRION)
    table = table[known].drop_duplicates("gene")
    labels = (table[marks] >= table[marks].quantile(1 - SHARE)).astype(int)
    labels.insert(0, "name", table["gene"])

    output.mkdir(parents=True, exist_ok=True)
    labels.to_csv(output / "labels.tsv", sep="\t", index=False)
    rows = table[["chrom", "start0", "end", "gene"]].assign(score=0, strand=table["strand"])
    rows.to_csv(output / "genes.bed", sep="\t", index=False, header=False)


def ship(trained: Path, output: Path) -> None:
    """Write the bundle with its notes and the names of its data, and without its split."""
    bundle = load_bundle(trained.resolve())
    training, window = bundle.manifest.training, bundle.manifest.window
    training = training.model_copy(update={"data": (*DATA, *training.data)})
    window = window.model_copy(update={"shown": SHOWN})
    manifest = bundle.manifest.model_copy(update={"training": training, "window": window})
    write(bundle, manifest, output)


def renew_baselines(trained: Path, output: Path) -> None:
    """Give the shipped bundle the baselines of a bundle that was trained on the same rows."""
    bundle, other = load_bundle(output.resolve()), load_bundle(trained.resolve())
    manifest = bundle.manifest
    if rows_of(manifest) != rows_of(other.manifest):
        raise SystemExit(f"{trained} was not trained and evaluated on the rows of {output}")
    metrics = {
        name: with_baselines(evaluation, other.manifest.metrics[name])
        for name, evaluation in manifest.metrics.items()
    }
    update = {"metrics": metrics, "schema_version": SCHEMA_VERSION}
    write(bundle, manifest.model_copy(update=update), output)


def rows_of(manifest: Manifest) -> list[object]:
    """What the rows and labels of a training and its evaluations follow from."""
    training = manifest.training
    inputs = [training.recipe[f"{name} sha256"] for name in ("annotation", "FASTA", "labels")]
    positives = [
        {mark: figures.positives for mark, figures in evaluation.marks.items()}
        for evaluation in manifest.metrics.values()
    ]
    return [inputs, manifest.window.kind, training.splits, training.counts, positives]


def with_baselines(evaluation: Evaluation, other: Evaluation) -> Evaluation:
    """The evaluation with the baselines of another one of the same rows and labels."""
    marks = {
        name: figures.model_copy(update={"baselines": other.marks[name].baselines})
        for name, figures in evaluation.marks.items()
    }
    return evaluation.model_copy(update={"marks": marks})


def write(bundle: Bundle, manifest: Manifest, output: Path) -> None:
    """Write a bundle with another manifest and the notes, and check its known answer."""
    card = bundle.card_path.read_text(encoding="utf-8")
    start = card.index("## How it was trained")
    how = card[start : card.index("\n## ", start)]
    names = [name for name in manifest.files if name not in {CARD, MANIFEST, SCORER, SPLIT}]
    others = {name: (bundle.directory / name).read_bytes() for name in names}
    notes = f"{NOTES.read_text(encoding='utf-8').strip()}\n\n{how.strip()}"
    verify(write_bundle(output, manifest, bundle.scorer_path.read_bytes(), notes, others))


if __name__ == "__main__":
    main()
