"""The script that makes the default bundle, on a small made-up chromosome."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest

for package in ("torch", "sklearn", "matplotlib", "onnx"):
    pytest.importorskip(package, reason="needs the extra train")

from histpred.bundle.folder import load_bundle  # noqa: E402
from histpred.scoring.verify import verify  # noqa: E402

SCRIPTS = Path(__file__).resolve().parents[2] / "training"
LENGTH, FIRST, END, BIN = 240_000, 20_000, 220_000, 200  # bp
SAMPLES = 4
BLOCKS = ((20_000, 120_000), (120_000, 220_000))


@pytest.fixture
def scripts(monkeypatch):
    """The folder of the scripts as it is when one of them runs; its modules are forgotten after."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(SCRIPTS)
    yield SCRIPTS
    for name in set(sys.modules) - before:
        origin = getattr(sys.modules[name], "__file__", None)
        if origin and Path(origin).parent == SCRIPTS:
            del sys.modules[name]


def write_human(folder: Path, marks: tuple[str, ...], further: tuple[str, ...]) -> None:
    """A folder human whose marks follow the share of C and G, with noise."""
    rng = np.random.default_rng(0)
    gc = np.repeat(rng.random(LENGTH // 1000), 1000)
    strong = rng.random(LENGTH) < 0.2 + 0.6 * gc
    bases = np.where(strong, rng.choice(list("CG"), LENGTH), rng.choice(list("AT"), LENGTH))
    bases[:5_000] = "N"
    chr22 = folder / "chr22"
    (chr22 / "peaks").mkdir(parents=True)
    (chr22 / "peaks" / "H3K4me3.ENCFF001AAA.bed.gz").touch()
    plain = chr22 / "hg19.chr22.fa"
    plain.write_text(f">chr22\n{''.join(bases)}\n")
    pysam.tabix_compress(str(plain), f"{plain}.gz")

    def labels_at(position: np.ndarray) -> dict[str, np.ndarray]:
        noise = rng.normal(0, 0.3, (len(position), len(marks)))
        samples = np.round(np.clip(gc[position][:, None] + noise, 0, 1) * SAMPLES).astype(int)
        counts = {f"n.{mark}": samples[:, i] for i, mark in enumerate(marks)}
        return counts | {f"c25.{mark}": (samples[:, i] > 2) * 1 for i, mark in enumerate(marks)}

    def write(columns: dict[str, object], name: str) -> None:
        pd.DataFrame(columns).to_csv(folder / name, sep="\t", index=False)

    start = np.arange(FIRST, END, BIN)
    tiles = {"chrom": "chr22", "start": start, "end": start + BIN} | labels_at(start)
    write(tiles, "chr22/labels_tiles.tsv.gz")
    tss = rng.integers(FIRST, END, 100)
    kinds = {
        "strand": rng.choice(["+", "-"], len(tss)),
        "biotype": rng.choice(["protein_coding", "lncRNA"], len(tss)),
    }
    write({"chrom": "chr22", "tss": tss} | kinds | labels_at(tss), "chr22/labels_genes.tsv.gz")

    place = rng.integers(FIRST, END, 300)
    signal = 4 * gc[place][:, None] + rng.normal(0, 1, (300, len(marks) + len(further))) - 1.5
    signal = pd.DataFrame(signal.clip(0), columns=[*marks, *further])
    region = {
        "set": "lncrna-exon1",
        "id": np.arange(300),
        "gene_id": "gene",
        "chrom": np.where(np.arange(300) < 120, "chr22", "chr1"),
        "start1": place + 1,
    }
    sequence = {"sequence": ["".join(bases[first : first + 130]) for first in place]}
    present = dict((signal > 0).astype(int))
    write(region | sequence | present, "regions_33marks.tsv.gz")
    write(region | dict(signal), "regions_33marks.maxsignal.tsv.gz")


def test_the_script_makes_a_bundle_that_can_be_loaded(scripts, tmp_path):
    import human_promoter
    from members import MEMBER, REGION_MEMBER, SCORER, Plan
    from regions import FURTHER
    from samples import MARKS

    write_human(tmp_path / "human", MARKS, FURTHER)
    plan = Plan(
        blocks=BLOCKS,
        stretch=BLOCKS[1],
        gap=2_000,
        members=(1, 1, 1),
        member=MEMBER._replace(epochs=1),
        region_member=REGION_MEMBER._replace(epochs=1),
        scorer=SCORER._replace(epochs=1),
        bootstraps=10,
    )
    human_promoter.make(tmp_path / "human", tmp_path / "human-promoter", plan)

    bundle = load_bundle(tmp_path / "human-promoter")
    assert bundle.manifest.mark_names == MARKS
    assert {mark.name for mark in bundle.manifest.interval.marks} >= set(MARKS)
    assert bundle.manifest.window.shown == 2_000
    assert set(bundle.manifest.metrics) >= {"tiles", "genes"}
    assert bundle.manifest.training.counts["tiles trained on"] == (END - FIRST) // BIN
    assert verify(bundle) < 1e-4
    card = bundle.card_path.read_text(encoding="utf-8")
    assert "ENCFF001AAA" in card
    assert "{members}" not in card
