"""What column 3 says; more terms are in test_gff.py."""

from __future__ import annotations

import pytest

from histpred.genome.feature_types import (
    CODING,
    EXON,
    GENE,
    IGNORED,
    REGION,
    TRANSCRIPT,
    UNKNOWN,
    kind_of,
)

KINDS = {
    GENE: "gene geNe pseudogene ncRNA_gene SO:0000704 SO:0000336",
    TRANSCRIPT: "mRNA RNA 5S_rRNA SO:0000234 SO:0000655",
    EXON: "exon pseudogenic_exon SO:0000147",
    REGION: "region",
    CODING: "CDS cds SO:0000316",
    IGNORED: """
        5UTR three_prime_utr chromosome repeat_region TF_binding_site enhancer
        EST_match sequence_feature BED_feature LTR_retrotransposon mobile_genetic_element
        sig_peptide long_terminal_repeat origin_of_replication telomere source intron
        transcription_end_site
    """,
    UNKNOWN: "RNaseP_bact_a mir-10 SNORD14 SO:9999999 something copia",
}


@pytest.mark.parametrize(
    ("feature", "kind"), [(name, kind) for kind, names in KINDS.items() for name in names.split()]
)
def test_kinds(feature, kind):
    assert kind_of(feature) == kind
