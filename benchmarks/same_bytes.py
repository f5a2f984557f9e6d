"""Digests of what the verbs write on real data, to show that a change left every byte alone.

    python benchmarks/same_bytes.py digest --data DATA --python PYTHON --checkout DIR -o before.tsv
    python benchmarks/same_bytes.py compare before.tsv after.tsv

`digest` runs predict, windows, embed, labels, train, evaluate, tracks, scatter and gather from a
checkout on test-data, yeast and chr22, and lists the sha256 of each output. Digests depend on the
machine and on the releases of numpy, torch and onnxruntime: make both files with one environment on
one machine. JSON files are digested with sorted keys and without times, versions and messages;
whatever depends on the digest of another file is compared through that file.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

LEFT_OUT = {"started", "seconds", "versions", "warnings", "sha256", "bytes", "outputs", "device"}
GENES, CHROMOSOME = "chr22_data/genes.chr22.gtf.gz", "chr22_data/hg19.chr22.fa.gz"
PAGES = (".html",)  # words may change

COMMANDS = """
predict {demo} -o demo --tracks
predict {rows} -o demo-tiles --tile 200 --tracks
windows {demo} -o demo-spliced.tsv --window spliced
windows {demo} -o demo-context.fa --window context
windows {rows} -o demo.bed --window body
predict {chr22} -o chr22 --biotype ncRNA --tracks
predict {chr22} -o chr22-transcripts --by transcript
predict {yeast} -o yeast --bundle yeast --tracks
windows {yeast} -o yeast.tsv --window promoter:500:100
embed {exons} --encoder kmer --store store -o embedded.parquet
embed {chr22} --encoder kmer --chunks grid:2000 --window context:2000 --store store -o
    grid.parquet
labels peaks {genes} -o labels --min-samples 0.25 {peaks}
train {chr22} labels -o mlp --encoder kmer --hidden 64,32 --epochs 3 --split block --learning-rate
    2e-3 --mark-dimension 4
train {chr22} labels -o undersampled --encoder kmer --hidden 64,32 --epochs 2 --members 2 --loss
    undersampled
train {chr22} labels -o spectra --model spectra --epochs 2 --members 2 --split block --loss plain
evaluate mlp {chr22} labels -o mlp-evaluation
evaluate spectra {chr22} labels -o spectra-evaluation --rows all --beside undersampled
predict {chr22} -o mlp-scores --bundle mlp
tracks demo demo_data/genome.fa.gz -o demo-hub --assembly hg38
scatter {chr22} -o shards --bundle human-promoter --shard-bases 6000000
predict shards/shards/0001.tsv {chromosome} -o part1
predict shards/shards/0002.tsv {chromosome} -o part2
predict shards/shards/0003.tsv {chromosome} -o part3
gather shards part1 part2 part3 -o gathered
convert yeast -o yeast.parquet
summary demo chr22 mlp-evaluation -o multiqc
"""


def main() -> None:
    """Parse and do."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    digest = verbs.add_parser("digest", help="run the verbs and list the digests")
    digest.add_argument("--data", type=Path, required=True, help="folder with human/ and yeast/")
    digest.add_argument("--python", default=sys.executable, help="with all extras installed")
    digest.add_argument("--checkout", type=Path, required=True, help="checkout to run")
    digest.add_argument("-o", "--out", type=Path, required=True, help="TSV of file and sha256")
    digest.add_argument("--keep", type=Path, help="folder for the outputs; it is kept")
    compare = verbs.add_parser("compare", help="show which files differ")
    compare.add_argument("before", type=Path)
    compare.add_argument("after", type=Path)
    options = parser.parse_args()
    if options.verb == "compare":
        sys.exit(compared(options.before, options.after))
    if options.keep:
        run(options, options.keep)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            run(options, Path(scratch))


def run(options: argparse.Namespace, folder: Path) -> None:
    """Run all commands in `folder` and write their digests."""
    folder.mkdir(parents=True, exist_ok=True)
    checkout = options.checkout.resolve()
    # Inputs have the same relative names for all checkouts: records hold paths.
    link(folder / "demo_data", checkout / "test-data" / "human-chr22-20M")
    link(folder / "chr22_data", options.data.resolve() / "human" / "chr22")
    yeast = folder / "yeast_data"
    yeast.mkdir(exist_ok=True)
    source = options.data.resolve() / "yeast"
    link(yeast / "sacCer3_ares_v15.gtf", source / "sacCer3_ares_v15.gtf")
    link(yeast / "genes.bed", source / "Improved_annotation_for_Scerevisiae.bed")
    (yeast / "genome.fa").write_bytes(gzip.decompress((source / "sacCer3.fa.gz").read_bytes()))
    peaks = sorted((folder / "chr22_data" / "peaks").glob("H3K*.bed.gz"))
    places = {
        "demo": "demo_data/genes.gtf.gz demo_data/genome.fa.gz",
        "rows": "demo_data/genes.bed demo_data/genome.fa.gz",
        "chr22": f"{GENES} {CHROMOSOME}",
        "genes": GENES,
        "chromosome": CHROMOSOME,
        "yeast": "yeast_data/genes.bed yeast_data/genome.fa",
        "exons": "yeast_data/sacCer3_ares_v15.gtf yeast_data/genome.fa",
        "peaks": shlex.join(
            str(path.relative_to(folder)) for path in peaks if path.name.count(".") >= 3
        ),
    }
    environment = os.environ | {"PYTHONPATH": str(checkout), "HISTPRED_CACHE": "cache"}
    for line in re.sub(r"\n +", " ", COMMANDS).strip().splitlines():
        arguments = shlex.split(line.format(**places))
        print(" ".join(arguments)[:120], file=sys.stderr)
        subprocess.run(
            [options.python, "-m", "histpred", *arguments],
            cwd=folder,
            env=environment,
            check=True,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    rows = [f"{name}\t{value}\n" for name, value in digests(folder)]
    options.out.write_text("".join(rows), encoding="utf-8")


def link(path: Path, target: Path) -> None:
    """A link at `path`, unless it is there."""
    if not path.is_symlink():
        path.symlink_to(target)


def digests(folder: Path) -> Iterator[tuple[str, str]]:
    """The outputs in `folder`, sorted, and the sha256 of each."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        inside = {"demo_data", "chr22_data", "yeast_data", "cache", "store"} & set(name.parts)
        if inside or not path.is_file() or path.suffix in PAGES:
            continue
        content = path.read_bytes()
        if path.suffix == ".json":
            content = json.dumps(bare(json.loads(content)), sort_keys=True).encode()
        yield str(name), hashlib.sha256(content).hexdigest()


def bare(value: object) -> object:
    """A JSON value without what changes from run to run, and without words."""
    if isinstance(value, dict):
        return {key: bare(inner) for key, inner in value.items() if key not in LEFT_OUT}
    if isinstance(value, list):
        return [bare(inner) for inner in value]
    return value


def compared(before: Path, after: Path) -> int:
    """Print the files that differ; returns the exit code."""
    old, new = (
        dict(line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
        for path in (before, after)
    )
    different = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    for name in different:
        state = "missing" if name not in new else "new" if name not in old else "differs"
        print(f"{state}\t{name}")
    print(f"{len(old)} files before, {len(new)} after, {len(different)} differ")
    return bool(different)


if __name__ == "__main__":
    main()
