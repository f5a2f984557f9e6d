"""Train the bundle `human-promoter` from the data folder human/chr22 and write it with its card.

    python training/human_promoter.py --data PATH/human/chr22 -o histpred/bundles/human-promoter

Needs the `train` extra; about half an hour on one core. The folder holds hg19.chr22.fa.gz,
labels_tiles.tsv.gz, labels_genes.tsv.gz and peaks/. Several spectra networks are trained along the
chromosome on all tiles before 40 Mb and distilled into one scorer. Before that, the same is done
without each of six blocks in turn: what the card says of accuracy, the calibrations and the
thresholds come from the blocks that were left out. The same seed and library versions give the same
bundle.

The card's tables of other methods and of ingredients were made by `training/rivals.py` and
`training/ablation.py`.
"""

from __future__ import annotations

import argparse
import csv
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from assemblies import HUMAN
from blocks import (
    ALONG,
    BLOCKS,
    STRETCH,
    aurocs,
    before,
    block_of,
    by_block,
    intervals,
    name_of,
    outside,
)
from fitting import (
    LENGTHS,
    Bins,
    Distillation,
    Settings,
    bins_of,
    distil,
    embed_bins,
    fit,
    mean_logits,
)
from measuring import beats, beats_chance, call_table, cross_fitted, logistic, rate_table, table
from samples import (
    BIN,
    END,
    MARKS,
    NEAR,
    Places,
    accessions,
    bin_counts,
    read_chromosome,
    read_genes,
    read_tiles,
    spectra_around,
)

from histpred.encoders.onnx import GRAPH, codes_of
from histpred.evaluation.card import card_figures
from histpred.evaluation.metrics import expected_calibration_error
from histpred.evaluation.plots import draw_calibration
from histpred.models.calibration import base_rate, platt, youden
from histpred.models.export import encoder_to_onnx, to_onnx
from histpred.models.manifest import (
    SCHEMA_VERSION,
    EncoderSpec,
    Evaluation,
    IntervalOutput,
    KnownAnswer,
    Manifest,
    MarkSpec,
    Species,
    Training,
    WindowSpec,
)
from histpred.models.network import MarkNetwork
from histpred.models.probability import probabilities_of
from histpred.models.publish import write_bundle
from histpred.models.spectra import HIDDEN, SpectraNetwork, averaged
from histpred.scoring.verify import verify

logger = logging.getLogger("human_promoter")

SEED = 22
MEMBERS, GENE_MEMBERS = 5, 3
REACH = max(LENGTHS) // 2
BASELINE_REACH = 1_100  # bp either side that the baselines read, in whole bins
FEWEST_KNOWN = 0.5  # of a bin; bins of which less is known teach the scorer nothing
FEWEST_KNOWN_AROUND = 0.1  # of what is read around a gene's start; those with less do not calibrate
MAX_N = 0.5  # of the 200 bp, or of the stretch around a gene's start, that a probability is of
WINDOWS_AT_ONCE = 32
INTERVAL_SCORER = "scorer-interval.onnx"
NEVER = 1.0  # a threshold that no probability reaches

HERE = Path(__file__).parent
NOTES = HERE / "human_promoter_notes.md"
RIVALS = HERE / "human_promoter_rivals.tsv"
ABLATION = HERE / "human_promoter_ablation.tsv"

DATA = (
    "128 histone ChIP-seq peak files of 9 marks from ENCODE and from Nott et al. 2019 (brain cell "
    "types), hg19 (77 native, 51 lifted over); ENCODE data are free to use with citation",
    "chromosome 22 of hg19 as far as public alignments hold it (22,265,293 real bases)",
    "RefSeq genes of chromosome 22, for the probabilities of genes",
)
SUMMARY = (
    "Histone marks that many human cell types share, from 30 kb of DNA: k-mer spectra in nested "
    "stretches, distilled into a marker-conditioned perceptron, trained on chromosome 22."
)
GENE_MEANING = "a peak within 2 kb of the transcription start in at least 25 % of the samples"
TILE_MEANING = "peaks over half of the 200 bp or more in at least 25 % of the samples"
HELD_OUT = (
    "Each of six blocks of chr22 17-40 Mb scored by a model that was trained without it and 200 kb "
    "either side; all blocks in one. Baselines, fitted on the same rows: GC of the 2,200 bp around "
    "the point, and its square; canonical 1- to 4-mers of the same; both by logistic regression. "
    "ECE: ten bins of equal count, each block calibrated on the others."
)
TILES = f"Tiles of 200 bp. {HELD_OUT}"
GENES = (
    "Transcription starts of RefSeq genes; the label is a peak within 2 kb in at least 25 % of the "
    f"samples. Training saw tiles only. {HELD_OUT}"
)


class Data(NamedTuple):
    """Chromosome 22: its codes, uint8 [bp], its bins, and what is known of tiles and genes."""

    codes: np.ndarray
    bins: Bins
    tiles: Places
    genes: Places


class Model(NamedTuple):
    """Networks, and the scorers of tiles and of genes that were distilled from them."""

    members: list[SpectraNetwork]
    of_tiles: MarkNetwork
    of_genes: MarkNetwork


class Judged(NamedTuple):
    """Held-out places, the block of each [n], and scores [n, marks] by different means."""

    places: Places
    block: np.ndarray
    logits: np.ndarray
    gc: np.ndarray
    kmers: np.ndarray


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder human/chr22")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the bundle's folder")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums in one order: the same weights on any number of cores

    data = read(options.data)
    tiles, genes = judge(data, BLOCKS, outside)
    stretch, _ = judge(data, [STRETCH], before)
    model = train(data, lambda positions: positions < END)
    encoder = averaged(model.members).encoder
    windows = windows_at(data.codes, data.genes.position)
    graph = encoder_to_onnx(encoder, windows)
    with torch.inference_mode():
        embeddings = encoder(torch.from_numpy(windows)).numpy()
    scorer, interval_scorer = (
        to_onnx(network, MARKS, embeddings) for network in (model.of_genes, model.of_tiles)
    )

    gene_marks, tile_marks = calls(genes, GENE_MEANING), calls(tiles, TILE_MEANING)
    reach = {"upstream": REACH, "downstream": REACH, "whole": True}
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        name="human-promoter",
        version="1.0.0",
        summary=SUMMARY,
        licence="MIT",
        species=Species(
            name="Homo sapiens", taxon_id=9606, assembly="hg19", chromosome_lengths=HUMAN
        ),
        window=WindowSpec(kind="promoter", **reach, shown=NEAR, max_n_fraction=MAX_N),
        encoder=EncoderSpec(kind="onnx", dimension=embeddings.shape[1]),
        marks=gene_marks,
        interval=IntervalOutput(
            window=WindowSpec(kind="interval", **reach, max_n_fraction=MAX_N),
            resolution=BIN,
            scorer=INTERVAL_SCORER,
            marks=tile_marks,
        ),
        files={},
        training=Training(
            data=DATA,
            splits={
                "training": "chr22 before 40 Mb",
                "accuracy and calibration": "six blocks of it, each left out in turn: "
                + ", ".join(map(name_of, BLOCKS)),
                "never seen": "labels of chr22 beyond 40 Mb, all other chromosomes",
            },
            seed=SEED,
            counts={
                "tiles trained on": len(data.tiles.position),
                "genes calibrated on": len(genes.block),
            },
        ),
        metrics={"tiles": evaluation(TILES, tiles), "genes": evaluation(GENES, genes)},
        known_answer=known_answer(model.of_genes, encoder, gene_marks),
    )
    of_genes, of_tiles = probabilities(genes, gene_marks), probabilities(tiles, tile_marks)
    notes = NOTES.read_text().format(
        members=MEMBERS,
        gene_members=GENE_MEMBERS,
        rivals=rival_table(tiles, stretch),
        ablation=ablation_table(),
        intervals=interval_table(tiles),
        accessions=", ".join(accessions(options.data / "peaks")),
        unskilled=", ".join(m.name for m in gene_marks if m.threshold == NEVER) or "none",
        genes=len(genes.block),
        coding=int((~genes.places.non_coding).sum()),
        gene_calls=call_table(gene_marks, genes.places.labels, of_genes),
        tile_calls=call_table(tile_marks, tiles.places.labels, of_tiles),
        rates=rate_table(MARKS, genes.places.labels, of_genes, genes.places.non_coding),
    )
    others = {GRAPH: graph, INTERVAL_SCORER: interval_scorer}
    others |= {
        f"calibration-{name}.svg": draw_calibration(MARKS, judged.places.labels, held_out(judged))
        for name, judged in (("tiles", tiles), ("genes", genes))
    }
    bundle = write_bundle(options.output, manifest, scorer, notes, others)
    logger.info("wrote %s; known answer met to %.1g", options.output, verify(bundle))


def read(folder: Path) -> Data:
    """The chromosome, its tiles, and those of its genes of which enough is known."""
    codes = read_chromosome(folder / "hg19.chr22.fa.gz")
    genes = read_genes(folder / "labels_genes.tsv.gz")
    known = (windows_at(codes, genes.position) < 4).mean(axis=1)
    return Data(
        codes,
        bins_of(bin_counts(codes)),
        read_tiles(folder / "labels_tiles.tsv.gz"),
        genes.where(known >= FEWEST_KNOWN_AROUND),
    )


def windows_at(codes: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """What the encoder reads around positions, uint8 [n, 2 x REACH]."""
    return codes[positions[:, None] + np.arange(-REACH, REACH)]


def train(data: Data, usable: Callable[[np.ndarray], np.ndarray]) -> Model:
    """Networks on the tiles, and a scorer of their logits on the bins, whose middles are usable
    ([n] to a mask [n]).
    """
    tiles = data.tiles.where(usable(data.tiles.position))
    of_tiles = [fit(data.bins, tiles, Settings(), SEED + i) for i in range(MEMBERS)]
    of_genes = [fit(data.bins, tiles, Settings(near=True), SEED + i) for i in range(GENE_MEMBERS)]
    members = [*of_tiles, *of_genes]
    middles = np.arange(len(data.bins.weight)) * BIN + BIN // 2
    taught = usable(middles) & (middles < END) & (data.bins.weight.numpy() >= FEWEST_KNOWN)
    embeddings = embed_bins(members, data.bins, taught)
    parts = embeddings.split([MEMBERS * HIDDEN[1], GENE_MEMBERS * HIDDEN[1]], dim=1)
    scorers = [
        distil(embeddings, mean_logits(teachers, part), Distillation(), SEED)
        for teachers, part in zip((of_tiles, of_genes), parts, strict=True)
    ]
    return Model(members, *scorers)


def logits_at(
    members: list[SpectraNetwork], scorer: MarkNetwork, codes: np.ndarray, positions: np.ndarray
) -> np.ndarray:
    """The scorer's logits around positions, float32 [n, marks]."""
    encoder = averaged(members).encoder
    blocks = []
    with torch.inference_mode():
        for first in range(0, len(positions), WINDOWS_AT_ONCE):
            windows = windows_at(codes, positions[first : first + WINDOWS_AT_ONCE])
            blocks.append(scorer(encoder(torch.from_numpy(windows))).numpy())
    return np.concatenate(blocks)


def judge(
    data: Data,
    blocks: Sequence[tuple[int, int]],
    trains: Callable[[np.ndarray, tuple[int, int]], np.ndarray],
) -> tuple[Judged, Judged]:
    """The tiles and the genes of the blocks, scored by what was trained on the positions that
    `trains` (positions [n], block) allows.
    """
    judged = []
    for places in (data.tiles, data.genes):
        block = block_of(places.position, blocks)
        inside = places.where(block >= 0)
        empty = [np.full(inside.labels.shape, np.nan, np.float32) for _ in range(3)]
        judged.append(Judged(inside, block[block >= 0], *empty))
    features = spectra_around(data.codes, data.tiles.position, BASELINE_REACH)
    for number, block in enumerate(blocks):

        def usable(positions: np.ndarray, block: tuple[int, int] = block) -> np.ndarray:
            return trains(positions, block)

        training = usable(data.tiles.position)
        labels = data.tiles.labels[training]
        gc_model = logistic(gc_of(features[training]), labels)
        kmer_model = logistic(features[training], labels)
        model = train(data, usable)
        scorers = (model.of_tiles, model.of_genes)
        for (places, numbers, logits, gc, kmers), scorer in zip(judged, scorers, strict=True):
            rows = numbers == number
            positions = places.position[rows]
            around = spectra_around(data.codes, positions, BASELINE_REACH)
            logits[rows] = logits_at(model.members, scorer, data.codes, positions)
            gc[rows], kmers[rows] = gc_model(gc_of(around)), kmer_model(around)
            auroc = np.nanmean(aurocs(places.labels[rows], logits[rows]))
            logger.info("%s: macro AUROC %.4f of %d", name_of(block), auroc, rows.sum())
    tiles, genes = judged
    return tiles, genes


def gc_of(features: np.ndarray) -> np.ndarray:
    """GC and its square, [n, 2], of what `spectra_around` gives."""
    gc = features[:, 1]  # of the 1-mers, A/T and C/G
    return np.stack([gc, gc**2], axis=1)


def calls(judged: Judged, meaning: str) -> tuple[MarkSpec, ...]:
    """Calibration and threshold of each mark, from held-out logits; one that chance or GC explains
    as well is never called.
    """
    marks = []
    columns = (judged.logits.T, judged.gc.T, judged.places.labels.T)
    for mark, logits, gc, labels in zip(MARKS, *columns, strict=True):
        skilled = beats_chance(labels, logits, SEED) and beats(labels, logits, gc)
        calibration = platt(logits, labels) if skilled else base_rate(labels)
        probability = probabilities_of(logits[:, None], [calibration])[:, 0]
        threshold = youden(labels, probability) if skilled else NEVER
        marks.append(
            MarkSpec(name=mark, threshold=threshold, calibration=calibration, meaning=meaning)
        )
    return tuple(marks)


def probabilities(judged: Judged, marks: Sequence[MarkSpec]) -> np.ndarray:
    """As the bundle would give them for the held-out logits, [n, marks]."""
    return probabilities_of(judged.logits, [mark.calibration for mark in marks])


def held_out(judged: Judged) -> np.ndarray:
    """Probabilities [n, marks] of each block, calibrated on the others."""
    columns = zip(judged.places.labels.T, judged.logits.T, strict=True)
    return np.stack([cross_fitted(*column, judged.block) for column in columns], axis=1)


def evaluation(description: str, judged: Judged) -> Evaluation:
    """A table of the card."""
    labels = judged.places.labels
    errors = [
        expected_calibration_error(*mark) for mark in zip(labels.T, held_out(judged).T, strict=True)
    ]
    baselines = {"GC": judged.gc, "4-mers": judged.kmers}
    return card_figures(description, MARKS, labels, judged.logits, baselines, errors)


def rival_table(tiles: Judged, stretch: Judged) -> str:
    """Macro AUROC of each method on each block, in Markdown: ours, the baselines, RIVALS."""
    figures: dict[str, dict[str, float]] = {}
    for name, of_tiles, of_stretch in (
        ("**this bundle**", tiles.logits, stretch.logits),
        ("1- to 4-mers of 2.2 kb, logistic regression", tiles.kmers, stretch.kmers),
        ("GC of 2.2 kb, logistic regression", tiles.gc, stretch.gc),
    ):
        means = np.nanmean(by_block(tiles.places.labels, tiles.block, of_tiles), axis=1)
        figures[name] = dict(zip(map(name_of, BLOCKS), means, strict=True))
        figures[name]["mean"] = means.mean()
        along = aurocs(stretch.places.labels, of_stretch)
        figures[name][ALONG] = np.nanmean(along)
    with open(RIVALS, newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            figures.setdefault(row["method"], {})[row["block"]] = float(row["macro_auroc"])
    columns = [*map(name_of, BLOCKS), "mean", ALONG]
    rows = [
        [name, *(f"{of[column]:.3f}" if column in of else "" for column in columns)]
        for name, of in figures.items()
    ]
    return table(["method", *columns], rows)


def interval_table(tiles: Judged) -> str:
    """AUROC and AUPRC of each mark with their intervals, as means over blocks, in Markdown."""
    figures = intervals(tiles.places, tiles.block, tiles.logits, SEED)
    rows = []
    for mark, truth, both in zip(MARKS, tiles.places.labels.T, figures, strict=True):
        cells = [f"{mean:.3f} ({low:.3f}-{high:.3f})" for mean, low, high in both]
        rows.append([mark, *cells, f"{truth.mean():.4f}"])
    means = figures[:, :, 0].mean(axis=0)
    rows.append(["**mean**", *(f"**{mean:.3f}**" for mean in means), ""])
    return table(["mark", "AUROC", "AUPRC", "prevalence"], rows)


def ablation_table() -> str:
    """ABLATION in Markdown."""
    with open(ABLATION, newline="") as lines:
        header, *rows = csv.reader(lines, delimiter="\t")
    return table(header, rows)


def known_answer(
    scorer: MarkNetwork, encoder: torch.nn.Module, marks: Sequence[MarkSpec]
) -> KnownAnswer:
    """The answer for 400 made-up bases with a run of N, from the networks and not their export."""
    bases = np.random.default_rng(SEED).choice(list("ACGT"), 400, p=[0.2, 0.3, 0.3, 0.2])
    bases[200:210] = "N"
    sequence = "".join(bases)
    with torch.inference_mode():
        codes = torch.from_numpy(codes_of([sequence.encode()], len(sequence)).copy())
        logits = scorer(encoder(codes)).numpy()
    (row,) = probabilities_of(logits, [mark.calibration for mark in marks])
    return KnownAnswer(sequence=sequence, probabilities=dict(zip(MARKS, row.tolist(), strict=True)))


if __name__ == "__main__":
    main()
