"""The script that makes the default bundle, on two small made-up chromosomes."""

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
LENGTH, FIRST, END, BIN = 160_000, 20_000, 140_000, 200  # bp
SAMPLES = 4
CHROMOSOMES = ("chr22", "chr20")


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
    parts = [
        write_chromosome(folder, name, np.random.default_rng(seed), marks)
        for seed, name in enumerate(CHROMOSOMES)
    ]
    rng = np.random.default_rng(9)
    chosen = rng.integers(0, 2, 400)
    place = rng.integers(FIRST, END, 400)
    gc = np.array([parts[which][1][at] for which, at in zip(chosen, place, strict=True)])
    signal = 4 * gc[:, None] + rng.normal(0, 1, (400, len(marks) + len(further))) - 1.5
    signal = pd.DataFrame(signal.clip(0), columns=[*marks, *further])
    here = np.arange(400) < 200
    region = {
        "set": "lncrna-exon1",
        "id": np.arange(400),
        "gene_id": "gene",
        "chrom": np.where(here, np.array(CHROMOSOMES)[chosen], "chr1"),
        "start1": place + 1,
    }
    bases = [parts[which][0][at : at + 130] for which, at in zip(chosen, place, strict=True)]
    sequence = {"sequence": ["".join(each) for each in bases]}
    present = dict((signal > 0).astype(int))
    write(folder, region | sequence | present, "regions_33marks.tsv.gz")
    write(folder, region | dict(signal), "regions_33marks.maxsignal.tsv.gz")


def write(folder: Path, columns: dict[str, object], name: str) -> None:
    pd.DataFrame(columns).to_csv(folder / name, sep="\t", index=False)


def write_chromosome(
    folder: Path, name: str, rng: np.random.Generator, marks: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """A chromosome with its labels; returns its bases and the share of C and G along it."""
    gc = np.repeat(rng.random(LENGTH // 8_000), 8_000)
    strong = rng.random(LENGTH) < 0.2 + 0.6 * gc
    bases = np.where(strong, rng.choice(list("CG"), LENGTH), rng.choice(list("AT"), LENGTH))
    bases[:5_000] = "N"
    own = folder / name
    (own / "peaks").mkdir(parents=True)
    (own / "peaks" / f"H3K4me3.ENCFF001AA{'ABC'[int(name[-1])]}.bed.gz").touch()
    plain = own / f"hg19.{name}.fa"
    plain.write_text(f">{name}\n{''.join(bases)}\n")
    pysam.tabix_compress(str(plain), f"{plain}.gz")

    def labels_at(position: np.ndarray) -> dict[str, np.ndarray]:
        noise = rng.normal(0, 0.2, (len(position), len(marks)))
        samples = np.round(np.clip(gc[position][:, None] + noise, 0, 1) * SAMPLES).astype(int)
        counts = {f"n.{mark}": samples[:, i] for i, mark in enumerate(marks)}
        counts |= {f"c25.{mark}": (samples[:, i] > 2) * 1 for i, mark in enumerate(marks)}
        return counts | {f"{marks[0]}.sample{i}": counts[f"n.{marks[0]}"] > i for i in range(12)}

    start = np.arange(FIRST, END, BIN)
    tiles = {"chrom": name, "start": start, "end": start + BIN} | labels_at(start)
    write(own, tiles, "labels_tiles.tsv.gz")
    tss = rng.integers(FIRST, END, 120)
    kinds = {
        "strand": rng.choice(["+", "-"], len(tss)),
        "biotype": rng.choice(["protein_coding", "lncRNA"], len(tss), p=[0.3, 0.7]),
    }
    write(own, {"chrom": name, "tss": tss} | kinds | labels_at(tss), "labels_genes.tsv.gz")
    return bases, gc


def once(function):
    """Return a function that calls this one once, and then returns the same again."""
    found = []

    def returned(*arguments):
        if not found:
            found.append(function(*arguments))
        return found[0]

    return returned


def test_the_script_makes_a_bundle_that_can_be_loaded(scripts, tmp_path, monkeypatch):
    import human_promoter
    from blocks import Block
    from members import MEMBER, REGION_MEMBER, SCORER, Plan
    from regions import FURTHER
    from samples import MARKS

    write_human(tmp_path / "human", MARKS, FURTHER)
    folds = tuple(
        tuple(Block(name, start, start + 60_000) for name in CHROMOSOMES)
        for start in (20_000, 80_000)
    )
    plan = Plan(
        folds=folds,
        ways=((Block("chr22", 0, LENGTH),), (Block("chr20", 0, LENGTH),)),
        gap=2_000,
        members=(1, 1),
        member=MEMBER._replace(epochs=10),
        region_member=REGION_MEMBER._replace(epochs=1),
        scorer=SCORER._replace(epochs=10, batch=64),
        bootstraps=10,
    )
    # The labels are made from GC.
    monkeypatch.setattr("held_out.TO_BEAT", ())
    monkeypatch.setattr("tables.DRAWS", 5)
    # Pictures take a while. Those of the first run are used again.
    monkeypatch.setattr("human_promoter.pictures_of", once(human_promoter.pictures_of))
    work = tmp_path / "work"
    human_promoter.make(tmp_path / "human", tmp_path / "human-promoter", plan, work)

    bundle = load_bundle(tmp_path / "human-promoter")
    manifest = bundle.manifest
    assert {mark.name for mark in manifest.marks} == set(MARKS)
    assert {mark.name for mark in manifest.interval.marks} >= set(MARKS)
    assert manifest.window.shown == 2_000
    assert set(manifest.metrics) >= {"tiles", "genes"}
    assert {*manifest.metrics["genes"].marks["H3K4me3"].baselines} >= {"GC", "CpG o/e"}
    assert manifest.training.counts["tiles trained on"] == 2 * (END - FIRST) // BIN
    assert {mark.needed_samples for mark in manifest.marks} == {2, 3}
    assert manifest.known_answer.probabilities  # some mark is predicted
    assert verify(bundle) < 1e-4
    assert len(list(work.iterdir())) == len(folds) + 2 + 1
    card = bundle.card_path.read_text(encoding="utf-8")
    assert "ENCFF001AAA, ENCFF001AAC" in card
    assert "{members}" not in card

    # What an interrupted run left is used again.
    monkeypatch.setattr("held_out.train", None)
    monkeypatch.setattr("human_promoter.train", None)
    human_promoter.make(tmp_path / "human", tmp_path / "again", plan, work)
    assert load_bundle(tmp_path / "again").digest == bundle.digest
