"""Train the bundle `human-promoter` from the data folder human/chr22 and write it with its card.

    python training/human_promoter.py --data PATH/human/chr22 -o histpred/bundles/human-promoter

Needs the `train` extra; a few minutes on two cores. The folder holds hg19.chr22.fa.gz,
labels_tiles.tsv.gz and labels_genes.tsv.gz. Every 200 bp tile is the middle of a 2 kb window on
'+'; its labels are whether a mark is there in at least 25 % of the samples. Windows before 30 Mb
train, and choose the settings on blocks of their own; those in 30-40 Mb only measure, and the
windows of that stretch's genes, which are what the bundle is used on, calibrate and set thresholds.
The same seed and library versions give the same bundle.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
import pysam
import torch
from assemblies import HUMAN
from fitting import Settings, choose, fit, logits_of
from measuring import (
    beats_chance,
    call_table,
    cross_fitted_error,
    logistic,
    rate_table,
)
from samples import (
    HALF_WINDOW,
    MARKS,
    MAX_N_FRACTION,
    TRAIN_END,
    Sample,
    accessions,
    read_genes,
    read_tiles,
    within,
)

from histpred.core.sequence import clean
from histpred.encoders.kmer import KmerEncoder, from_settings
from histpred.evaluation.card import card_figures
from histpred.models.calibration import base_rate, platt, youden
from histpred.models.export import to_onnx
from histpred.models.manifest import (
    SCHEMA_VERSION,
    Calibration,
    EncoderSpec,
    Evaluation,
    KnownAnswer,
    Manifest,
    MarkSpec,
    Species,
    Training,
    WindowSpec,
)
from histpred.models.network import MarkNetwork, averaged
from histpred.models.probability import probabilities_of
from histpred.models.publish import write_bundle
from histpred.scoring.verify import verify

logger = logging.getLogger("human_promoter")

TRAIN = (0, TRAIN_END)
VALIDATION = (30_000_000, 40_000_000)
HALFWAY = 35_000_000  # between the halves that calibration is cross-fitted on
INNER_BLOCKS = ((0, 23_200_000), (23_200_000, 26_600_000), (26_600_000, 30_000_000))
INNER_GAP = 100_000
SEED = 22

ENCODER = {"k": [1, 2, 3, 4], "centres": {"400": [1, 2, 3], "1000": [1, 2, 3]}}
CANDIDATES = {
    "blurred input": Settings(),
    "blurred input, rare marks weighted in full": Settings(rarity=1.0),
    "input only thinned, without noise": Settings(noise=0.0),
    "blurred input, hidden layers twice as wide": Settings(hidden=(128, 64, 64, 32, 32)),
}
MEMBERS = 5  # networks that differ in their seed and are averaged into one

NOTES = Path(__file__).with_name("human_promoter_notes.md")

DATA = (
    "128 histone ChIP-seq peak files of 9 marks from ENCODE and from Nott et al. 2019 (brain cell "
    "types), hg19 (77 native, 51 lifted over); ENCODE data are free to use with citation",
    "chromosome 22 of hg19 as far as public alignments hold it (22,265,293 real bases)",
    "RefSeq genes of chromosome 22, for the table on genes",
)
SUMMARY = (
    "Histone marks that many human cell types share, from 2 kb of DNA around a transcription "
    "start: k-mer spectra and a marker-conditioned perceptron, trained on chromosome 22."
)
TILES = (
    "Windows around the 200 bp tiles of chr22 30-40 Mb. Baselines: prevalence (a constant); GC of "
    "the same window and its square; canonical 4-mers of the same window; both by logistic "
    "regression, fitted on the training stretch."
)
GENES = (
    "Windows around the transcription starts of the RefSeq genes of chr22 30-40 Mb, on the gene's "
    "strand; here the label is a peak within 2 kb of the start, in at least 25 % of the samples. "
    "Training never saw labels of genes; calibration and thresholds did. ECE: ten bins of equal "
    "count, each half of the stretch (parted at 35 Mb) calibrated on the other; none for marks "
    "that are not predicted."
)
NEVER = 1.0  # a threshold that no probability reaches
FOUR_MERS = 136  # canonical ones, the last of the embedding


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

    encoder = from_settings(ENCODER, options.output)
    with pysam.FastaFile(str(options.data / "hg19.chr22.fa.gz")) as fasta:
        chromosome = clean(fasta.fetch("chr22").encode())
    tiles = read_tiles(options.data / "labels_tiles.tsv.gz", chromosome, encoder)
    genes = read_genes(options.data / "labels_genes.tsv.gz", chromosome, encoder)
    train, validation = within(tiles, TRAIN), within(tiles, VALIDATION)

    name, figures = choose(train.examples, CANDIDATES, INNER_BLOCKS, HALF_WINDOW, INNER_GAP, SEED)
    network = averaged(
        [fit(train.examples, CANDIDATES[name], SEED + member) for member in range(MEMBERS)]
    )
    validation_genes = within(genes, VALIDATION)
    promoters, coding = validation_genes.examples, validation_genes.coding
    logits = logits_of(network, promoters.embeddings)
    skill = [beats_chance(promoters.labels[:, i], logits[:, i], SEED) for i in range(len(MARKS))]
    calibrations = [
        platt(logits[:, i], promoters.labels[:, i])
        if skill[i]
        else base_rate(promoters.labels[:, i])
        for i in range(len(MARKS))
    ]
    probabilities = probabilities_of(logits, calibrations)
    thresholds = [
        youden(promoters.labels[:, i], probabilities[:, i]) if skill[i] else NEVER
        for i in range(len(MARKS))
    ]

    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        name="human-promoter",
        version="0.1.0",
        summary=SUMMARY,
        licence="MIT",
        species=Species(
            name="Homo sapiens", taxon_id=9606, assembly="hg19", chromosome_lengths=HUMAN
        ),
        window=WindowSpec(
            kind="promoter",
            upstream=HALF_WINDOW,
            downstream=HALF_WINDOW,
            max_n_fraction=MAX_N_FRACTION,
        ),
        encoder=EncoderSpec(kind="kmer", settings=ENCODER, dimension=encoder.dimension),
        marks=tuple(
            MarkSpec(name=mark, threshold=threshold, calibration=calibration)
            for mark, threshold, calibration in zip(MARKS, thresholds, calibrations, strict=True)
        ),
        files={},
        training=Training(
            data=DATA,
            splits={
                "training": "chr22 before 30 Mb",
                "validation": "chr22 30-40 Mb",
                "never seen": "chr22 beyond 40 Mb, all other chromosomes",
            },
            seed=SEED,
            counts={
                "windows trained on": len(train.gc),
                "windows validated on": len(validation.gc),
            },
        ),
        metrics=measure(train, validation, validation_genes, network, skill),
        known_answer=known_answer(encoder, network, calibrations),
    )
    notes = NOTES.read_text().format(
        choice="\n".join(f"- {figure:.3f} {candidate}" for candidate, figure in figures.items()),
        chosen=name,
        members=MEMBERS,
        accessions=", ".join(accessions(options.data / "peaks")),
        unskilled=", ".join(mark for mark, has in zip(MARKS, skill, strict=True) if not has),
        calls=call_table(MARKS, promoters.labels, probabilities, thresholds),
        genes=len(coding),
        coding=int(coding.sum()),
        rates=rate_table(MARKS, promoters.labels, probabilities, coding),
    )
    scorer = to_onnx(network, MARKS, validation.examples.embeddings[:2000])
    bundle = write_bundle(options.output, manifest, scorer, notes)
    logger.info("wrote %s; known answer met to %.1g", options.output, verify(bundle))


def measure(
    train: Sample,
    validation: Sample,
    genes: Sample,
    network: MarkNetwork,
    skill: list[bool],
) -> dict[str, Evaluation]:
    """The tables of the card: tiles and genes of the validation stretch, and their baselines."""
    four_mers = slice(-FOUR_MERS, None)
    labels = train.examples.labels
    gc_model = logistic(np.stack([train.gc, train.gc**2], axis=1), labels)
    kmer_model = logistic(train.examples.embeddings[:, four_mers], labels)

    def baselines(part: Sample) -> dict[str, np.ndarray]:
        return {
            "GC": gc_model(np.stack([part.gc, part.gc**2], axis=1)),
            "4-mers": kmer_model(part.examples.embeddings[:, four_mers]),
        }

    tiles, promoters = validation.examples, genes.examples
    of_promoters = logits_of(network, promoters.embeddings)
    first_half = promoters.position < HALFWAY
    errors = [
        cross_fitted_error(promoters.labels[:, i], of_promoters[:, i], first_half)
        if skill[i]
        else None
        for i in range(len(MARKS))
    ]
    return {
        "tiles": card_figures(
            TILES, MARKS, tiles.labels, logits_of(network, tiles.embeddings), baselines(validation)
        ),
        "genes": card_figures(
            GENES, MARKS, promoters.labels, of_promoters, baselines(genes), errors
        ),
    }


def known_answer(
    encoder: KmerEncoder, network: MarkNetwork, calibrations: list[Calibration]
) -> KnownAnswer:
    """The answer for 400 made-up bases with a run of N, from the network and not its export."""
    bases = np.random.default_rng(SEED).choice(list("ACGT"), 400, p=[0.2, 0.3, 0.3, 0.2])
    bases[200:210] = "N"
    sequence = "".join(bases)
    logits = logits_of(network, encoder.spectra([sequence.encode()]))
    (probabilities,) = probabilities_of(logits, calibrations)
    return KnownAnswer(
        sequence=sequence, probabilities=dict(zip(MARKS, probabilities.tolist(), strict=True))
    )


if __name__ == "__main__":
    main()
