from __future__ import annotations

import pytest

from histpred.genome.biotypes import expand, is_coding, normalise


@pytest.mark.parametrize(
    "names", ["lncRNA lnc_RNA LNCRNA lnc-rna", "Mt_tRNA mt-trna", "3prime_overlapping_ncRNA"]
)
def test_spellings_of_one_biotype_are_one(names):
    assert len({normalise(name) for name in names.split()}) == 1


# How the dialects name non-coding genes, and what must never be taken for one.
NON_CODING = {
    "GENCODE": "lncRNA miRNA snoRNA snRNA scaRNA misc_RNA rRNA Mt_rRNA Mt_tRNA ribozyme vault_RNA",
    "GENCODE, old": "lincRNA antisense sense_intronic sense_overlapping processed_transcript",
    "Ensembl GFF3": "lnc_RNA ncRNA_gene pre_miRNA Y_RNA",
    "NCBI": "lncRNA ncRNA snoRNA snRNA tRNA rRNA miRNA antisense_RNA telomerase_RNA SRP_RNA",
    "NCBI, rare": "RNase_P_RNA RNase_MRP_RNA guide_RNA piRNA primary_transcript other_ncRNA",
}
OTHER = """protein_coding mRNA pseudogene processed_pseudogene transcribed_unprocessed_pseudogene
    IG_V_gene TR_C_gene TEC nonsense_mediated_decay retained_intron protein_coding_gene . gene
    transposable_element V_segment rRNA_pseudogene lncRNA_pseudogene"""


@pytest.mark.parametrize("dialect", NON_CODING)
def test_the_ncrna_group_knows_the_dialects(dialect):
    selected = expand(["ncRNA"])
    assert [name for name in NON_CODING[dialect].split() if normalise(name) not in selected] == []


@pytest.mark.parametrize("group", ["ncRNA", "lncRNA"])
@pytest.mark.parametrize("name", OTHER.split())
def test_no_group_takes_in_what_is_coding_or_a_pseudogene(group, name):
    assert normalise(name) not in expand([group])


def test_the_long_ones_are_a_part_of_all_and_have_no_short_ones():
    long = expand(["lncRNA"])
    assert long < expand(["nc_rna"])
    assert not long & {"mirna", "snorna", "snrna", "trna", "rrna"}


def test_other_names_stand_for_themselves():
    assert expand(["protein_coding", "sRNA"]) == {"proteincoding", "srna"}
    assert expand([]) == frozenset()


def test_coding_biotypes_are_told_from_all_others():
    """The names of GENCODE, Ensembl's GFF3 and NCBI; a pseudogene codes for nothing."""
    coding = "protein_coding mRNA IG_V_gene TR_C_gene V_segment nonsense_mediated_decay"
    assert all(map(is_coding, coding.split()))
    others = ["processed_pseudogene", "IG_V_pseudogene", "TEC", ".", "pseudogene", "artifact"]
    others += " ".join(NON_CODING.values()).split()
    assert not any(map(is_coding, others))
