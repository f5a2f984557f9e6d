"""The plan of an experiment: the genes that all configurations can score, and their splits."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from pathlib import Path

import pandas
import pytest

from histpred.core.journal import LOCK
from histpred.core.output import WORK
from histpred.experiments import plan as planning
from support.command_line import ROOT, histpred
from support.experiments import write_sheet
from support.labelled import write_labelled

DATA = ROOT / "test-data" / "human-chr22-20M"
NESTED = (
    "  - {name: narrow, encoder: kmer}\n  - {name: wide, encoder: kmer, window: 'context:350'}\n"
)


def rows_of(path: Path) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = pandas.read_csv(path, sep="\t", dtype=str).to_dict("records")
    return rows


def plan(folder: Path, *configurations: str, split: str = "random", **changes: str) -> Path:
    changes = {"splits: [random, chromosome]": f"splits: [{split}]"} | changes
    sheet = write_sheet(folder, "".join(configurations), **changes)
    done = histpred("experiment", sheet, "-o", folder / "out", "--plan")
    assert done.code == 0, done.err
    return folder / "out" / "plan"


def test_a_split_names_every_labelled_gene_once(tmp_path):
    data = write_labelled(tmp_path)
    rows = rows_of(plan(tmp_path, NESTED) / "random.tsv")
    assert sorted(row["id"] for row in rows) == sorted(f"made-up:{name}" for name in data.truth)
    counts = {name: sum(row["set"] == name for row in rows) for name in ("test", "validation")}
    assert counts == {"test": 36, "validation": 32}  # 10 % of 360, then 10 % of the rest


def test_a_split_by_locus_parts_the_widest_windows_of_all_configurations(tmp_path):
    """The windows of the narrow configuration do not overlap, those of the wide one do."""
    write_labelled(tmp_path)
    rows = rows_of(plan(tmp_path, NESTED, split="locus") / "locus.tsv")
    spans = [(row["chrom"], int(row["start"]), int(row["end"]), row["set"]) for row in rows]
    assert max(end - start for _, start, end, _ in spans) >= 450  # of the wide windows
    for chrom, start, end, name in spans:
        for other_chrom, other_start, other_end, other in spans:
            shared = chrom == other_chrom and start < other_end and other_start < end
            assert not shared or name == other


def test_genes_that_a_configuration_cannot_score_are_unused(tmp_path):
    data = write_labelled(tmp_path)
    # The first gene of each chromosome has too many N in its own 100 bp, not in a wider window.
    contigs = [part.split("\n", 1) for part in data.fasta.read_text().split(">")[1:]]
    bases = {name: text.replace("\n", "") for name, text in contigs}
    masked = [f">{name}\n{text[:150]}{'N' * 100}{text[250:]}\n" for name, text in bases.items()]
    data.fasta.write_text("".join(masked))
    body = "  - {name: body, encoder: kmer, window: body}\n"
    folder = plan(tmp_path, body + "  - {name: wide, encoder: kmer, window: 'context:140'}\n")
    unused = {row["id"] for row in rows_of(folder / "random.tsv") if row["set"] == "unused"}
    record = json.loads((folder / "plan.json").read_text())
    assert len(unused) == record["genes"]["labelled"] - record["genes"]["common"] > 0
    assert all(name.endswith("_0") for name in unused)


def test_the_labels_of_the_common_genes_are_written_beside_the_splits(tmp_path):
    data = write_labelled(tmp_path)
    rows = rows_of(plan(tmp_path, NESTED) / "genes.tsv.gz")
    found = {row.pop("id"): row for row in rows}
    for row in found.values():
        row.pop("biotype")
    assert found == {
        f"made-up:{name}": {mark: str(value) for mark, value in truth.items()}
        for name, truth in data.truth.items()
    }


def test_genes_of_one_name_in_two_genomes_are_two(tmp_path):
    data = write_labelled(tmp_path)
    one = "{name: made-up, annotation: genes.bed, fasta: genome.fa, labels: labels.tsv}"
    two = f"{one.replace('made-up', 'b')}\n  - {one.replace('made-up', 'a')}"
    folder = plan(tmp_path, NESTED, split="chromosome", **{one: two})
    sets = {row["id"]: row["set"] for row in rows_of(folder / "chromosome.tsv")}
    assert len(sets) == 2 * len(data.truth)
    chromosomes = {(name.split("_")[0], its_set) for name, its_set in sets.items()}
    assert len(chromosomes) == 12  # each of them is in one set, in each of the genomes
    assert {its_set for name, its_set in chromosomes} == {"train", "validation", "test"}


def test_spliced_windows_have_the_sequences_of_the_sheets_transcripts(tmp_path):
    """Genes without a transcript in the file are unused, also by a configuration that reads DNA."""
    genes, genome = DATA / "genes.gtf.gz", DATA / "genome.fa.gz"
    fasta = tmp_path / "transcripts.fa"
    assert histpred("windows", genes, genome, "--window", "spliced", "-o", fasta).code == 0
    records = [part for part in fasta.read_text().split(">")[1:] if part.startswith("NR_")]
    named = [f">{part.split('::')[0]}\n{part.splitlines()[1]}\n" for part in records]
    fasta.write_text("".join(named))
    sheet = tmp_path / "sheet.yaml"
    sheet.write_text(
        f"genomes: [{{name: x, annotation: {genes}, fasta: {genome}, labels: {DATA}/labels.tsv}}]\n"
        "transcripts: [transcripts.fa]\n"
        "defaults: {encoder: kmer, by: transcript}\n"
        "configurations: [{name: rna, window: spliced}, {name: dna, window: body}]\n"
    )
    done = histpred("experiment", sheet, "-o", tmp_path / "out", "--plan")
    assert done.code == 0, done.err
    rows = rows_of(tmp_path / "out" / "plan" / "genes.tsv.gz")
    assert {"MIR185", "LINC02891"} <= {row["id"].removeprefix("x:") for row in rows}
    assert {row["biotype"] for row in rows} & {"lncRNA", "miRNA"}
    sets = {row["id"]: row["set"] for row in rows_of(tmp_path / "out" / "plan" / "random.tsv")}
    assert sets["x:CCDC188"] == "unused"  # all its transcripts are NM_


def test_only_the_marks_of_the_sheet_are_used(tmp_path):
    write_labelled(tmp_path)
    folder = plan(tmp_path, NESTED, **{"seed: 3": "seed: 3\nmarks: [H3K27me3]"})
    assert rows_of(folder / "genes.tsv.gz")[0].keys() == {"id", "biotype", "H3K27me3"}


@pytest.mark.parametrize(
    "change", [("seed: 3", "seed: 4"), ("name: narrow, encoder: kmer", "name: narrow, epochs: 5")]
)
def test_a_plan_of_another_sheet_is_refused(tmp_path, change):
    write_labelled(tmp_path)
    plan(tmp_path, NESTED)
    sheet = write_sheet(tmp_path, NESTED, **{"splits: [random, chromosome]": "splits: [random]"})
    sheet.write_text(sheet.read_text().replace(*change))
    done = histpred("experiment", sheet, "-o", tmp_path / "out", "--plan")
    assert done.code == 1
    assert "holds another experiment; what differs: " in done.err


def test_a_plan_whose_files_were_changed_is_refused(tmp_path):
    write_labelled(tmp_path)
    folder = plan(tmp_path, NESTED)
    table = folder / "random.tsv"
    table.write_text(table.read_text().replace("validation", "train"))
    sheet = tmp_path / "sheet.yaml"
    done = histpred("experiment", sheet, "-o", tmp_path / "out", "--plan")
    assert done.code == 1
    assert "files missing or altered since: plan/random.tsv" in done.err


def test_another_table_of_priors_is_another_experiment(tmp_path, monkeypatch):
    """The table is found from any folder, and its content counts, not its path."""
    write_labelled(tmp_path)
    priors = tmp_path / "priors.tsv"
    marks = ["H3K4me3", "H3K27me3", "H3K9me3", "H3K36me3"]
    priors.write_text("mark\tprior\n" + "".join(f"{mark}\t0.9\n" for mark in marks))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    configuration = "  - {{name: a, encoder: kmer, loss: nnpu, prior: {}}}\n"
    folder = plan(tmp_path, configuration.format("priors.tsv"))
    record = (folder / "plan.json").read_text()
    assert record.count(hashlib.sha256(priors.read_bytes()).hexdigest()) == 1
    assert "priors.tsv" not in record
    plan(tmp_path, configuration.format(priors))  # the same
    priors.write_text(priors.read_text().replace("0.9", "0.8"))
    done = histpred("experiment", tmp_path / "sheet.yaml", "-o", tmp_path / "out", "--plan")
    assert done.code == 1
    assert "another experiment" in done.err
    assert "prior" in done.err


def test_a_command_waits_for_the_plan_that_another_one_is_writing(tmp_path, monkeypatch):
    """Two commands `--only NAME` for one new folder, at one time."""
    write_labelled(tmp_path)
    sheet, out = write_sheet(tmp_path, NESTED), tmp_path / "out"
    command = ("experiment", sheet, "-o", out, "--plan")
    pauses: list[float] = []
    work = out / "plan" / WORK
    work.mkdir(parents=True)
    with (work / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def other_run_ends(seconds):
            pauses.append(seconds)
            if len(pauses) == 2:  # it leaves a plan, and its lock is gone
                elsewhere = histpred("experiment", sheet, "-o", tmp_path / "other", "--plan")
                assert elsewhere.code == 0, elsewhere.err
                shutil.copytree(tmp_path / "other" / "plan", out / "plan", dirs_exist_ok=True)

        monkeypatch.setattr(planning.time, "sleep", other_run_ends)
        done = histpred(*command)
        assert done.code == 0, done.err
        assert len(pauses) == 2
        assert done.err.count("waiting for its plan") == 1
        refused = histpred(*command, "--overwrite")
        assert refused.code == 1
        assert "is being written by another histpred" in refused.err


def test_a_plan_of_another_experiment_that_was_waited_for_is_refused(tmp_path, monkeypatch):
    write_labelled(tmp_path)
    sheet, out = write_sheet(tmp_path, NESTED), tmp_path / "out"
    held = planning.held

    def just_before(*given):
        """The other run ends between the look at its plan and the lock of its folder."""
        found = held(*given)
        if found is None:
            text = sheet.read_text()
            sheet.write_text(text.replace("seed: 3", "seed: 4"))
            monkeypatch.setattr(planning, "held", held)
            assert histpred("experiment", sheet, "-o", out, "--plan").code == 0
            sheet.write_text(text)
        return found

    monkeypatch.setattr(planning, "held", just_before)
    done = histpred("experiment", sheet, "-o", out, "--plan")
    assert done.code == 1
    assert "holds another output" in done.err
    assert '"seed": 4' in (out / "plan" / "plan.json").read_text()
