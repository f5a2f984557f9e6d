"""Why rows are skipped: the codes of the ledger and their meanings.

docs/inputs.md lists the same codes.
"""

from __future__ import annotations

NOT_SELECTED = "biotype-not-selected"
UNKNOWN_CONTIG = "unknown-contig"
OUTSIDE = "outside-the-contig"
ZERO_LENGTH = "zero-length"
TOO_MANY_N = "too-many-n"
UNKNOWN_STRAND = "unknown-strand"
NO_EXONS = "no-exon-lines"
TRANS_SPLICED = "exons-on-two-strands-or-contigs"
CROSSES_ORIGIN = "crosses-the-origin"
NO_ID = "no-id"
SAME_TILE = "tile-of-another-row"
NO_TRANSCRIPT = "no-transcript"
AMBIGUOUS = "ambiguous-id"
EXONS_OUTSIDE = "exons-outside-the-transcript"
UNKNOWN_TYPE = "unknown-type"
NO_GENE = "no-gene"
GENE_NOT_SELECTED = "gene-not-selected"
GENE_NOT_FOUND = "gene-not-found"
NO_SEQUENCE = "transcript-not-in-fasta"
OTHER_LENGTH = "transcript-of-another-length"

# The rows that nobody asked for
UNWANTED = (NOT_SELECTED, GENE_NOT_SELECTED)

MEANINGS = {
    NOT_SELECTED: "--biotype does not select it",
    UNKNOWN_CONTIG: "the FASTA has no such contig, or several that match",
    OUTSIDE: "it starts past the end of its contig",
    ZERO_LENGTH: "start equals end",
    TOO_MANY_N: "the fraction of N is above the bundle's limit",
    UNKNOWN_STRAND: "its strand is ?",
    NO_EXONS: "a spliced window needs exons",
    TRANS_SPLICED: "trans-splicing, a part of a gene in several places, or exons on another strand "
    "or contig than their transcript",
    CROSSES_ORIGIN: "it runs past the end of a circular contig",
    NO_ID: "a GTF transcript with an empty ID, or an exon of no transcript",
    SAME_TILE: "an earlier row has the same tile",
    NO_TRANSCRIPT: "transcripts are scored, and the gene has none",
    AMBIGUOUS: "several features have its ID, and its exons or its biotype fit more than one; or "
    "its parent has several genes",
    EXONS_OUTSIDE: "an exon lies outside its transcript or gene",
    UNKNOWN_TYPE: "its type (column 3) is not known, and it has neither exons nor transcripts",
    NO_GENE: "a CDS whose gene or transcript has no other line",
    NO_SEQUENCE: "--transcripts has no sequence of its ID",
    OTHER_LENGTH: "its sequence in --transcripts is not as long as its exons",
    GENE_NOT_SELECTED: "--genes does not name it",
    GENE_NOT_FOUND: "--genes names it, and the annotation has no such gene",
}
