"""A genome, genes, variants and a bundle of k-mers, and runs of `histpred variants` on them."""

from __future__ import annotations

import random
from pathlib import Path

from histpred.bundle.encoding import bundle_encoder
from histpred.bundle.folder import load_bundle
from histpred.core.execution import Execution
from histpred.genome.request import Request
from histpred.scoring.variants import VariantOptions, variants
from histpred.scoring.variants_record import VariantsRun
from support import random_genome, write_bed, write_fasta
from support.random_bundle import stated_bundle
from support.variants import contig_lines, random_variants, vcf_text

GENES = [
    ("chr1", 900, 1500, "plus", 0, "+"),
    ("chr1", 1000, 1400, "minus;x=1", 0, "-"),
    ("chr1", 100, 900, "edge", 0, "+"),
    ("chr2", 300, 700, "other", 0, "-"),
]
INFO = [
    '##INFO=<ID=DP,Number=1,Type=Integer,Description="depth">',
    '##INFO=<ID=X,Number=1,Type=String,Description="text">',
]
FILES = {
    *("effects.tsv.gz", "effects.tsv.gz.tbi", "variants.vcf.gz", "variants.vcf.gz.tbi"),
    *("variants.ledger.tsv", "ledger.tsv", "variants.json"),
}
KNOWN = "H3K27ac", "H3K4me3"  # of the bundle; it does not predict H3K27me3


class VariantInputs:
    """A genome, genes, a VCF and a bundle of k-mers in one folder."""

    def __init__(self, folder: Path) -> None:
        rng = random.Random(4)
        self.folder, self.bundle = folder, stated_bundle(folder / "bundle")
        self.genome = random_genome(rng, {"chr2": 1200, "chr1": 2600})
        self.variants = random_variants(rng, self.genome, 60, 3)
        self.fasta, self.rows, self.vcf = (folder / name for name in ("g.fa", "rows.bed", "a.vcf"))
        write_fasta(self.fasta, self.genome)
        write_bed(self.rows, GENES)
        self.header = [*INFO, *contig_lines(self.genome)]
        self.vcf.write_text(vcf_text(self.variants, self.header))

    def run(
        self,
        out: Path,
        vcf: Path | None = None,
        background: int = 20,
        execution: Execution = Execution(),
        marks: tuple[str, ...] = (),
    ) -> VariantsRun:
        """Score the variants, or those of another VCF."""
        choice = bundle_encoder(load_bundle(self.folder / "bundle"))._replace(marks=marks)
        request = Request(str(self.rows), str(self.fasta))
        options = VariantOptions(background)
        return variants(str(vcf or self.vcf), request, choice, out, options, execution)
