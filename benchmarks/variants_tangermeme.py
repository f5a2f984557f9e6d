"""`histpred variants` beside tangermeme on the same toy network: the same results, and the speed.

    python benchmarks/variants_tangermeme.py

It needs torch, onnx and tangermeme (pip install tangermeme). The network is a small convolution
over 2 kb around the TSS, once as a bundle and once as the torch module that the bundle was made of.
tangermeme gets each window with each SNV as an example of its own. Both score every SNV in every
window that reads it, with both alleles. No network.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from tangermeme.variant_effect import substitution_effect
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from histpred.bundle.encoding import bundle_encoder  # noqa: E402
from histpred.bundle.folder import load_bundle  # noqa: E402
from histpred.encoders import ENCODERS, build  # noqa: E402
from histpred.encoders.chunks import ChunkPolicy  # noqa: E402
from histpred.encoders.embedder import embed_sequences  # noqa: E402
from histpred.genome.request import Request  # noqa: E402
from histpred.scoring.variants import VariantOptions, variants  # noqa: E402
from histpred.training.perceptron import MarkNetwork  # noqa: E402
from support import random_genome, write_bed, write_fasta  # noqa: E402
from support.random_bundle import MARKS, SEQUENCE, random_bundle  # noqa: E402
from support.variants import random_variants, read_effects, vcf_text  # noqa: E402

REACH, GENES, SNVS, WIDTH = 1_000, 20, 1_500, 32


class Toy(nn.Module):
    """A convolution over one-hot DNA, the largest value of each filter."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.Conv1d(4, WIDTH, 12)

    def forward(self, bases: torch.Tensor) -> torch.Tensor:
        """Embeddings of one-hot bases [n, 4, length]."""
        return torch.amax(torch.relu(self.filters(bases)), dim=2)


class OfCodes(nn.Module):
    """The same, of codes 0 to 4 (N)."""

    def __init__(self, toy: Toy) -> None:
        super().__init__()
        self.toy = toy

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Embeddings of codes [n, length]."""
        table = torch.eye(5)[:, :4]
        return self.toy(table[codes.to(torch.int64)].transpose(1, 2))


def network_of(folder: Path, toy: Toy) -> nn.Module:
    """Write the bundle into `folder`; the torch module that gives its logits."""
    weights = folder / "weights"
    weights.mkdir()
    codes = torch.zeros(2, 2 * REACH, dtype=torch.uint8)
    torch.onnx.export(
        OfCodes(toy),
        (codes,),
        str(weights / "encoder.onnx"),
        input_names=["codes"],
        output_names=["embedding"],
        dynamic_axes={"codes": {0: "n", 1: "length"}, "embedding": {0: "n"}},
        dynamo=False,
    )
    chunks = ChunkPolicy("window", 2 * REACH)
    window = {"kind": "promoter", "upstream": REACH, "downstream": REACH}
    random_bundle(
        folder / "bundle", "onnx", weights, ["encoder.onnx"], chunks=chunks, window=window
    )
    encoder = build(ENCODERS["onnx"], weights, "cpu")
    torch.manual_seed(0)  # as in `random_bundle`
    scorer = MarkNetwork(encoder.dimension, len(MARKS), (32, 16)).eval()
    rows = embed_sequences(encoder, chunks, [SEQUENCE.encode(), SEQUENCE[::-1].encode()])
    scorer.standardise_like(torch.from_numpy(np.vstack([rows, rows + 0.1])))
    return nn.Sequential(toy, scorer).eval()


def main() -> None:
    """Print the largest difference, and both times."""
    rng = random.Random(1)
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        network = network_of(folder, Toy().eval())
        genome = random_genome(rng, {"chr1": 3 * REACH * GENES})
        starts = {f"gene{gene}": (3 * gene + 1) * REACH for gene in range(GENES)}
        write_fasta(folder / "g.fa", genome)
        write_bed(
            folder / "genes.bed",
            [("chr1", at, at + 50, name, 0, "+") for name, at in starts.items()],
        )
        found = random_variants(rng, genome, SNVS)
        (folder / "a.vcf").write_text(vcf_text(found))
        choice = bundle_encoder(load_bundle(folder / "bundle"), weights=folder / "weights")
        request = Request(str(folder / "genes.bed"), str(folder / "g.fa"))
        started, used = time.time(), time.process_time()
        options = VariantOptions(0, True)
        variants(str(folder / "a.vcf"), request, choice, folder / "out", options)
        own = time.time() - started, time.process_time() - used
        rows = read_effects(folder / "out" / "effects.tsv.gz")

        started, used = time.time(), time.process_time()
        codes = np.frombuffer(genome["chr1"].encode(), np.uint8)
        hot = torch.from_numpy(np.stack([codes == ord(base) for base in "ACGT"]).astype(np.float32))
        lefts = [starts[row["window"]] - REACH for row in rows]
        windows = torch.stack([hot[:, left : left + 2 * REACH] for left in lefts])
        changes = torch.tensor(
            [
                (number, int(row["pos"]) - 1 - left, "ACGT".index(row["alt"]))
                for number, (row, left) in enumerate(zip(rows, lefts, strict=True))
            ]
        )
        before, after = substitution_effect(network, windows, changes, device="cpu")
        other = time.time() - started, time.process_time() - used
        deltas = (after - before).numpy()
    table = np.array([[float(row[f"{mark}.delta"]) for mark in MARKS] for row in rows])
    print(
        f"{len(rows):,} effects; largest difference {np.abs(table - deltas).max():.1e}, largest "
        f"effect {np.abs(deltas).max():.2f}"
    )
    print(f"histpred variants, from files to files: {own[0]:.1f} s, {own[1]:.1f} s of CPU time")
    print(f"tangermeme, from memory to memory: {other[0]:.1f} s, {other[1]:.1f} s of CPU time")


if __name__ == "__main__":
    main()
