"""Train the bundle `human-promoter` from the data folder human and write it with its card.

    python training/human_promoter.py --data PATH/human -o histpred/bundle/shipped/human-promoter

Needs the `train` extra; about an hour on one core. The folder holds chr22 (hg19.chr22.fa.gz,
labels_tiles.tsv.gz, labels_genes.tsv.gz and peaks/) and two tables of regions. Several spectra
networks are trained along the chromosome on all tiles before 40 Mb, others on the regions, and
distilled into two scorers. Before that, the same is done without each of six blocks in turn: what
the card says of accuracy, the calibrations and the thresholds come from the blocks that were left
out. The same seed and library versions give the same bundle.

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
from measuring import (
    Baseline,
    auroc_interval,
    beats,
    beats_chance,
    call_table,
    cross_fitted,
    logistic,
    rate_table,
    table,
)
from regions import (
    CHROMOSOME,
    FURTHER,
    fit_regions,
    further_logits,
    links_of,
    read_regions,
)
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
from sklearn.metrics import roc_auc_score
from torch import nn

from histpred.bundle.manifest import (
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
from histpred.bundle.probability import probabilities_of
from histpred.bundle.publish import write_bundle
from histpred.encoders.onnx import GRAPH, codes_of
from histpred.evaluation.calibration import base_rate, platt, youden
from histpred.evaluation.card import card_figures
from histpred.evaluation.metrics import expected_calibration_error
from histpred.reports.calibration_figures import draw_calibration
from histpred.scoring.verify import verify
from histpred.training.export import encoder_to_onnx, to_onnx
from histpred.training.perceptron import MarkNetwork
from histpred.training.spectra import HIDDEN, SpectraNetwork, side_by_side

logger = logging.getLogger("human_promoter")

SEED = 22
MEMBERS, GENE_MEMBERS, REGION_MEMBERS = 5, 3, 2
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
    "43,523 short regions of GRCh38 (exons of lncRNAs and proteins, short ncRNAs, and matched "
    "intergenic controls) with peaks of 33 marks in 4,159 ENCODE experiments, compiled by "
    "danischiavi/gene-functionality and EstefiRojas/Lab-Notebook",
    "chromosome 22 of hg19 as far as public alignments hold it (22,265,293 real bases)",
    "RefSeq genes of chromosome 22, for the probabilities of genes",
)
SUMMARY = (
    "Histone marks that many human cell types share, from 30 kb of DNA: k-mer spectra in nested "
    "stretches, distilled into a marker-conditioned perceptron, trained on chromosome 22."
)
GENE_MEANING = "a peak within 2 kb of the transcription start in at least 25 % of the samples"
TILE_MEANING = "peaks over half of the 200 bp or more in at least 25 % of the samples"
REGION_MEANING = "a peak in any of ENCODE's experiments of the mark"
HELD_OUT = (
    "Each of six blocks of chr22 17-40 Mb scored by a model that was trained without it and 200 kb "
    "either side; all blocks in one. Baselines, fitted on the same rows: GC of the 2,200 bp around "
    "the point, and its square; canonical 1- to 4-mers of the same; both by logistic regression. "
    "ECE: ten bins of equal count, each block calibrated on the others."
)
REGIONS = (
    "Short regions of chr22 (exons, short ncRNAs, intergenic controls; median 130 bp); the label "
    "is a peak in any of ENCODE's experiments. Of these marks, training saw regions of other "
    "chromosomes only; the networks read each region's block left out. Baselines, fitted on the "
    "regions of the other blocks: GC of the 2,200 bp around the middle, and its square; canonical "
    "1- to 4-mers of the same; both by logistic regression. ECE: as of tiles."
)
TILES = f"Tiles of 200 bp. {HELD_OUT}"
GENES = (
    "Transcription starts of RefSeq genes; the label is a peak within 2 kb in at least 25 % of the "
    f"samples. Training saw tiles only. {HELD_OUT}"
)


class Data(NamedTuple):
    """Chromosome 22: its codes, uint8 [bp], its bins, what is known of tiles, genes, and regions
    (FURTHER), and what regions of other chromosomes taught.
    """

    codes: np.ndarray
    bins: Bins
    tiles: Places
    genes: Places
    regions: Places
    of_regions: list[SpectraNetwork]
    links: np.ndarray
    regions_trained_on: int


class Model(NamedTuple):
    """An encoder and the scorers of genes (MARKS) and of intervals (MARKS and FURTHER)."""

    encoder: nn.Module
    of_genes: MarkNetwork
    of_intervals: MarkNetwork


class Judged(NamedTuple):
    """Held-out places with their marks, the block of each [n], and scores [n, marks] by different
    means.
    """

    marks: tuple[str, ...]
    places: Places
    block: np.ndarray
    logits: np.ndarray
    gc: np.ndarray
    kmers: np.ndarray


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder human")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the bundle's folder")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums in one order: the same weights on any number of cores

    data = read(options.data)
    tiles, genes, regions = judge(data, BLOCKS, outside)
    stretch, *_ = judge(data, [STRETCH], before)
    gene_marks, tile_marks, region_marks = (
        calls(genes, GENE_MEANING),
        calls(tiles, TILE_MEANING),
        calls(regions, REGION_MEANING),
    )
    kept = np.array([mark.threshold != NEVER for mark in region_marks])
    shown = with_marks(regions, kept)
    interval_marks = (*tile_marks, *(region_marks[i] for i in np.flatnonzero(kept)))

    model = train(data, lambda positions: positions < END)
    windows = windows_at(data.codes, data.genes.position)
    graph = encoder_to_onnx(model.encoder, windows)
    with torch.inference_mode():
        embeddings = model.encoder(torch.from_numpy(windows)).numpy()
    drop_marks(model.of_intervals, np.concatenate([np.ones(len(MARKS), bool), kept]))
    scorer, interval_scorer = (
        to_onnx(network, [mark.name for mark in marks], embeddings)
        for network, marks in ((model.of_genes, gene_marks), (model.of_intervals, interval_marks))
    )

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
            marks=interval_marks,
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
                "regions trained on": data.regions_trained_on,
                "genes calibrated on": len(genes.block),
                "regions calibrated on": len(regions.block),
            },
        ),
        metrics={
            "tiles": evaluation(TILES, tiles),
            "regions": evaluation(REGIONS, shown),
            "genes": evaluation(GENES, genes),
        },
        known_answer=known_answer(model.of_genes, model.encoder, gene_marks),
    )
    of_genes, of_tiles = probabilities(genes, gene_marks), probabilities(tiles, tile_marks)
    notes = NOTES.read_text().format(
        members=MEMBERS,
        gene_members=GENE_MEMBERS,
        region_members=REGION_MEMBERS,
        rivals=rival_table(tiles, stretch),
        ablation=ablation_table(),
        intervals=interval_table(tiles),
        further=region_table(regions, kept),
        regions=len(regions.block),
        accessions=", ".join(accessions(options.data / "chr22" / "peaks")),
        unskilled=", ".join(m.name for m in gene_marks if m.threshold == NEVER) or "none",
        genes=len(genes.block),
        coding=int((~genes.places.non_coding).sum()),
        gene_calls=call_table(gene_marks, genes.places.labels, of_genes),
        tile_calls=call_table(tile_marks, tiles.places.labels, of_tiles),
        rates=rate_table(MARKS, genes.places.labels, of_genes, genes.places.non_coding),
    )
    others = {GRAPH: graph, INTERVAL_SCORER: interval_scorer}
    others |= {
        f"calibration-{name}.svg": draw_calibration(
            judged.marks, judged.places.labels, held_out(judged)
        )
        for name, judged in (("tiles", tiles), ("regions", shown), ("genes", genes))
    }
    bundle = write_bundle(options.output, manifest, scorer, notes, others)
    logger.info("wrote %s; known answer met to %.1g", options.output, verify(bundle))


def read(folder: Path) -> Data:
    """What the folder human holds; of genes and regions those around which enough is known."""
    codes = read_chromosome(folder / "chr22" / "hg19.chr22.fa.gz")
    bins = bins_of(bin_counts(codes))
    regions = read_regions(folder, codes)
    elsewhere = regions.where(regions.chromosome != CHROMOSOME)
    here = regions.where(regions.position >= 0)
    labels = here.labels[:, len(MARKS) :]
    unknown = np.empty((len(labels), 0))
    return Data(
        codes,
        bins,
        read_tiles(folder / "chr22" / "labels_tiles.tsv.gz"),
        known_around(codes, read_genes(folder / "chr22" / "labels_genes.tsv.gz")),
        known_around(codes, Places(here.position, labels, unknown, unknown, unknown)),
        [fit_regions(bins, elsewhere, SEED + i) for i in range(REGION_MEMBERS)],
        links_of(elsewhere),
        len(elsewhere.position),
    )


def known_around(codes: np.ndarray, places: Places) -> Places:
    """Those places around which enough is known to calibrate on."""
    known = (windows_at(codes, places.position) < 4).mean(axis=1)
    return places.where(known >= FEWEST_KNOWN_AROUND)


def windows_at(codes: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """What the encoder reads around positions, uint8 [n, 2 x REACH]."""
    return codes[positions[:, None] + np.arange(-REACH, REACH)]


def train(data: Data, usable: Callable[[np.ndarray], np.ndarray]) -> Model:
    """Networks on the tiles, and scorers of their logits on the bins, whose middles are usable
    ([n] to a mask [n]).
    """
    tiles = data.tiles.where(usable(data.tiles.position))
    parts = (
        [fit(data.bins, tiles, Settings(), SEED + i) for i in range(MEMBERS)],
        [fit(data.bins, tiles, Settings(near=True), SEED + i) for i in range(GENE_MEMBERS)],
        data.of_regions,
    )
    members = [network for networks in parts for network in networks]
    middles = np.arange(len(data.bins.weight)) * BIN + BIN // 2
    taught = usable(middles) & (middles < END) & (data.bins.weight.numpy() >= FEWEST_KNOWN)
    embeddings = embed_bins(members, data.bins, taught)
    widths = [len(networks) * HIDDEN[1] for networks in parts]
    of_tiles, of_genes, of_regions = (
        mean_logits(networks, part)
        for networks, part in zip(parts, embeddings.split(widths, dim=1), strict=True)
    )
    of_intervals = torch.cat([of_tiles, further_logits(of_tiles, data.links, of_regions)], dim=1)
    scorers = [
        distil(embeddings, logits, Distillation(), SEED) for logits in (of_genes, of_intervals)
    ]
    return Model(side_by_side(members), *scorers)


def logits_at(
    encoder: nn.Module, scorer: MarkNetwork, codes: np.ndarray, positions: np.ndarray
) -> np.ndarray:
    """The scorer's logits around positions, float32 [n, marks]."""
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
) -> tuple[Judged, Judged, Judged]:
    """The tiles, the genes and the regions of the blocks, scored by what was trained on the
    positions that `trains` (positions [n], block) allows.
    """
    judged = []
    for marks, places in ((MARKS, data.tiles), (MARKS, data.genes), (FURTHER, data.regions)):
        block = block_of(places.position, blocks)
        inside = places.where(block >= 0)
        empty = [np.full(inside.labels.shape, np.nan, np.float32) for _ in range(3)]
        judged.append(Judged(marks, inside, block[block >= 0], *empty))
    spectra = [
        spectra_around(data.codes, places.position, BASELINE_REACH)
        for places in (data.tiles, data.regions)
    ]
    for number, block in enumerate(blocks):

        def usable(positions: np.ndarray, block: tuple[int, int] = block) -> np.ndarray:
            return trains(positions, block)

        model = train(data, usable)
        of_tiles, of_regions = (
            baselines(features[usable(places.position)], places.labels[usable(places.position)])
            for places, features in zip((data.tiles, data.regions), spectra, strict=True)
        )
        scored = (
            (of_tiles, model.of_intervals, slice(len(MARKS))),
            (of_tiles, model.of_genes, slice(None)),
            (of_regions, model.of_intervals, slice(len(MARKS), None)),
        )
        for of, ((gc_model, kmer_model), scorer, columns) in zip(judged, scored, strict=True):
            rows = of.block == number
            positions = of.places.position[rows]
            around = spectra_around(data.codes, positions, BASELINE_REACH)
            of.logits[rows] = logits_at(model.encoder, scorer, data.codes, positions)[:, columns]
            of.gc[rows], of.kmers[rows] = gc_model(gc_of(around)), kmer_model(around)
            auroc = np.nanmean(aurocs(of.places.labels[rows], of.logits[rows]))
            logger.info("%s: macro AUROC %.4f of %d", name_of(block), auroc, rows.sum())
    tiles, genes, regions = judged
    return tiles, genes, regions


def drop_marks(scorer: MarkNetwork, keep: np.ndarray) -> None:
    """Take from a scorer the marks that are not in the mask [marks]."""
    scorer.mark_vectors = nn.Parameter(scorer.mark_vectors[torch.from_numpy(keep)])


def baselines(features: np.ndarray, labels: np.ndarray) -> tuple[Baseline, Baseline]:
    """Of GC and of k-mers, fitted on what `spectra_around` gives; each makes scores [n, marks] of
    its features.
    """
    return logistic(gc_of(features), labels), logistic(features, labels)


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
    for mark, logits, gc, labels in zip(judged.marks, *columns, strict=True):
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


def with_marks(judged: Judged, keep: np.ndarray) -> Judged:
    """The marks of a mask [marks] only."""
    names = tuple(np.array(judged.marks)[keep])
    places = judged.places._replace(labels=judged.places.labels[:, keep])
    return Judged(names, places, judged.block, *(scores[:, keep] for scores in judged[3:]))


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
    beside = {"GC": judged.gc, "4-mers": judged.kmers}
    return card_figures(description, judged.marks, labels, judged.logits, beside, errors)


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


def region_table(regions: Judged, kept: np.ndarray) -> str:
    """AUROC of each of FURTHER beside GC's, and whether the bundle has it, in Markdown."""
    rows = []
    columns = (regions.places.labels.T, regions.logits.T, regions.gc.T, regions.kmers.T, kept)
    for mark, truth, logits, gc, kmers, keep in zip(regions.marks, *columns, strict=True):
        low, high = auroc_interval(truth, logits, SEED)
        others = [f"{roc_auc_score(truth, score):.3f}" for score in (gc, kmers)]
        cell = f"{roc_auc_score(truth, logits):.3f} ({low:.3f}-{high:.3f})"
        rows.append([mark, str(truth.sum()), cell, *others, "yes" if keep else "no"])
    return table(["mark", "positives", "AUROC", "of GC", "of 4-mers", "kept"], rows)


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
