"""How fast `histpred variants` is: the figures in benchmarks/README.md.

    python benchmarks/variants.py speed GENES.gtf.gz GENOME.fa.gz [--count 20000]
    python benchmarks/variants.py chunks

speed: made-up SNVs at random known bases of a genome, with the default bundle; CPU time and the
largest memory of the process. chunks: a random DNABERT-2 of the true architecture, but small, on
windows with 30 kb upstream: the chunks that it embeds for SNVs and for indels, beside those of
scoring the whole window of each allele. Both make what they need; the second needs torch.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

import pysam

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from histpred.bundle.encoding import bundle_encoder  # noqa: E402
from histpred.bundle.folder import load_bundle  # noqa: E402
from histpred.encoders.chunks import ChunkPolicy  # noqa: E402
from histpred.genome.request import Request  # noqa: E402
from histpred.scoring.variants import VariantOptions, variants  # noqa: E402

UPSTREAM, BODY, CHUNK = 30_000, 3_000, 1_000  # bp
GENES, SNVS, INDELS = 5, 4_000, 400
LONGEST = 10  # bp that an indel adds or takes


def write_snvs(path: Path, genome: dict[str, str], count: int, rng: random.Random) -> None:
    """Write SNVs at known bases of contigs, all bases alike, as a VCF."""
    places: set[tuple[str, int]] = set()
    total = sum(map(len, genome.values()))
    while len(places) < count:
        contig, at = place_in(genome, rng.randrange(total))
        if genome[contig][at] in "ACGT":
            places.add((contig, at))
    alleles = [
        (contig, at, base, rng.choice("ACGT".replace(base, "")))
        for contig, at in sorted(places)
        for base in genome[contig][at]
    ]
    write_vcf(path, alleles)


def place_in(genome: dict[str, str], number: int) -> tuple[str, int]:
    """The contig and the position of a base of a genome, counted from its first."""
    for contig, bases in genome.items():
        if number < len(bases):
            return contig, number
        number -= len(bases)
    raise IndexError(number)


def write_indels(path: Path, chrom: str, bases: str, count: int, rng: random.Random) -> None:
    """Write short insertions and deletions on a contig without N as a VCF."""
    pairs = []
    for at in sorted(rng.sample(range(len(bases) - LONGEST - 1), count)):
        more = rng.randint(1, LONGEST)
        if rng.random() < 0.5:
            pairs.append((chrom, at, bases[at : at + 1 + more], bases[at]))
        else:
            longer = bases[at] + "".join(rng.choices("ACGT", k=more))
            pairs.append((chrom, at, bases[at], longer))
    write_vcf(path, pairs)


def write_vcf(path: Path, alleles: list[tuple[str, int, str, str]]) -> None:
    """Write alleles: contig, 0-based position, REF and ALT, by position."""
    lines = ["##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
    lines += [f"{name}\t{at + 1}\t.\t{ref}\t{alt}\t.\t.\t." for name, at, ref, alt in alleles]
    path.write_text("\n".join(lines) + "\n")


def speed(gtf: Path, genome: Path, count: int, background: int) -> None:
    """Print how long SNVs take."""
    with pysam.FastaFile(str(genome)) as fasta, tempfile.TemporaryDirectory() as scratch:
        contigs = {name: fasta.fetch(name).upper() for name in fasta.references}
        vcf = Path(scratch, "a.vcf")
        write_snvs(vcf, contigs, count, random.Random(0))
        request, choice = Request(str(gtf), str(genome)), bundle_encoder(load_bundle())
        options = VariantOptions(background)
        started, used = time.time(), time.process_time()
        result = variants(str(vcf), request, choice, Path(scratch, "out"), options)
        wall, used = time.time() - started, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count:,} SNVs of {' and '.join(contigs)}, {result.effects:,} effects, background "
        f"{background}: "
        f"{used:.0f} s of CPU time, {wall:.0f} s on {os.cpu_count()} cores (load "
        f"{os.getloadavg()[0]:.1f}), {peak:.0f} MiB"
    )


def chunks() -> None:
    """Print how many chunks are embedded."""
    from support import random_genome, write_bed, write_fasta
    from support.dnabert2 import write_dnabert2
    from support.random_bundle import random_bundle

    rng = random.Random(1)
    window = {"kind": "context", "upstream": UPSTREAM}
    files = ["pytorch_model.bin", "config.json", "tokenizer.json"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_dnabert2(folder / "weights", scale=0.3)
        genome = random_genome(rng, {"chr1": 2 * GENES * UPSTREAM})
        write_fasta(folder / "genome.fa", genome)
        starts = [(2 * gene + 1) * UPSTREAM for gene in range(GENES)]
        rows = [("chr1", at, at + BODY, f"gene{at}", 0, "+") for at in starts]
        write_bed(folder / "genes.bed", rows)
        write_snvs(folder / "SNVs.vcf", genome, SNVS, rng)
        write_indels(folder / "indels.vcf", "chr1", genome["chr1"], INDELS, rng)
        request = Request(str(folder / "genes.bed"), str(folder / "genome.fa"))
        for policy in ("window", "grid"):
            made = folder / policy
            random_bundle(
                *(made, "dnabert2", folder / "weights", files),
                chunks=ChunkPolicy(policy, CHUNK),
                window=window,
            )
            choice = bundle_encoder(load_bundle(made), weights=folder / "weights")
            for kind in ("SNVs", "indels"):
                out = folder / f"{policy}-{kind}"
                vcf = str(folder / f"{kind}.vcf")
                result = variants(vcf, request, choice, out, VariantOptions(0))
                whole = (result.effects + GENES) * (UPSTREAM + BODY) // CHUNK
                print(
                    f"{policy} chunks of {CHUNK} bp, {UPSTREAM + BODY:,} bp read: {result.effects} "
                    f"effects of {kind}, {result.embedded:,} chunks embedded; whole windows have "
                    f"{whole:,}: {whole / result.embedded:.1f} times as many"
                )


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["speed", "chunks"])
    parser.add_argument("inputs", nargs="*", type=Path)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--background", type=int, default=50)
    given = parser.parse_args()
    if given.what == "chunks":
        chunks()
    else:
        speed(*given.inputs, given.count, given.background)


if __name__ == "__main__":
    main()
