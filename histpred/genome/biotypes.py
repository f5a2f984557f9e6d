"""Biotype names and groups, as selected with `--biotype`.

GENCODE, Ensembl, NCBI RefSeq and the Sequence Ontology spell the same classes differently (lncRNA,
lnc_RNA, lincRNA). Sources: https://www.gencodegenes.org/pages/biotypes.html, Ensembl's biotype
pages, the INSDC ncRNA_class vocabulary
(https://www.insdc.org/submitting-standards/ncrna-vocabulary/), the Sequence Ontology.
"""

from __future__ import annotations

from collections.abc import Iterable

LONG = """
    lncRNA lincRNA antisense antisense_RNA antisense_lncRNA sense_intronic sense_overlapping
    intronic_lncRNA macro_lncRNA non_coding processed_transcript 3prime_overlapping_ncRNA
    bidirectional_promoter_lncRNA lincRNA_gene lncRNA_gene
"""

SHORT = """
    miRNA pre_miRNA miRNA_primary_transcript primary_transcript miRNA_gene siRNA
    endogenous_siRNA rasiRNA piRNA snoRNA C_D_box_snoRNA H_ACA_box_snoRNA snoRNA_gene scaRNA
    snRNA snRNA_gene scRNA scRNA_gene sRNA rRNA rRNA_gene Mt_rRNA tRNA tRNA_gene Mt_tRNA tmRNA
    misc_RNA ribozyme hammerhead_ribozyme autocatalytically_spliced_intron vault_RNA vaultRNA
    Y_RNA guide_RNA telomerase_RNA telomerase_RNA_gene SRP_RNA SRP_RNA_gene RNase_P_RNA
    RNase_P_RNA_gene RNase_MRP_RNA RNase_MRP_RNA_gene enhancerRNA eRNA circRNA
"""

CODING = """
    protein_coding protein_coding_gene mRNA protein_coding_LoF protein_coding_CDS_not_defined
    nonsense_mediated_decay non_stop_decay
    IG_C_gene IG_D_gene IG_J_gene IG_LV_gene IG_V_gene TR_C_gene TR_D_gene TR_J_gene TR_V_gene
    C_region D_segment J_segment V_segment C_gene_segment D_gene_segment J_gene_segment
    V_gene_segment
"""
"""What Ensembl groups as protein-coding: genes of antigen receptors, and transcripts that decay."""

GROUPS = {
    "lncRNA": LONG.split(),
    "miRNA": ["pre_miRNA", "miRNA_primary_transcript", "miRNA_gene"],
    "ncRNA": f"{LONG} {SHORT} ncRNA ncRNA_gene other_ncRNA nc_RNA non_coding_RNA".split(),
}


def normalise(name: str) -> str:
    """A biotype name in lower case, without '_', '-' and spaces.

    >>> normalise("lnc_RNA") == normalise("lncRNA")
    True
    """
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def is_coding(name: str) -> bool:
    """Return True for a protein-coding biotype.

    >>> is_coding("protein_coding"), is_coding("transcribed_pseudogene"), is_coding(".")
    (True, False, False)
    """
    return normalise(name) in _CODING


def expand(names: Iterable[str]) -> frozenset[str]:
    """The normalised biotypes that `names` select; the name of a group selects all its members.

    >>> "snorna" in expand(["ncRNA"]), "snorna" in expand(["lncRNA"])
    (True, False)
    """
    groups = {normalise(group): members for group, members in GROUPS.items()}
    chosen = [normalise(name) for name in names]
    members = (member for name in chosen for member in groups.get(name, ()))
    return frozenset([*chosen, *map(normalise, members)])


_CODING = frozenset(map(normalise, CODING.split()))
