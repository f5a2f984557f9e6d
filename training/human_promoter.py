"""Train the bundle `human-promoter` from the data folder human and write it with its card.

    python training/human_promoter.py --data PATH/human -o histpred/bundle/shipped/human-promoter

Needs the `train` extra; takes about an hour on one core. The folder holds chr22 (hg19.chr22.fa.gz,
labels_tiles.tsv.gz, labels_genes.tsv.gz and peaks/) and two tables of regions. Several spectra
networks are trained along the chromosome on all tiles before 40 Mb, others on the regions, and
distilled into two scorers. Before that, the same is done without each of six blocks in turn. The
figures on the card, the calibrations and the thresholds come from these held-out blocks. The same
seed and library versions give the same bundle.

The card's tables of other methods and of ingredients are made by `training/rivals.py` and
`training/ablation.py`.
"""

from __future__ import annotations

import logging
from argparse import ArgumentParser, RawTextHelpFormatter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from blocks import before, name_of, outside
from held_out import HeldOut, calls, hold_out
from members import REACH, SEED, Data, Model, Plan, read, train, windows_at
from samples import BIN, END, MARKS, NEAR, accessions
from tables import ablation_table, call_table, interval_table, rate_table, region_table, rival_table
from torch import nn

from histpred.bundle.folder import Bundle
from histpred.bundle.manifest import (
    SCHEMA_VERSION,
    EncoderSpec,
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
from histpred.encoders.onnx import codes_of
from histpred.evaluation.calibration import NEVER
from histpred.reports.evaluation_figures import draw_calibration
from histpred.scoring.verify import verify
from histpred.training.export import spectra_to_onnx
from histpred.training.onnx_scorer import to_onnx

logger = logging.getLogger("human_promoter")

MAX_N = 0.5  # of the 200 bp, or of the stretch around a TSS, that a probability is for
INTERVAL_SCORER = "scorer-interval.onnx"
NOTES = Path(__file__).with_name("human_promoter_notes.md")

HUMAN = {
    "hg19": (
        *(249250621, 243199373, 198022430, 191154276, 180915260, 171115067, 159138663, 146364022),
        *(141213431, 135534747, 135006516, 133851895, 115169878, 107349540, 102531392, 90354753),
        *(81195210, 78077248, 59128983, 63025520, 48129895, 51304566, 155270560, 59373566),
    ),
    "hg38": (
        *(248956422, 242193529, 198295559, 190214555, 181538259, 170805979, 159345973, 145138636),
        *(138394717, 133797422, 135086622, 133275309, 114364328, 107043718, 101991189, 90338345),
        *(83257441, 80373285, 58617616, 64444167, 46709983, 50818468, 156040895, 57227415),
    ),
    "T2T-CHM13v2.0": (
        *(248387328, 242696752, 201105948, 193574945, 182045439, 172126628, 160567428, 146259331),
        *(150617247, 134758134, 135127769, 133324548, 113566686, 101161492, 99753195, 96330374),
        *(84276897, 80542538, 61707364, 66210255, 45090682, 51324926, 154259566, 62460029),
    ),
}
"""Chromosome lengths (bp), 1 to 22, X, Y: what a human genome is recognised by. From UCSC's
hg19.chrom.sizes and hg38.chrom.sizes, and from the T2T-CHM13v2.0 assembly (UCSC hs1)."""
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
DESCRIPTIONS = {
    "tiles": f"Tiles of 200 bp. {HELD_OUT}",
    "regions": REGIONS,
    "genes": "Transcription starts of RefSeq genes; the label is a peak within 2 kb in at least "
    f"25 % of the samples. Training saw tiles only. {HELD_OUT}",
}


def main(arguments: list[str] | None = None) -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder human")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the bundle's folder")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums in one order: the same weights on any number of cores
    make(options.data, options.output, Plan())


def make(folder: Path, output: Path, plan: Plan) -> Bundle:
    """Train, evaluate and write the bundle, and check its known answer."""
    data = read(folder, plan)
    tiles, genes, regions = hold_out(data, plan, plan.blocks, partial(outside, gap=plan.gap))
    stretch, *_ = hold_out(data, plan, [plan.stretch], before)
    gene_marks = calls(genes, GENE_MEANING, plan.bootstraps)
    tile_marks = calls(tiles, TILE_MEANING, plan.bootstraps)
    region_marks = calls(regions, REGION_MEANING, plan.bootstraps)
    kept = np.array([mark.threshold != NEVER for mark in region_marks])
    shown = regions.with_marks(kept)
    interval_marks = (*tile_marks, *(region_marks[i] for i in np.flatnonzero(kept)))

    model = train(data, plan, lambda positions: positions < END)
    vectors = model.of_intervals.mark_vectors
    rows = torch.from_numpy(np.concatenate([np.ones(len(MARKS), bool), kept]))
    model.of_intervals.mark_vectors = nn.Parameter(vectors[rows])
    windows = windows_at(data.codes, data.genes.position)
    with torch.inference_mode():
        embeddings = model.encoder(torch.from_numpy(windows)).numpy()
    names = [mark.name for mark in interval_marks]
    encoder, graphs = spectra_to_onnx(model.encoder, windows)
    others = {
        **graphs,
        INTERVAL_SCORER: to_onnx(model.of_intervals, names, embeddings),
    }
    evaluated = {"tiles": tiles, "regions": shown, "genes": genes}
    manifest = manifest_of(data, plan, model, encoder, evaluated, gene_marks, interval_marks)
    for name, each in evaluated.items():
        figure = draw_calibration(each.marks, each.places.labels, each.cross_fitted())
        others[f"calibration-{name}.svg"] = figure
    notes = NOTES.read_text().format(
        members=plan.members[0],
        gene_members=plan.members[1],
        region_members=plan.members[2],
        rivals=rival_table(tiles, stretch, plan.blocks),
        ablation=ablation_table(),
        further=region_table(regions, kept, plan.bootstraps),
        regions=len(regions.block),
        accessions=", ".join(accessions(folder / "chr22" / "peaks")),
        **notes_on(tiles, tile_marks, genes, gene_marks),
    )
    scorer = to_onnx(model.of_genes, MARKS, embeddings)
    bundle = write_bundle(output, manifest, scorer, notes, others)
    logger.info("wrote %s; known answer met to %.1g", output, verify(bundle))
    return bundle


def manifest_of(
    data: Data,
    plan: Plan,
    model: Model,
    encoder: EncoderSpec,
    evaluated: dict[str, HeldOut],
    gene_marks: tuple[MarkSpec, ...],
    interval_marks: tuple[MarkSpec, ...],
) -> Manifest:
    """The manifest, with `files` empty."""
    reach = {"upstream": REACH, "downstream": REACH, "whole": True}
    return Manifest(
        schema_version=SCHEMA_VERSION,
        name="human-promoter",
        version="1.0.0",
        summary=SUMMARY,
        licence="MIT",
        species=Species(
            name="Homo sapiens", taxon_id=9606, assembly="hg19", chromosome_lengths=HUMAN
        ),
        window=WindowSpec(kind="promoter", **reach, shown=NEAR, max_n_fraction=MAX_N),
        encoder=encoder,
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
                + ", ".join(map(name_of, plan.blocks)),
                "never seen": "labels of chr22 beyond 40 Mb, all other chromosomes",
            },
            seed=SEED,
            counts={
                "tiles trained on": len(data.tiles.position),
                "regions trained on": data.regions_trained_on,
                "genes calibrated on": len(evaluated["genes"].block),
                "regions calibrated on": len(evaluated["regions"].block),
            },
        ),
        metrics={name: each.evaluation(DESCRIPTIONS[name]) for name, each in evaluated.items()},
        known_answer=known_answer(model, gene_marks),
    )


def notes_on(
    tiles: HeldOut, tile_marks: Sequence[MarkSpec], genes: HeldOut, gene_marks: Sequence[MarkSpec]
) -> dict[str, str | int]:
    """What the notes say about the held-out tiles and genes."""
    of_genes, of_tiles = genes.probabilities(gene_marks), tiles.probabilities(tile_marks)
    non_coding = genes.places.non_coding
    return {
        "intervals": interval_table(tiles),
        "unskilled": ", ".join(m.name for m in gene_marks if m.threshold == NEVER) or "none",
        "genes": len(genes.block),
        "coding": int((~non_coding).sum()),
        "gene_calls": call_table(gene_marks, genes.places.labels, of_genes),
        "tile_calls": call_table(tile_marks, tiles.places.labels, of_tiles),
        "rates": rate_table(MARKS, genes.places.labels, of_genes, non_coding),
    }


def known_answer(model: Model, marks: Sequence[MarkSpec]) -> KnownAnswer:
    """Probabilities of 400 random bases with a run of N, from the networks before export."""
    bases = np.random.default_rng(SEED).choice(list("ACGT"), 400, p=[0.2, 0.3, 0.3, 0.2])
    bases[200:210] = "N"
    sequence = "".join(bases)
    with torch.inference_mode():
        codes = torch.from_numpy(codes_of([sequence.encode()], len(sequence)).copy())
        logits = model.of_genes(model.encoder(codes)).numpy()
    (row,) = probabilities_of(logits, [mark.calibration for mark in marks])
    return KnownAnswer(sequence=sequence, probabilities=dict(zip(MARKS, row.tolist(), strict=True)))


if __name__ == "__main__":
    main()
