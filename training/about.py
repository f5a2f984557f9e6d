"""What the bundle human-promoter says of itself, apart from figures."""

from __future__ import annotations

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
    "histone ChIP-seq peak files of 8 marks from ENCODE and from Nott et al. 2019 (brain cell "
    "types), hg19: 92 tracks of a mark in a sample on chromosome 22, 91 on chromosome 20; ENCODE "
    "data are free to use with citation",
    "43,523 short regions of GRCh38 (exons of lncRNAs and proteins, short ncRNAs, and matched "
    "intergenic controls) with peaks of 33 marks in 4,159 ENCODE experiments, compiled by "
    "danischiavi/gene-functionality and EstefiRojas/Lab-Notebook",
    "chromosome 20 of hg19, and chromosome 22 as far as public alignments hold it (22,265,293 real "
    "bases)",
    "RefSeq genes of both chromosomes, for the probabilities of genes",
)
SUMMARY = (
    "Histone marks that many human cell types share, from 30 kb of DNA: k-mer spectra in nested "
    "stretches, distilled into a marker-conditioned perceptron, trained on chromosomes 20 and 22."
)
SAMPLES = "in at least two and at least a quarter of the samples"
GENE_MEANING = f"a peak within 2 kb of the transcription start {SAMPLES}"
TILE_MEANING = f"peaks over half of the 200 bp or more {SAMPLES}"
REGION_MEANING = "a peak in any of ENCODE's experiments of the mark"
REGION_ROWS = "short regions near genes"
TRAINED_ON = "It was trained on chromosomes 20 (below 45 Mb) and 22 (below 40 Mb) of hg19."
HELD_OUT = (
    "Each of eight blocks of chr22 17-40 Mb and chr20 0-45 Mb scored by a model that was trained "
    "without it, a block of the other chromosome, and 200 kb either side. Baselines, fitted on the "
    "same rows: GC and CpG observed/expected of the 2,000 bp around the point, each with its "
    "square; canonical 1- to 4-mers of the same; all by logistic regression. ECE: ten bins of "
    "equal count, of probabilities that did not see the block."
)
REGIONS = (
    "Short regions of chr20 and chr22 (exons, short ncRNAs, intergenic controls; median 130 bp); "
    "the label is a peak in any of ENCODE's experiments. Of these marks, training saw regions of "
    "other chromosomes only; the networks read each region's block left out. Baselines and ECE as "
    "of tiles."
)
DESCRIPTIONS = {
    "tiles": f"Tiles of 200 bp. {HELD_OUT}",
    "regions": REGIONS,
    "genes": "Transcription starts of RefSeq genes; the label is a peak within 2 kb "
    f"{SAMPLES}. {HELD_OUT}",
}
