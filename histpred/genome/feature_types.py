"""The types of features in column 3 of a GTF or GFF3: genes, transcripts, exons, and the rest.

GFF3 takes its types from the Sequence Ontology, by name or by accession
(http://www.sequenceontology.org). Some programs write types of their own; Infernal, for example,
writes the name of the RNA family.
"""

from __future__ import annotations

import re
from functools import lru_cache

GENE, TRANSCRIPT, EXON, REGION = "gene", "transcript", "exon", "region"
CODING = "coding"  # CDS
UNKNOWN = "unknown"  # neither known as one of these nor as something else
IGNORED = ""

_TRANSCRIPT_TYPE = re.compile(r"(rna|transcript|ribozyme|gene_segment)$")
_NO_TRANSCRIPT = frozenset({"match_rna", "est_match", "cdna_match"})

# The last word of types that are neither genes nor transcripts nor exons.
_OTHER_TYPES = """
    3utr 5utr alteration arm ars assembly attenuator bac band base block box breakpoint cap cds
    centromere chromosome clip clone cluster cns codon codon5 coil complexity component conflict
    contact contig cosmid crispr deletion difference dna dnase domain duplication element end
    enhancer est feature fosmid fragment frame frameshift gap group helitron helix heptamer
    homologous hotspot indel insert insertion insulator integron interband intron inversion
    island junction kozak line loop ltr marker match microsatellite minisatellite mite mnp
    modification module motif mutation mutations nonamer oligo operator operon orf origin
    origins orit oriv pair part path peptide plasmid polymorphism polypeptide primer probe
    product promoter propeptide prophage protein qtl read reads reagent region regulon remark
    repeat replication replicon residue residues retrotransposon riboswitch satellite scaffold
    selenocysteine sequence set signal silencer similarity sine site snp snv source spacer
    splice3 splice5 ssr start stem strand structure sts substitution supercontig tag telomere
    terminator tract translocation transposon transposons tss tts turn utr utr3 utr5 variant
    variation yac
"""
_OTHER = re.compile(rf"(^|[\W_])({'|'.join(_OTHER_TYPES.split())})$")

# The accessions of the Sequence Ontology that genes, transcripts and their parts have.
_ACCESSIONS = {
    "0000704": "gene",
    "0000336": "pseudogene",
    "0001217": "protein_coding_gene",
    "0001263": "ncRNA_gene",
    "0001265": "miRNA_gene",
    "0001267": "snoRNA_gene",
    "0001268": "snRNA_gene",
    "0001272": "tRNA_gene",
    "0001637": "rRNA_gene",
    "0001641": "lincRNA_gene",
    "0002127": "lncRNA_gene",
    "0000147": "exon",
    "0000195": "coding_exon",
    "0000198": "noncoding_exon",
    "0000507": "pseudogenic_exon",
    "0000673": "transcript",
    "0000234": "mRNA",
    "0000185": "primary_transcript",
    "0000516": "pseudogenic_transcript",
    "0000647": "miRNA_primary_transcript",
    "0000655": "ncRNA",
    "0001877": "lncRNA",
    "0001463": "lincRNA",
    "0000644": "antisense_RNA",
    "0000276": "miRNA",
    "0001244": "pre_miRNA",
    "0000646": "siRNA",
    "0001035": "piRNA",
    "0000252": "rRNA",
    "0000253": "tRNA",
    "0000274": "snRNA",
    "0000275": "snoRNA",
    "0000013": "scRNA",
    "0000584": "tmRNA",
    "0000374": "ribozyme",
    "0000385": "RNase_MRP_RNA",
    "0000386": "RNase_P_RNA",
    "0000390": "telomerase_RNA",
    "0000404": "vault_RNA",
    "0000405": "Y_RNA",
    "0000590": "SRP_RNA",
    "0000188": "intron",
    "0000204": "five_prime_UTR",
    "0000205": "three_prime_UTR",
    "0000316": "CDS",
    "0000318": "start_codon",
    "0000319": "stop_codon",
}


def term(feature: str) -> str:
    """The name of a type that is given as an accession of the Sequence Ontology; else the type.

    >>> term("SO:0000234"), term("exon")
    ('mRNA', 'exon')
    """
    return _ACCESSIONS.get(feature[3:], feature) if feature.startswith("SO:") else feature


@lru_cache(maxsize=4096)
def kind_of(feature: str) -> str:
    """GENE, TRANSCRIPT, EXON, REGION or CODING; IGNORED for other known types; else UNKNOWN.

    >>> kind_of("lnc_RNA"), kind_of("five_prime_UTR"), kind_of("RNaseP_bact_a")
    ('transcript', '', 'unknown')
    """
    lowered = term(feature).lower()
    if lowered.endswith("gene"):
        return GENE
    if lowered.endswith("exon"):
        return EXON
    if lowered == REGION:
        return REGION
    if lowered == "cds":
        return CODING
    if lowered in _NO_TRANSCRIPT:
        return IGNORED
    if _TRANSCRIPT_TYPE.search(lowered):
        return TRANSCRIPT
    return IGNORED if _OTHER.search(lowered) else UNKNOWN
