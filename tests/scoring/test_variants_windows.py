"""Alleles in tiles and in windows read in several pieces, with bundles that have such."""

from __future__ import annotations

import random

import pytest

from histpred.bundle.encoding import bundle_encoder
from histpred.bundle.folder import load_bundle
from histpred.encoders.chunks import ChunkPolicy
from histpred.genome.request import Request
from histpred.scoring.frames import read_frame
from histpred.scoring.predict import predict
from histpred.scoring.tables import SCORES
from histpred.scoring.variants import VariantOptions, variants

pytest.importorskip("torch", reason="needs torch")

from support import random_genome, write_bed, write_fasta
from support.random_bundle import random_bundle
from support.variants import random_variants, read_effects, read_variants_ledger, vcf_text

LENGTH = 45_050  # its last tile is shorter
TILE = 200
GENES = [("chr1", 20_000, 24_000, "gene", 0, "-")]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A genome with a stretch of N, a gene, and variants at both ends and in between."""
    folder = tmp_path_factory.mktemp("inputs")
    rng = random.Random(1)
    bases = random_genome(rng, {"chr1": LENGTH})["chr1"]
    bases = f"{bases[:9000]}{'N' * 390}{bases[9390:]}"
    genome = {"chr1": bases}
    write_fasta(folder / "g.fa", genome)
    write_bed(folder / "rows.bed", GENES)
    found = {
        ("chr1", 1, bases[0], "AC"),
        ("chr1", LENGTH, bases[-1], "ACGT".replace(bases[-1], "")[0]),
    }
    found |= {("chr1", 9000, bases[8999], "ACGT".replace(bases[8999], "")[0])}
    found |= {("chr1", 9395, bases[9394], "ACGT".replace(bases[9394], "")[0])}
    found |= set(random_variants(rng, genome, 12)) | {
        ("chr1", 30_150, bases[30_149:30_260], bases[30_149])
    }
    (folder / "a.vcf").write_text(vcf_text(sorted(found, key=lambda one: one[1])))
    return folder, bases


@pytest.fixture(scope="module")
def done(inputs, tmp_path_factory):
    folder, _ = inputs
    out = tmp_path_factory.mktemp("done") / "out"
    request = Request(str(folder / "rows.bed"), str(folder / "g.fa"))
    result = variants(
        str(folder / "a.vcf"), request, bundle_encoder(load_bundle()), out, VariantOptions(10)
    )
    return out, result


def scored(folder, bases, rows):
    """The probabilities of intervals in a genome, by name."""
    folder.mkdir()
    write_fasta(folder / "g.fa", {"chr1": bases})
    write_bed(folder / "rows.bed", rows)
    choice = bundle_encoder(load_bundle(), "interval")
    predict(Request(str(folder / "rows.bed"), str(folder / "g.fa")), choice, folder / "out")
    return read_frame(folder / "out" / SCORES).set_index("name")


def test_an_allele_is_scored_in_the_tiles_where_it_begins_and_ends(inputs, done, tmp_path):
    _, bases = inputs
    rows = [row for row in read_effects(done[0] / "effects.tsv.gz") if ":" in row["window"]]
    places, changed, over = {}, 0, set()
    for row in rows:
        first = int(row["pos"]) - (len(row["ref"]) == len(row["alt"]))
        last = max(first, int(row["pos"]) + len(row["ref"]) - 2)
        start = first // TILE * TILE
        if row["window"] != f"chr1:{start}-{start + TILE}":
            start = last // TILE * TILE
            over.add(row["id"])
        assert row["window"] == f"chr1:{start}-{start + TILE}"
        end = min(start + TILE, LENGTH)
        if len(row["ref"]) == len(row["alt"]):
            assert int(row["distance"]) == int(row["pos"]) - 1 - (start + end) // 2
        places[row["window"]] = ("chr1", start, end, row["window"], 0, "+")
    (deletion,) = over
    both = [row for row in rows if row["id"] == deletion]
    assert [int(row["distance"]) for row in both] == [50, -150]
    own = scored(tmp_path / "own", bases, list(places.values()))
    for number, row in enumerate(rows):
        at, name = int(row["pos"]) - 1, row["window"]
        genome = bases[:at] + row["alt"] + bases[at + len(row["ref"]) :]
        if len(row["ref"]) != len(row["alt"]):
            continue
        found = scored(tmp_path / f"{number}", genome, [places[name]])
        for mark in ("H3K4me3", "H3K79me2", "H4K8ac"):
            assert float(row[f"{mark}.ref"]) == pytest.approx(own.loc[name, mark], abs=1e-5)
            assert float(row[f"{mark}.alt"]) == pytest.approx(found.loc[name, mark], abs=1e-5)
            changed += abs(float(row[f"{mark}.delta"])) > 1e-4
    assert changed > 10


def test_marks_that_a_window_lacks_are_na(done):
    rows = read_effects(done[0] / "effects.tsv.gz")
    genes = [row for row in rows if row["window"] == "gene"]
    assert genes
    for row in rows:
        for part in ("ref", "alt", "delta", "rank"):
            assert (row[f"H3K79me2.{part}"] == "NA") == (row["window"] == "gene")
            assert row[f"H3K4me3.{part}"] != "NA"
        # Windows come before the tile of the same allele.
    order = [(int(row["pos"]), ":" in row["window"]) for row in rows]
    assert order == sorted(order)


def test_a_tile_with_too_many_n_is_not_scored(inputs, done):
    ledger = read_variants_ledger(done[0] / "variants.ledger.tsv")
    tiles = {
        row["pos"]: row["window"]
        for row in read_effects(done[0] / "effects.tsv.gz")
        if ":" in row["window"]
    }
    assert "9000" in tiles
    assert "9395" not in tiles
    near = [row for row in ledger if row["pos"] == "9395"]
    assert [row["status"] for row in near] == ["scored"]  # in the gene's window
    assert done[1].scored == len(ledger)


def test_exons_are_read_in_pieces_and_splice_sites_are_not_crossed(tmp_path):
    rng = random.Random(2)
    bases = random_genome(rng, {"chr1": 2000})["chr1"]
    write_fasta(tmp_path / "g.fa", {"chr1": bases})
    lines = ['chr1\tx\ttranscript\t101\t900\t.\t+\t.\tgene_id "g"; transcript_id "t";']
    exons = [(101, 300), (601, 900)]
    for start, end in exons:
        lines.append(lines[0].replace("transcript\t101\t900", f"exon\t{start}\t{end}"))
    (tmp_path / "genes.gtf").write_text("\n".join(lines) + "\n")
    bundle = random_bundle(
        tmp_path / "bundle",
        "kmer",
        tmp_path,
        [],
        chunks=ChunkPolicy("window", 400),
        window={"kind": "spliced"},
    )
    other = str.maketrans("ACGT", "CGTA")
    given = [
        (position, bases[position - 1], bases[position - 1].translate(other))
        for position in (100, 101, 300, 301, 450, 601)
    ]
    given.append((295, bases[294:310], bases[294]))
    given.append((110, bases[109:114], bases[109]))
    vcf = vcf_text(("chr1", *one) for one in sorted(given))
    (tmp_path / "a.vcf").write_text(vcf)
    request = Request(str(tmp_path / "genes.gtf"), str(tmp_path / "g.fa"))
    variants(
        str(tmp_path / "a.vcf"),
        request,
        bundle_encoder(bundle),
        tmp_path / "out",
        VariantOptions(10),
    )
    ledger = read_variants_ledger(tmp_path / "out" / "variants.ledger.tsv")
    found = {row["pos"]: row["reason"] for row in ledger}
    nowhere, crossing = "outside-all-windows", "spans-a-splice-site"
    assert found == {
        **{"100": nowhere, "101": "", "110": "", "295": crossing, "300": ""},
        **{"301": nowhere, "450": nowhere, "601": ""},
    }
