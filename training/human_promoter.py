"""Train the bundle `human-promoter` from the data folder human and write it with its card.

    python training/human_promoter.py --data PATH/human -o histpred/bundle/shipped/human-promoter \
        [--work FOLDER]

Needs the `train` extra; takes about an hour on one core. The folder holds chr20 and chr22 (of each
hg19.*.fa.gz, labels_tiles.tsv.gz, labels_genes.tsv.gz and peaks/) and two tables of regions.
Several spectra networks are trained along both chromosomes on all tiles with labels, others on the
regions, and distilled into one scorer of intervals. Genes are scored by regressions on what it says
of places around their start. Before that, the same is done without each of four pairs of blocks in
turn, and without each chromosome. The figures on the card, the calibrations, the regressions and
the thresholds come from the blocks. The same seed and library versions give the same bundle. Models
that are finished are kept in the folder --work, if given: a killed run goes on from there.
"""

from __future__ import annotations

import logging
from argparse import ArgumentParser, RawTextHelpFormatter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from about import (
    DATA,
    DESCRIPTIONS,
    GENE_MEANING,
    HUMAN,
    REGION_MEANING,
    REGION_ROWS,
    SUMMARY,
    TILE_MEANING,
    TRAINED_ON,
)
from blocks import aurocs
from genes import PLACES, GeneModel, fit_genes, positions_around
from held_out import Found, HeldOut, calls, hold_out, kept
from members import (
    REACH,
    SEED,
    Data,
    Model,
    Plan,
    before_ends,
    network_of_marks,
    read,
    train,
    windows_at,
)
from samples import (
    BIN,
    ENDS,
    MARKS,
    NEAR,
    accessions,
    needed_samples,
)
from tables import (
    KNOWN,
    Marks,
    block_table,
    kind_table,
    kinds_of,
    pictures_of,
    region_table,
    tables_of,
)
from torch import nn

from histpred.bundle.calls import PRECISION_OF_GENES, PRECISION_OF_INTERVALS
from histpred.bundle.folder import Bundle
from histpred.bundle.manifest import (
    SCHEMA_VERSION,
    EncoderSpec,
    IntervalOutput,
    KnownAnswer,
    Manifest,
    Species,
    Training,
    WindowSpec,
)
from histpred.bundle.mark_spec import MarkSpec
from histpred.bundle.probability import probabilities_of
from histpred.bundle.publish import write_bundle
from histpred.encoders.onnx import codes_of
from histpred.evaluation.kinds import CODING, NONCODING
from histpred.scoring.verify import verify
from histpred.training.export import spectra_to_onnx
from histpred.training.onnx_scorer import pooled_to_onnx, to_onnx
from histpred.training.pooled import Pooled

logger = logging.getLogger("human_promoter")

N_CODE = 4
MAX_N = 0.5  # of the 200 bp, or of the stretch around a TSS, that a probability is for
INTERVAL_SCORER = "scorer-interval.onnx"
CHECKED = 100  # genes for which the exported graphs are compared with the networks
NOTES = Path(__file__).with_name("human_promoter_notes.md")


def main(arguments: list[str] | None = None) -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder human")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the bundle's folder")
    parser.add_argument("--work", type=Path, help="a folder for finished models")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums in one order: the same weights on any number of cores
    make(options.data, options.output, Plan(), options.work)


def make(folder: Path, output: Path, plan: Plan, work: Path | None = None) -> Bundle:
    """Train, evaluate and write the bundle, and check its known answer."""
    if work:
        work.mkdir(parents=True, exist_ok=True)
    data = read(folder, plan)
    tiles, genes, regions = found = hold_out(data, plan, plan.folds, work)
    ways = hold_out(data, plan, plan.ways, work)
    marks = marks_of(found, needed_samples(folder), plan.bootstraps)
    shown = np.array([not mark.unpredicted for mark in marks.regions])
    interval_marks = (*marks.tiles, *(marks.regions[i] for i in np.flatnonzero(shown)))
    found = (tiles, genes, regions.with_marks(shown))

    model = kept(
        work,
        (plan, "all"),
        lambda: train(data, plan, lambda positions: before_ends(positions, data.genome)),
    )
    of_genes = fit_genes(genes.pooled, genes.places)
    encoder, scorer, others = graphs_of(data, model, of_genes, interval_marks, shown)
    manifest = manifest_of(
        data, plan, model, of_genes, encoder, found, (marks.genes, interval_marks)
    )
    notes = NOTES.read_text().format(
        members=plan.members[0],
        region_members=plan.members[1],
        ways=block_table(ways[0]),
        kinds_by_ways=kind_table(ways[1]),
        further=region_table(regions, shown, plan.bootstraps),
        accessions=", ".join(
            sorted({name for each in ENDS for name in accessions(folder / each / "peaks")})
        ),
        **tables_of(found, marks),
    )
    others |= pictures_of(found)
    bundle = write_bundle(output, manifest, scorer, notes, others)
    logger.info("wrote %s; known answer met to %.1g", output, verify(bundle))
    return bundle


def marks_of(found: Found, needed: Mapping[str, int], bootstraps: int) -> Marks:
    """Thresholds hold for coding and for non-coding genes, and for tiles of each chromosome."""
    tiles, genes, regions = found
    kinds = kinds_of(genes)
    by_kind = [kinds[CODING], kinds[NONCODING]]
    by_chromosome = list(tiles.chromosomes.values())
    whole = [np.ones(len(regions.block), bool)]
    # Regions lie near genes, where marks are more frequent than along the genome: as for genes.
    of = bootstraps, needed
    further = calls(regions, whole, PRECISION_OF_GENES, REGION_MEANING, bootstraps, {}, "regions")
    return Marks(
        calls(tiles, by_chromosome, PRECISION_OF_INTERVALS, TILE_MEANING, *of, "tiles"),
        calls(genes, by_kind, PRECISION_OF_GENES, GENE_MEANING, *of, "genes"),
        tuple(map(_not_in_tiles, further)),
    )


def _not_in_tiles(mark: MarkSpec) -> MarkSpec:
    """A mark of regions: along a whole chromosome, what its calls promise would not hold."""
    calls = mark.calls and mark.calls.model_copy(update={"rows": REGION_ROWS})
    return mark.model_copy(update={"calls": calls})


def graphs_of(
    data: Data,
    model: Model,
    of_genes: GeneModel,
    interval_marks: tuple[MarkSpec, ...],
    shown: np.ndarray,
) -> tuple[EncoderSpec, bytes, dict[str, bytes]]:
    """The bundle's encoder, its scorer of genes, and its other graphs by name.

    shown: which of FURTHER the bundle has, bool [marks].
    """
    checked = data.genes.where(np.arange(len(data.genes.position)) < CHECKED)
    windows = windows_at(data.genome.codes, positions_around(checked))
    with torch.inference_mode():
        embeddings = model.encoder(torch.from_numpy(windows)).numpy()
    encoder, graphs = spectra_to_onnx(model.encoder, windows)
    rows = torch.from_numpy(np.concatenate([np.ones(len(MARKS), bool), shown]))
    model.of_intervals.mark_vectors = nn.Parameter(model.of_intervals.mark_vectors[rows])
    names = [mark.name for mark in interval_marks]
    interval = to_onnx(model.of_intervals, names, embeddings)
    side_by_side = embeddings.reshape(len(checked.position), -1)
    scorer = pooled_to_onnx(of_genes.on(network_of_marks(model)), MARKS, side_by_side)
    settings = {**encoder.settings, "places": list(PLACES)}
    dimension = encoder.dimension * len(PLACES)
    encoder = encoder.model_copy(update={"settings": settings, "dimension": dimension})
    return encoder, scorer, {**graphs, INTERVAL_SCORER: interval}


def manifest_of(
    data: Data,
    plan: Plan,
    model: Model,
    of_genes: GeneModel,
    encoder: EncoderSpec,
    found: Found,
    marks: tuple[tuple[MarkSpec, ...], tuple[MarkSpec, ...]],
) -> Manifest:
    """The manifest, with `files` empty. marks: of genes and of intervals."""
    tiles, genes, regions = found
    evaluated = {"tiles": tiles, "regions": regions, "genes": genes}
    around = {"upstream": REACH, "downstream": REACH, "whole": True}
    of_tss = {"upstream": REACH + NEAR, "downstream": REACH + NEAR, "whole": True}
    return Manifest(
        schema_version=SCHEMA_VERSION,
        name="human-promoter",
        version="2.0.0",
        summary=SUMMARY,
        licence="MIT",
        species=Species(
            name="Homo sapiens", taxon_id=9606, assembly="hg19", chromosome_lengths=HUMAN
        ),
        window=WindowSpec(kind="promoter", **of_tss, shown=NEAR, max_n_fraction=MAX_N),
        encoder=encoder,
        marks=marks[0],
        interval=IntervalOutput(
            window=WindowSpec(kind="interval", **around, max_n_fraction=MAX_N),
            resolution=BIN,
            scorer=INTERVAL_SCORER,
            marks=marks[1],
        ),
        files={},
        training=Training(
            data=DATA,
            splits={
                "training": "chr20 before 45 Mb, chr22 before 40 Mb",
                "accuracy and calibration": "eight blocks of them, left out in pairs: "
                + "; ".join(" and ".join(map(str, fold)) for fold in plan.folds),
                "never seen": "labels of chr20 beyond 45 Mb and of chr22 beyond 40 Mb, all other "
                "chromosomes",
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
            name: figures
            for name, each in evaluated.items()
            if (figures := each.evaluation(DESCRIPTIONS[name]))
        },
        known_answer=known_answer(model, of_genes.on(network_of_marks(model)), marks[0]),
        caveats=(TRAINED_ON, caveat_of(genes)),
    )


def caveat_of(genes: HeldOut) -> str:
    """How non-coding genes fare, in a sentence."""
    means = []
    for rows in kinds_of(genes).values():
        these = genes.where(rows)
        ranks = aurocs(these.places.labels, these.logits)
        means.append(f"{np.nanmean(ranks[[MARKS.index(mark) for mark in KNOWN]]):.2f}")
    return (
        f"On held-out blocks, its mean AUROC is {means[0]} for coding genes, {means[1]} for "
        f"non-coding ones, and {means[2]} for non-coding ones more than 2 kb from a coding gene."
    )


def known_answer(model: Model, scorer: Pooled, marks: tuple[MarkSpec, ...]) -> KnownAnswer:
    """Probabilities of 6,000 random bases with a run of N, from the networks before export."""
    length = 3 * NEAR
    bases = np.random.default_rng(SEED).choice(list("ACGT"), length, p=[0.2, 0.3, 0.3, 0.2])
    bases[200:210] = "N"
    sequence = "".join(bases)
    around = np.full(REACH + NEAR - length // 2, N_CODE, np.uint8)
    whole = np.concatenate([around, codes_of([sequence.encode()], length)[0], around])
    windows = windows_at(whole, len(whole) // 2 + np.array(PLACES))
    with torch.inference_mode():
        vectors = model.encoder(torch.from_numpy(windows)).numpy()
    logits = scorer.logits(vectors.reshape(1, -1))
    (row,) = probabilities_of(logits, [mark.calibration for mark in marks])
    answers = zip(marks, row.tolist(), strict=True)
    probabilities = {mark.name: value for mark, value in answers if not mark.unpredicted}
    return KnownAnswer(sequence=sequence, probabilities=probabilities)


if __name__ == "__main__":
    main()
