"""Kinds of genes, from an annotation that is read again here, without histpred."""

from __future__ import annotations

import random

import numpy as np
import pandas
import pytest

pytest.importorskip("sklearn", reason="needs the extra train")

from sklearn.metrics import roc_auc_score

from histpred.evaluation.kinds import NO_BIOTYPES, NO_CODING, NO_STARTS, by_kind, kinds_of
from histpred.evaluation.result import MODEL, ModelResult
from histpred.evaluation.scores import COPY
from histpred.genome.extract import extract
from histpred.genome.genomes import one_genome
from histpred.genome.request import Request
from histpred.genome.windows import usual
from support.rankings import made_up
from support.synthetic import (
    Transcript,
    random_genome,
    write_bed,
    write_fasta,
    write_gtf,
)

LENGTHS = {"chr1": 90_000, "chr2": 60_000}
BIOTYPES = ("lncRNA", "miRNA", "protein_coding", "pseudogene")


@pytest.fixture(scope="module")
def genes(tmp_path_factory) -> tuple[list[Transcript], Request]:
    folder = tmp_path_factory.mktemp("genes")
    rng = random.Random(4)
    found = []
    for number in range(60):
        chrom = rng.choice(sorted(LENGTHS))
        start = rng.randrange(LENGTHS[chrom] - 3_000)
        exons = ((start, start + rng.randrange(200, 3_000)),)
        biotype = rng.choices(BIOTYPES, (3, 2, 3, 1))[0]
        found.append(
            Transcript(chrom, rng.choice("+-"), f"G{number}", f"T{number}", biotype, exons)
        )
    fasta = write_fasta(folder / "genome.fa", random_genome(rng, LENGTHS))
    return found, Request(str(write_gtf(folder / "genes.gtf", found)), str(fasta))


def windows_of(genes: list[Transcript]) -> pandas.DataFrame:
    """Rows as an evaluation has them; where the windows lie does not matter."""
    rows = [
        (gene.chrom, 0, 1, gene.gene_id, gene.strand, gene.gene_id, gene.biotype, 0)
        for gene in genes
    ]
    columns = ["chrom", "start", "end", "name", "strand", "gene_id", "biotype", COPY]
    return pandas.DataFrame(rows, columns=columns)


def tss(gene: Transcript) -> int:
    return gene.start if gene.strand == "+" else gene.end - 1


def test_kinds_by_brute_force(genes, tmp_path):
    """Coding genes count as neighbours even where only others are evaluated."""
    all_genes, request = genes
    for chosen, asked in (
        (all_genes, request),
        ([gene for gene in all_genes if gene.biotype != "protein_coding"], request),
        (
            [gene for gene in all_genes if gene.biotype == "lncRNA"],
            request._replace(biotypes=("lncRNA",)),
        ),
    ):
        found = kinds_of(windows_of(chosen), one_genome(asked), "context", tmp_path)
        coding = [gene.biotype == "protein_coding" for gene in chosen]
        far = [
            all(
                abs(tss(gene) - tss(other)) > 2_000
                for other in all_genes
                if other.biotype == "protein_coding" and other.chrom == gene.chrom
            )
            for gene in chosen
        ]
        assert found["coding"].tolist() == coding
        assert found["non-coding"].tolist() == [not each for each in coding]
        expected = [away and not each for away, each in zip(far, coding, strict=True)]
        assert found["far non-coding"].tolist() == expected
        assert 0 < sum(expected) < len(expected)


def test_a_distance_of_2_kb_is_not_far(tmp_path):
    def gene(name: str, start: int, biotype: str) -> Transcript:
        return Transcript("chr1", "+", name, f"{name}.1", biotype, ((start, start + 50),))

    coding = gene("C", 10_000, "protein_coding")
    others = [gene(f"N{away}", 10_000 + away, "lncRNA") for away in (-2_001, -2_000, 2_000, 2_001)]
    fasta = write_fasta(tmp_path / "genome.fa", {"chr1": "ACGT" * 5_000})
    request = Request(str(write_gtf(tmp_path / "genes.gtf", [coding, *others])), str(fasta))
    found = kinds_of(windows_of(others), one_genome(request), "promoter", tmp_path)
    assert found["far non-coding"].tolist() == [True, False, False, True]


def test_what_is_not_known_is_said(genes, tmp_path):
    all_genes, request = genes
    windows = windows_of(all_genes)
    assert kinds_of(windows, one_genome(request), "interval", tmp_path) == ""
    assert (
        kinds_of(windows.assign(biotype="."), one_genome(request), "promoter", tmp_path)
        == NO_BIOTYPES
    )
    others = [gene for gene in all_genes if gene.biotype != "protein_coding"]
    alone = request._replace(annotation=str(write_gtf(tmp_path / "others.gtf", others)))
    assert kinds_of(windows_of(others), one_genome(alone), "promoter", tmp_path) == NO_CODING
    rows = [(gene.chrom, gene.start, gene.end, gene.gene_id, 0, gene.strand) for gene in all_genes]
    bed = request._replace(annotation=str(write_bed(tmp_path / "genes.bed", rows)))
    assert (
        kinds_of(windows.assign(biotype="."), one_genome(bed), "promoter", tmp_path) == NO_BIOTYPES
    )


def test_a_table_of_windows_is_not_said_to_lack_coding_genes(genes, tmp_path):
    all_genes, request = genes
    table = tmp_path / "windows.tsv"
    extract(request, usual("promoter"), table)
    asked = one_genome(request._replace(annotation=str(table)))
    assert kinds_of(windows_of(all_genes), asked, "promoter", tmp_path) == NO_STARTS


def test_a_gene_in_parts_has_no_known_start_and_is_not_far(genes, tmp_path):
    """NCBI's part= stands on its gene line, so its promoter is not known; its exons are joined."""
    all_genes, request = genes
    lncrna = next(gene for gene in all_genes if gene.biotype == "lncRNA")
    path = write_gtf(tmp_path / "genes.gtf", all_genes)
    lines = path.read_text().splitlines(keepends=True)
    part = f'gene_id "{lncrna.gene_id}"'
    changed = [
        line.replace("\n", ' part "1/2";\n') if "\tgene\t" in line and part in line else line
        for line in lines
    ]
    assert changed != lines
    path.write_text("".join(changed))
    found = kinds_of(
        windows_of(all_genes),
        one_genome(request._replace(annotation=str(path), level="gene")),
        "spliced",
        tmp_path,
    )
    number = all_genes.index(lncrna)
    assert found["non-coding"][number]
    assert not found["far non-coding"][number]
    assert found["far non-coding"].any()


def test_figures_of_kinds_are_scikit_learns(rng):
    labels, probabilities = made_up(rng, 200, 3, ties=False)
    labels[:50, 2] = 0  # one class in the first kind
    labels[50:, 1] = np.nan  # no label in the second
    kinds = {"coding": np.arange(200) < 50, "non-coding": np.arange(200) >= 50}
    one = ModelResult(MODEL, "", probabilities, *[None] * 4)
    table = by_kind(kinds, labels, {"mine": one}, ("A", "B", "C"))
    assert table["mark"].tolist() == ["A", "B", "C", "mean"] * 2
    rows = table.set_index(["kind", "mark"])
    for kind, chosen in kinds.items():
        values = []
        for i, mark in enumerate("ABC"):
            known = chosen & ~np.isnan(labels[:, i])
            truth, scores = labels[known, i], probabilities[known, i]
            found = rows.loc[(kind, mark)]
            assert found["windows"] == chosen.sum()
            if not known.any():
                assert found[["auroc", "probability", "rate", "bias", "ece"]].isna().all()
                continue
            assert found["rate"] == pytest.approx(truth.mean())
            assert found["bias"] == pytest.approx(scores.mean() - truth.mean())
            if 0 < truth.mean() < 1:
                values.append(roc_auc_score(truth, scores))
                assert found["auroc"] == pytest.approx(values[-1])
            else:
                assert np.isnan(found["auroc"])
        assert rows.loc[(kind, "mean"), "auroc"] == pytest.approx(np.mean(values))
    assert rows.loc[("coding", "mean"), "bias"] == pytest.approx(
        rows.loc["coding"].loc[["A", "B", "C"], "bias"].mean()
    )


def test_rows_that_were_not_chosen_and_do_not_fit_stop_nothing(genes, tmp_path):
    all_genes, request = genes
    beyond = Transcript("chr1", "+", "B", "B.1", "miRNA", ((89_000, 95_000),))
    path = write_gtf(tmp_path / "genes.gtf", [*all_genes, beyond])
    asked = request._replace(annotation=str(path), biotypes=("lncRNA",))
    lncrnas = [gene for gene in all_genes if gene.biotype == "lncRNA"]
    said = kinds_of(windows_of(lncrnas), one_genome(asked), "promoter", tmp_path)
    assert said.startswith("Coding and non-coding genes are not compared: ")
    assert "ends past its contig" in said
