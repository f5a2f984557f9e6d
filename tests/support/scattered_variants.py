"""A VCF that is hard to cut, and what is made of it: whole, and as shards."""

from __future__ import annotations

import random
from pathlib import Path
from typing import NamedTuple

import pysam

from histpred.bundle.encoding import EncoderChoice, bundle_encoder
from histpred.bundle.folder import load_bundle
from histpred.core.execution import Execution
from histpred.genome.request import REGIONS, Request
from histpred.scoring.scatter_variants import scatter_variants
from histpred.scoring.variants import VariantOptions, variants
from histpred.scoring.variants_record import VariantsRun
from support import random_genome, write_bed, write_fasta
from support.command_line import contents
from support.records import assert_recorded_like
from support.variants import COLUMNS, Variant, random_variants

GENES = [
    ("1", 9_000, 12_000, "first", 0, "+"),
    ("1", 9_100, 9_900, "beside it", 0, "-"),
    ("1", 30_000, 31_000, "mostly N", 0, "-"),
    ("1", 36_000, 39_000, "last of chr1", 0, "-"),
    ("MT", 2_000, 4_000, "on M", 0, "+"),
    ("X", 5, 900, "of no contig", 0, "+"),
]
OTHER = str.maketrans("ACGT", "CGTA")


class Case(NamedTuple):
    """What is asked for."""

    bundle: str | None = None
    window: str | None = None
    marks: tuple[str, ...] = ()
    rows: str = "rows.bed"
    vcf: str = "a.vcf"
    background: int = 5


class ScatteredInputs:
    """A genome, rows and VCFs in one folder.

    Contigs of the VCF have other names than those of the FASTA. Most wrong REF alleles are in one
    run of records.
    """

    def __init__(self, folder: Path) -> None:
        rng = random.Random(7)
        self.folder = folder
        genome = random_genome(rng, {"chrM": 8_000, "chr1": 41_050})
        bases = genome["chr1"]
        genome["chr1"] = f"{bases[:28_000]}{'N' * 5_000}{bases[33_000:]}"
        write_fasta(folder / "g.fa", genome)
        write_bed(folder / "rows.bed", GENES)
        near = {"chr1": (8_850, 10_050), "chrM": (1_700, 2_300)}
        inside = {name: genome[name][start:end] for name, (start, end) in near.items()}
        found = {
            (chrom, position + near[chrom][0], ref, alt)
            for chrom, position, ref, alt in random_variants(rng, inside, 30, 4)
        }
        found |= set(random_variants(rng, genome, 20, 2))
        tail = genome["chr1"][-1]
        found |= {("chr1", 29_000, "A", "C"), ("chr1", len(bases), tail, tail.translate(OTHER))}
        order = sorted(found, key=lambda one: (one[0] != "chrM", one[1:]))
        self.variants = [self._odd(number, *one) for number, one in enumerate(order)]
        header = [
            '##INFO=<ID=X,Number=.,Type=String,Description="a text, with <odd> signs">',
            '##INFO=<ID=END,Number=1,Type=Integer,Description="last base">',
            "##contig=<ID=MT>",
            "##contig=<ID=1>",
            "##contig=<ID=decoy>",
            '##FORMAT=<ID=GT,Number=1,Type=String,Description="genotype">',
        ]
        lines = ["##fileformat=VCFv4.2", *header, f"{COLUMNS}\tFORMAT\tsample"]
        for number, (chrom, position, ref, alt) in enumerate(self.variants):
            info = "." if number % 3 else f"X=a,{number}"
            lines.append(f"{chrom}\t{position}\t.\t{ref}\t{alt}\t.\tPASS\t{info}\tGT\t0/1")
        (folder / "a.vcf").write_text(
            "\n".join([*lines, "decoy\t5\t.\tA\tC\t.\t.\t.\tGT\t."]) + "\n"
        )
        (folder / "none.vcf").write_text("\n".join(lines[: len(header) + 2]) + "\n")
        with (
            pysam.VariantFile(str(folder / "a.vcf")) as read,
            pysam.VariantFile(str(folder / "a.bcf"), "wb", header=read.header) as written,
        ):
            for record in read:
                written.write(record)

    @staticmethod
    def _odd(number: int, chrom: str, position: int, ref: str, alt: str) -> Variant:
        """A variant with another name of its contig, and perhaps a wrong REF or more ALTs."""
        name = {"chr1": "1", "chrM": "MT"}[chrom]
        if 8 <= number < 14:
            return name, position, ref.translate(OTHER), alt
        return name, position, ref, alt if number % 5 else f"{alt},<DEL>,{alt}A"

    def request(self, rows: str) -> Request:
        """The rows of a file, or typed regions, on the genome."""
        fasta = str(self.folder / "g.fa")
        if ":" in rows:
            return Request(rows, fasta, source=REGIONS)
        return Request(str(self.folder / rows), fasta)

    def choice(self, case: Case) -> EncoderChoice:
        """The bundle of a case."""
        bundle = load_bundle(case.bundle) if case.bundle else load_bundle()
        return bundle_encoder(bundle, case.window)

    def whole(self, case: Case, out: Path) -> VariantsRun:
        """One run of all variants."""
        choice = self.choice(case)._replace(marks=case.marks)
        vcf, options = str(self.folder / case.vcf), VariantOptions(case.background)
        return variants(vcf, self.request(case.rows), choice, out, options, Execution("cpu"))

    def scatter(self, case: Case, out: Path, alleles: int) -> list[Path]:
        """The parts of the VCF; their windows lie beside them."""
        vcf = str(self.folder / case.vcf)
        scatter_variants(vcf, self.request(case.rows), self.choice(case), out, alleles)
        return sorted((out / "shards").glob("*.vcf.gz"))

    def part(self, case: Case, shard: Path, out: Path, table: Path | None = None) -> Path:
        """The folder of one part."""
        choice = self.choice(case)._replace(marks=case.marks)
        rows = table or shard.with_name(f"{shard.name.removesuffix('.vcf.gz')}.tsv")
        request = Request(str(rows), str(self.folder / "g.fa"))
        options = VariantOptions(case.background)
        variants(str(shard), request, choice, out, options, Execution("cpu"))
        return out

    def parts(self, case: Case, folder: Path, alleles: int) -> list[Path]:
        """The folders of all parts, beside `folder/scattered`."""
        shards = self.scatter(case, folder / "scattered", alleles)
        return [self.part(case, shard, folder / shard.name[:-7]) for shard in shards]


def assert_same_run(out: Path, plain: Path) -> None:
    """All files are those of one run; the record but for times, parts and what they count."""
    ours, theirs = contents(out), contents(plain)
    assert ours.keys() == theirs.keys()
    assert [n for n in theirs if n != "variants.json" and ours[n] != theirs[n]] == []
    parts, result = assert_recorded_like("variants.json", out, plain)
    assert sum(each["alleles"] for each in parts) == result["alleles"]
