"""The promises of `histpred variants`: effects are those of changed genomes, every ALT once."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from collections import defaultdict

import numpy as np
import pysam
import pytest

from histpred.bundle.encoding import bundle_encoder
from histpred.core.errors import InputError, OutputError, UsageError
from histpred.core.execution import Execution
from histpred.genome.request import Request
from histpred.scoring.frames import read_frame
from histpred.scoring.predict import predict
from histpred.scoring.tables import SCORES

pytest.importorskip("torch", reason="needs torch")

from support import write_bed, write_fasta
from support.command_line import contents
from support.variant_runs import FILES, GENES, KNOWN, VariantInputs
from support.variants import read_effects, read_variants_ledger, vcf_text


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return VariantInputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def done(inputs, tmp_path_factory):
    out = tmp_path_factory.mktemp("done") / "out"
    return out, inputs.run(out)


def scores_of(inputs, folder, genome, rows=GENES):
    """The probabilities of each gene in a genome, by its name."""
    folder.mkdir()
    write_fasta(folder / "g.fa", genome)
    write_bed(folder / "rows.bed", rows)
    choice = bundle_encoder(inputs.bundle)
    predict(Request(str(folder / "rows.bed"), str(folder / "g.fa")), choice, folder / "out")
    table = read_frame(folder / "out" / SCORES).set_index("name")
    return table[list(KNOWN)]


def test_effects_are_the_differences_between_genomes(inputs, done, tmp_path):
    """Each allele is put into the genome; genes behind it move, and keep their TSS."""
    by_variant = defaultdict(dict)
    for row in read_effects(done[0] / "effects.tsv.gz"):
        by_variant[row["id"]][row["window"]] = row
    own, compared = scores_of(inputs, tmp_path / "own", inputs.genome), 0
    for number, (chrom, position, ref, alt) in enumerate(inputs.variants, 1):
        rows = by_variant[f"v{number}"]
        start, gain = position - 1, len(alt) - len(ref)
        bases = inputs.genome[chrom]
        genome = {**inputs.genome, chrom: bases[:start] + alt + bases[start + len(ref) :]}
        genes = []
        for gene in GENES:
            tss = gene[1] if gene[5] == "+" else gene[2] - 1
            if gene[0] != chrom or start + len(ref) <= tss - 210 or start > tss + 210:
                assert gene[3] not in rows or gene[0] == chrom
            moved = gain if gene[0] == chrom and start + len(ref) <= tss else 0
            if gene[0] == chrom and start <= tss < start + len(ref) and gain:
                continue
            if gene[3] in rows:
                genes.append((chrom, gene[1] + moved, gene[2] + moved, *gene[3:]))
        if not genes:
            continue
        changed = scores_of(inputs, tmp_path / f"v{number}", genome, genes)
        for gene in genes:
            row = rows[gene[3]]
            tss = gene[1] if gene[5] == "+" else gene[2] - 1
            for mark in KNOWN:
                before, after = own.loc[gene[3], mark], changed.loc[gene[3], mark]
                assert float(row[f"{mark}.ref"]) == pytest.approx(before, abs=1e-5)
                assert float(row[f"{mark}.alt"]) == pytest.approx(after, abs=2e-5)
                odds = np.log(after / (1 - after)) - np.log(before / (1 - before))
                assert float(row[f"{mark}.delta"]) == pytest.approx(odds, abs=5e-5)
                compared += abs(odds) > 5e-4
            assert {row[f"H3K27me3.{part}"] for part in ("ref", "alt", "delta", "rank")} == {"NA"}
    assert compared > 30


def test_distances_are_from_the_tss_along_the_strand(inputs, done):
    ends = {gene[3]: (gene[1], 1) if gene[5] == "+" else (gene[2] - 1, -1) for gene in GENES}
    rows = read_effects(done[0] / "effects.tsv.gz")
    for row in rows:
        if len(row["ref"]) == len(row["alt"]) == 1:
            tss, sign = ends[row["window"]]
            assert int(row["distance"]) == sign * (int(row["pos"]) - 1 - tss)
    assert min(int(row["distance"]) for row in rows) < 0


def test_every_window_that_reads_a_place_is_there(inputs, done):
    expected = set()
    for number, (chrom, position, ref, alt) in enumerate(inputs.variants, 1):
        for gene in GENES:
            tss = gene[1] if gene[5] == "+" else gene[2]
            left, right = max(0, tss - 200), min(tss + 200, len(inputs.genome[chrom]))
            if gene[0] == chrom and len(ref) == len(alt) == 1 and left <= position - 1 < right:
                expected.add((f"v{number}", gene[3]))
    found = {
        (row["id"], row["window"])
        for row in read_effects(done[0] / "effects.tsv.gz")
        if len(row["ref"]) == len(row["alt"]) == 1
    }
    assert found == expected


def test_the_folder_holds_its_files_and_the_ledger_every_alt(inputs, done):
    out, result = done
    assert set(contents(out)) == FILES
    ledger = read_variants_ledger(out / "variants.ledger.tsv")
    places = [(row["chrom"], int(row["pos"]), row["ref"], row["alt"]) for row in ledger]
    assert places == inputs.variants
    scored = {row["id"] for row in read_effects(out / "effects.tsv.gz")}
    assert {row["id"] for row in ledger if row["status"] == "scored"} == scored
    assert {row["reason"] for row in ledger if row["status"] == "skipped"} >= {
        "outside-all-windows"
    }
    assert result.scored == len(scored)
    assert result.scored + sum(result.skipped.values()) == result.alleles == 60


def test_the_vcf_is_the_input_with_one_more_entry(inputs, done):
    with gzip.open(done[0] / "variants.vcf.gz", "rt") as lines:
        found = lines.read().splitlines()
    (added,) = [line for line in found if line.startswith("##INFO=<ID=HISTPRED,")]
    found.remove(added)
    bare = [line.partition(";HISTPRED=")[0] for line in found]
    assert bare == inputs.vcf.read_text().splitlines()
    entries = {
        line.split("\t")[2]: line.rpartition("HISTPRED=")[2] for line in found if "HISTPRED" in line
    }
    best = {}
    for row in read_effects(done[0] / "effects.tsv.gz"):
        for mark in KNOWN:
            delta = float(row[f"{mark}.delta"])
            if abs(delta) > abs(best.get(row["id"], ("", "", 0.0))[2]):
                best[row["id"]] = row["window"].replace(";", "%3B").replace("=", "%3D"), mark, delta
    assert len(entries) == done[1].scored
    for name, (window, mark, delta) in best.items():
        assert entries[name].split("|")[:2] == [window, mark]
        assert float(entries[name].split("|")[2]) == delta


@pytest.mark.skipif(shutil.which("bcftools") is None, reason="needs the program bcftools")
def test_bcftools_reads_the_vcf_and_the_index(done):
    path = done[0] / "variants.vcf.gz"
    view = ["bcftools", "query", "-r", "chr1:800-1200", "-f", "%POS %INFO/HISTPRED\n", path]
    told = subprocess.run(view, check=True, capture_output=True, text=True)
    assert "[W::" not in told.stderr
    with gzip.open(path, "rt") as lines:
        fields = [line.split("\t") for line in lines if line.startswith("chr1\t")]
    inside = [
        int(one[1]) for one in fields if int(one[1]) <= 1200 and int(one[1]) + len(one[3]) > 800
    ]
    assert [int(line.split()[0]) for line in told.stdout.splitlines() if line != "."] == inside


def test_tabix_finds_effects_by_the_position_of_the_vcf(done):
    rows = read_effects(done[0] / "effects.tsv.gz")
    with pysam.TabixFile(str(done[0] / "effects.tsv.gz")) as table:
        for row in rows[::7]:
            at = int(row["pos"])
            found = {line.split("\t")[2] for line in table.fetch(row["#chrom"], at - 1, at)}
            assert row["id"] in found


def test_ranks_are_shares_of_the_background(inputs, done, tmp_path):
    """Ranks of the same effects among many more substitutions are about the same."""
    inputs.run(tmp_path / "more", background=400)
    inputs.run(tmp_path / "none", background=0)
    more, none = (read_effects(tmp_path / name / "effects.tsv.gz") for name in ("more", "none"))
    few = read_effects(done[0] / "effects.tsv.gz")
    assert {row["H3K27ac.rank"] for row in none} == {"NA"}
    apart = [
        float(a["H3K27ac.rank"]) - float(b["H3K27ac.rank"]) for a, b in zip(few, more, strict=True)
    ]
    assert np.abs(apart).mean() < 0.15
    for one, other in zip(few, none, strict=True):
        assert {**one, "H3K27ac.rank": "NA", "H3K4me3.rank": "NA"} == other
    ranks = [float(row["H3K27ac.rank"]) for row in few]
    assert min(ranks) < 0.3
    assert max(ranks) > 0.7


def test_every_form_of_the_vcf_gives_the_same_effects(inputs, done, tmp_path):
    pysam.tabix_compress(str(inputs.vcf), str(tmp_path / "a.vcf.gz"))
    with (
        pysam.VariantFile(str(inputs.vcf)) as source,
        pysam.VariantFile(str(tmp_path / "b.bcf"), "wb", header=source.header) as target,
    ):
        for record in source:
            target.write(record)
    expected = contents(done[0])
    for name in ("a.vcf.gz", "b.bcf"):
        inputs.run(tmp_path / "out", tmp_path / name, execution=Execution(overwrite=True))
        found = contents(tmp_path / "out")
        for file in ("effects.tsv.gz", "effects.tsv.gz.tbi", "variants.ledger.tsv", "ledger.tsv"):
            assert found[file] == expected[file], (name, file)


def test_parts_of_a_vcf_give_the_rows_of_the_whole(inputs, done, tmp_path):
    """Neither the background nor the order of windows depends on the other variants."""
    header, rows = [], []
    for line in inputs.vcf.read_text().splitlines():
        (header if line.startswith("#") else rows).append(line)
    found = []
    for number, some in enumerate((rows[:17], rows[17:])):
        part = tmp_path / f"{number}.vcf"
        part.write_text("\n".join([*header, *some]) + "\n")
        inputs.run(tmp_path / str(number), part)
        found += read_effects(tmp_path / str(number) / "effects.tsv.gz")
    assert found == read_effects(done[0] / "effects.tsv.gz")


def test_a_failed_run_publishes_nothing_and_the_next_one_all(inputs, done, tmp_path, monkeypatch):
    def fail(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("histpred.scoring.variants.write_tables", fail)
    with pytest.raises(Exception, match="full"):
        inputs.run(tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.undo()
    inputs.run(tmp_path / "out")
    names = FILES - {"variants.json"}
    assert {name: contents(tmp_path / "out")[name] for name in names} == {
        name: contents(done[0])[name] for name in names
    }


def test_only_the_marks_that_are_asked_for_are_there(inputs, done, tmp_path):
    inputs.run(tmp_path / "out", marks=("H3K4me3",))
    rows = read_effects(tmp_path / "out" / "effects.tsv.gz")
    for row, whole in zip(rows, read_effects(done[0] / "effects.tsv.gz"), strict=True):
        assert row == {name: whole[name] for name in row}
        assert not [name for name in row if name.startswith("H3K27")]
    with pytest.raises(UsageError, match="does not score H3K9me3"):
        inputs.run(tmp_path / "other", marks=("H3K9me3",))


def test_whatever_cannot_be_scored_is_in_the_ledger_with_its_reason(inputs, tmp_path):
    bases = inputs.genome["chr1"]
    (first, last), length = (bases[0], bases[-1]), len(bases)
    tss = 900
    given = [
        ("chr1", 0, "N", "A", "outside-the-contig"),
        ("chr1", 1, first, "ACGT".replace(first, "")[0], ""),
        ("chr1", 5, bases[4], "<DEL>", "symbolic"),
        ("chr1", 5, bases[4], f"{bases[4]}]chr2:7]", "breakend"),
        ("chr1", 5, bases[4], "*", "overlapping-deletion"),
        ("chr1", 5, bases[4], "N", "not-acgt"),
        ("chr1", 5, bases[4], ".", "no-alt"),
        ("chr1", 850, bases[849:1250], bases[849], ""),
        ("chr1", 851, bases[850:1200], bases[850], "removes-the-tss"),
        ("chr1", tss, bases[tss - 1 : tss + 3], bases[tss - 1], "removes-the-tss"),
        ("chr1", tss, bases[tss - 1 : tss + 3], "ACGT", ""),
        ("chr1", length, last, "ACGT".replace(last, "")[0], "outside-all-windows"),
        ("chr7", 5, "A", "C", "unknown-contig"),
    ]
    path, out = tmp_path / "a.vcf", tmp_path / "out"
    path.write_text(vcf_text([one[:4] for one in given]))
    inputs.run(out, path)
    ledger = read_variants_ledger(out / "variants.ledger.tsv")
    found = [row["reason"] for row in ledger]
    expected = [one[4] for one in given]
    assert found == expected
    # A deletion longer than a chunk of 400 bp removes one TSS, and the other end gives way.
    assert all("removes-the-tss" in ledger[number]["note"] for number in (7, 8, 9))
    with gzip.open(out / "variants.vcf.gz", "rt") as lines:
        tagged = ["HISTPRED" in line for line in lines if not line.startswith("#")]
    assert tagged == [row["status"] == "scored" for row in ledger]


def test_each_alt_of_a_record_is_scored_alone(inputs, tmp_path):
    bases = inputs.genome["chr1"]
    ref = bases[899]
    others = "ACGT".replace(ref, "")
    alone = [("chr1", 900, ref, alt) for alt in others]
    (tmp_path / "alone.vcf").write_text(vcf_text(alone))
    together = vcf_text([("chr1", 900, ref, f"{others[0]},<DEL>,{others[1]},{others[2]}")])
    (tmp_path / "together.vcf").write_text(together)
    rows = []
    for name in ("alone", "together"):
        inputs.run(tmp_path / name, tmp_path / f"{name}.vcf")
        found = read_effects(tmp_path / name / "effects.tsv.gz")
        rows.append([{**row, "id": ""} for row in found])
    assert rows[0] == rows[1]
    with gzip.open(tmp_path / "together" / "variants.vcf.gz", "rt") as lines:
        *_, line = lines
    entry = line.rstrip("\n").rpartition("HISTPRED=")[2].split(",")
    assert [one == "." for one in entry] == [False, True, False, False]


def test_genotypes_are_kept_and_not_read(inputs, tmp_path):
    text = inputs.vcf.read_text().splitlines()
    more = [
        line
        if line.startswith("##")
        else f"{line}\tFORMAT\ta\tb"
        if line.startswith("#")
        else f"{line}\tGT:X\t0|1:?\tnonsense"
        for line in text
    ]
    (tmp_path / "a.vcf").write_text("\n".join(more) + "\n")
    inputs.run(tmp_path / "out", tmp_path / "a.vcf")
    with gzip.open(tmp_path / "out" / "variants.vcf.gz", "rt") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines if not line.startswith("#")]
    assert {tuple(row[8:]) for row in rows} == {("GT:X", "0|1:?", "nonsense")}
    assert len(rows) == 60


def test_a_vcf_without_variants_gives_empty_files(inputs, tmp_path):
    (tmp_path / "a.vcf").write_text(vcf_text([]))
    result = inputs.run(tmp_path / "out", tmp_path / "a.vcf")
    assert (result.alleles, result.effects, result.resolution) == (0, 0, None)
    assert read_effects(tmp_path / "out" / "effects.tsv.gz") == []
    assert set(contents(tmp_path / "out")) == FILES


def test_an_input_is_never_overwritten(inputs, tmp_path):
    out = tmp_path / "out"
    inputs.run(out)
    with pytest.raises(OutputError, match="is an input too"):
        inputs.run(out, out / "variants.vcf.gz", execution=Execution(overwrite=True))


def test_a_vcf_that_was_annotated_is_refused(inputs, done, tmp_path):
    with pytest.raises(InputError, match="INFO/HISTPRED is there already"):
        inputs.run(tmp_path / "out", done[0] / "variants.vcf.gz")
    assert not (tmp_path / "out").exists()
