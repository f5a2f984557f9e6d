"""Typed regions, names of genes and sequences in place of an annotation file."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from support import random_genome, write_fasta
from support.annotations import write
from support.command_line import COLUMNS, Done, histpred, place, read_scores, said_well, tables
from support.extraction import read_ledger


@pytest.fixture
def files(tmp_path, monkeypatch) -> Path:
    """genome.fa and genes.bed, in the current folder."""
    monkeypatch.chdir(tmp_path)
    write_fasta(Path("genome.fa"), random_genome(random.Random(5), {"chr1": 60_000, "chr2": 9_000}))
    write(Path("genes.bed"), "chr1\t30000\t31000\tLINC1\t0\t+\nchr1\t40000\t41000\tLINC2\t0\t-\n")
    return tmp_path


def windows(*arguments: str) -> list[str]:
    done = histpred("windows", *arguments, "-o", "w.tsv", "--overwrite", "-q")
    assert done.code == 0, done.err
    header, *rows = Path("w.tsv").read_text().splitlines()
    named = (
        dict(zip(COLUMNS, row.split("\t"), strict=False)) for row in rows if header.startswith("#")
    )
    return [place(row) for row in named]


@pytest.mark.parametrize(
    "words",
    [
        ["chr1:30,001-31,000", "chr2:5-9:-", "genome.fa"],
        ["chr1:30001-31000 chr2:5-9:-", "genome.fa"],
        ["chr1:30,001", "-", "31,000", "2:5..9:-", "genome.fa"],
        ["genome.fa", "chr1:30001-31000", "chr2:5-9:-"],
    ],
)
def test_regions_count_from_1_wherever_they_stand(files, words):
    second = "2:5-9" if "2:5..9:-" in words else "chr2:5-9"
    assert windows(*words) == ["chr1:30000-31000(.) chr1:30001-31000", f"chr2:4-9(-) {second}"]


def test_a_region_is_scored_as_the_interval_of_a_bed(files):
    write(Path("rows.bed"), "chr1\t30000\t31000\tchr1:30001-31000\n")
    bed = ("rows.bed", "genome.fa", "--window", "interval", "-o", "bed")
    typed = ("chr1:30,001-31,000", "genome.fa", "-o", "typed")
    assert histpred("predict", *bed).code == histpred("predict", *typed).code == 0
    assert tables(Path("typed")) == tables(Path("bed"))
    record = json.loads(Path("typed/run.json").read_text())
    assert record["identity"]["source"] == "regions"
    assert record["annotation"]["path"] == "chr1:30001-31000"


def test_the_same_regions_are_the_same_prediction(files):
    assert histpred("predict", "chr1:30,001-31,000", "genome.fa", "-o", "out").code == 0
    again = histpred("predict", "chr1 : 30001 - 31000", "genome.fa", "-o", "out")
    assert (again.code, "nothing to do" in again.err) == (0, True)
    other = histpred("predict", "chr1:30,001-31,001", "genome.fa", "-o", "out")
    assert (other.code, said_well(other.err)) == (1, True)


def test_tiles_and_a_window_may_be_asked_of_regions(files):
    tiles = windows("chr1:30,150-30,450", "genome.fa", "--tile", "200")
    assert [tile.partition("(")[0] for tile in tiles] == [
        "chr1:30000-30200",
        "chr1:30200-30400",
        "chr1:30400-30600",
    ]
    assert windows("chr1:30001-31000:-", "genome.fa", "--window", "promoter:100:50") == [
        "chr1:30950-31100(-) chr1:30001-31000"
    ]


def test_a_whole_contig_is_cut_into_tiles(files):
    as_region = windows("chr2:1-9,000", "genome.fa", "--tile", "3000")
    assert len(as_region) == 3
    for words in (["chr2"], ["2"], ["chr2:1-4,000", "chr2"]):
        found = windows(*words, "genome.fa", "--tile", "3000")
        assert [row.split()[0] for row in found] == [row.split()[0] for row in as_region]
    Path("genome.fa.fai").write_text("chr1\t60000\t6\t60\t61\nchr2\t9000\t61012\t60\t61\n")
    assert len(windows("chr2", "genome.fa", "--tile", "3000")) == 3
    write(Path("chr2"), "chr1\t0\t3000\tof a file\t0\t+\n")
    assert windows("chr2", "genome.fa", "--tile", "3000") == ["chr1:0-3000(+) of a file"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["chr1:1-9"], 2, "no FASTA was given, only chr1:1-9"),
        (["genome.fa"], 2, "only one file was given: genome.fa"),
        (["chr1:1-9", "genes.bed", "genome.fa"], 2, "regions were typed beside the file genes.bed"),
        (["genes.bed", "genes.bed", "genome.fa"], 2, "2 annotations were given"),
        (["chr1:100", "genome.fa"], 2, "not a region: 'chr1:100'"),
        (["chr9:1-9", "genome.fa"], 1, "genome.fa: has no contig chr9"),
        (["chr2:1-9001", "genome.fa"], 1, "ends past chr2, which has 9,000 bp"),
        (["chr1:1-9", "genome.fa", "--bundle", "yeast"], 2, "scores promoter windows of genes"),
        (["chr1:1-9", "genome.fa", "--biotype", "lncRNA"], 2, "regions have no biotypes"),
        (["chr1:1-9", "genome.fa", "--genes", "LINC1"], 2, "regions have no genes"),
        (["LINC1", "genome.fa"], 1, "LINC1: no such file"),
        (["genes.bd", "genome.fa"], 1, "genes.bd: no such file\n  did you mean genes.bed?"),
        (["genes.gft", "genome.fa", "--tile", "200"], 1, "genes.gft: no such file"),
        (["chr1", "genome.fa"], 2, "chr1 is a whole contig, and an interval is scored at its mi"),
        (["chr9", "genome.fa", "--tile", "200"], 1, "genome.fa: has no contig chr9, or several"),
        (["chr1", "genes.bed", "genome.fa"], 2, "2 annotations were given"),
        (["genes.bed", "hg38"], 1, "hg38 is the name of an assembly"),
        (["genes.bed", "genome.fa", "--genes", "nofile.txt"], 2, "no such file of names"),
        (["genes.bed", "genome.fa", "--genes", "XIST"], 1, "none of the genes that --genes names"),
    ],
)
def test_what_is_wrong_with_the_words_is_said(files, arguments, code, words):
    done = histpred("predict", *arguments, "-o", "out")
    assert done.code == code, done.err
    assert words in done.err
    assert not Path("out").exists()


def test_genes_are_chosen_by_name(files):
    done = histpred("predict", "genes.bed", "genome.fa", "--genes", "linc2,LINC3", "-o", "out")
    assert done.code == 0
    assert "1 of 2 genes is not in genes.bed: LINC3 (nearest: LINC2, LINC1)" in done.err
    assert [row["name"] for row in read_scores(Path("out/scores.tsv.gz")).rows] == ["LINC2"]
    ledger = [(row["name"], row["status"], row["reason"]) for row in read_ledger("out/ledger.tsv")]
    assert ledger == [
        ("LINC3", "skipped", "gene-not-found"),
        ("LINC1", "skipped", "gene-not-selected"),
        ("LINC2", "scored", ""),
    ]


def test_a_file_of_names_is_the_same_as_the_names(files):
    write(Path("names.txt"), "LINC2\nLINC1\n")
    by_file = ("genes.bed", "genome.fa", "--genes", "names.txt", "-o", "out")
    by_name = ("genes.bed", "genome.fa", "--genes", "LINC1,LINC2", "-o", "out")
    assert histpred("predict", *by_file).code == 0
    assert "nothing to do" in histpred("predict", *by_name).err
    fewer = histpred("predict", "genes.bed", "genome.fa", "--genes", "LINC1", "-o", "out")
    assert fewer.code == 1
    assert "genes (['LINC1', 'LINC2'] -> ['LINC1'])" in fewer.err


def test_strict_minds_a_gene_that_is_missing_and_no_other(files):
    one = ("genes.bed", "genome.fa", "--strict")
    assert histpred("predict", *one, "--genes", "LINC1", "-o", "a").code == 0
    assert histpred("predict", *one, "--genes", "LINC1,LINC9", "-o", "b").code == 3


@pytest.mark.parametrize(
    ("words", "fasta", "bundle", "needed"),
    [
        ("genes.bed genome.fa --genes LINC1,LINC9", "genome.fa", "human-promoter", ""),
        ("chr1:30,001-31,000 chr2:5-9:- genome.fa", "genome.fa", "human-promoter", "interval"),
        ("rna.fa --sequences", "rna.fa", "human-promoter", "interval"),
        ("rna.fa --sequences", "rna.fa", "yeast", ""),
    ],
)
def test_shards_agree_with_a_single_prediction(files, words, fasta, bundle, needed):
    write(Path("rna.fa"), ">a\n" + "ACGUUGCA" * 700 + "\n>b\n" + "GGCCUUAAU" * 500 + "\n")
    given = [*words.split(), "--bundle", bundle]
    done = histpred("scatter", *given, "--shard-bases", "9000", "-o", "shards")
    assert done.code == 0, done.err
    option = ["--window", needed] if needed else []
    assert ("give histpred predict --window" in done.err) == bool(needed)
    for shard in sorted(Path("shards/shards").iterdir()):
        part = ("--bundle", bundle, *option, "-o", f"part{shard.stem}")
        done = histpred("predict", shard, fasta, *part)
        assert done.code == 0, done.err
    parts = sorted(map(str, Path().glob("part*")))
    assert histpred("gather", "shards", *parts, "-o", "out").code == 0
    assert histpred("predict", *given, "-o", "single").code == 0
    assert tables(Path("out")) == tables(Path("single"))
    assert "nothing to do" in histpred("predict", *given, "-o", "out").err


def test_rows_without_strand_are_told_of_both_ways_out(files):
    write(Path("peaks.bed"), "chr1\t30000\t31000\n")
    done = histpred("predict", "peaks.bed", "genome.fa", "-o", "out")
    assert done.code == 1
    assert "--unstranded reads '.' as '+', so that genes of the other strand" in done.err
    assert "--window interval is for peaks and other places without a strand" in done.err


def test_embed_takes_regions_too(files):
    pytest.importorskip("pyarrow", reason="a store needs pyarrow")
    options = ("--encoder", "kmer", "--store", "store")
    done = histpred("embed", "chr1:30,001-31,000", "genome.fa", *options)
    assert done.code == 0, done.err
    assert "1 window of 1 row" in done.err


def record(genome: dict[str, str], name: str, start: int, end: int) -> str:
    return f">{name}\n{genome['chr1'][start:end]}\n"


def test_a_sequence_with_its_surroundings_is_scored_as_on_the_genome(files):
    genome = random_genome(random.Random(5), {"chr1": 60_000, "chr2": 9_000})
    write(Path("s.fa"), record(genome, "LINC1", 30_000 - 17_100, 30_000 + 17_100))
    for kind in ("promoter", "interval"):
        row = ["chr1", "29900", "30100", "LINC1", "0", "+"]
        row[1] = "30000" if kind == "promoter" else row[1]
        write(Path("one.bed"), "\t".join(row) + "\n")
        there = ("one.bed", "genome.fa", "--window", kind, "-o", f"genome-{kind}", "-q")
        here = ("s.fa", "--sequences", "--window", kind, "-o", f"sequence-{kind}", "-q")
        assert histpred("predict", *there).code == histpred("predict", *here).code == 0
        (on_genome,) = read_scores(Path(f"genome-{kind}/scores.tsv.gz")).rows
        (alone,) = read_scores(Path(f"sequence-{kind}/scores.tsv.gz")).rows
        assert alone["chrom"] == alone["name"] == "LINC1"
        for name in on_genome.keys() - {"chrom", "start", "end", "strand", "name"}:
            assert on_genome[name] == alone[name], name


def test_short_sequences_are_warned_of_and_known_in_part(files):
    genome = random_genome(random.Random(5), {"chr1": 60_000, "chr2": 9_000})
    write(Path("s.fa"), record(genome, "a", 0, 3020) + record(genome, "b", 0, 302))
    done = histpred("predict", "s.fa", "--sequences", "-o", "out")
    assert done.code == 0
    assert "2 sequences have less than half of the bases that are read for them: a, b" in done.err
    assert "count as unknown, so these scores may be far off" in done.err
    assert "if a TSS is at their middle, add --window promoter" in done.err
    assert "--tile" not in done.err
    assert "human-promoter was trained on Homo sapiens: are the sequences of it?" in done.err
    rows = read_scores(Path("out/scores.tsv.gz")).rows
    assert [row["known_fraction"] for row in rows] == ["0.1", "0.01"]


def test_u_of_a_transcript_is_read_as_t(files):
    pytest.importorskip("pyarrow", reason="a store needs pyarrow")
    write(Path("dna.fa"), ">t\nACGTTTACGA\n")
    write(Path("rna.fa"), ">t\nacguUUACGA\n")
    for name in ("dna", "rna"):
        windows = ("windows", f"{name}.fa", "--sequences", "--window", "spliced")
        assert histpred(*windows, "-o", f"{name}.windows.fa").code == 0
    assert Path("rna.windows.fa").read_text() == ">t::t:0-10(+)\nACGTTTACGA\n"
    assert Path("dna.windows.fa").read_text() == Path("rna.windows.fa").read_text()
    embedded = ("embed", "rna.fa", "--sequences", "--encoder", "kmer", "--store", "store")
    assert "1 window of 1 row" in histpred(*embedded).err


def test_many_sequences_say_nothing_of_their_species(files):
    rng = random.Random(8)
    for i in range(100):
        genome = random_genome(rng, {"chr1": 3000})
        with open("s.fa", "a") as target:
            target.write(record(genome, f"s{i}", 0, 3000))
    done = histpred("predict", "s.fa", "--sequences", "-o", "out")
    assert done.code == 0
    assert "species" not in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["genes.bed", "s.fa", "--sequences"], 2, "--sequences and the annotation genes.bed excl"),
        (["s.fa", "--sequences", "--tile", "200"], 2, "--sequences and --tile exclude each other"),
        (["s.fa", "--sequences", "--tracks"], 2, "--tracks needs a genome"),
        (["s.fa", "--sequences", "--genes", "s"], 2, "sequences have no genes"),
        (["proteins.fa", "--sequences"], 1, "proteins.fa: this is a FASTA of proteins"),
        (["genes.bed", "--sequences"], 1, "genes.bed:1: not a FASTA"),
        (["twice.fa", "--sequences"], 1, "the contig name 's' appears twice"),
    ],
)
def test_what_is_wrong_with_sequences_is_said(files, arguments, code, words):
    write(Path("s.fa"), ">s\nACGTACGTAC\n")
    write(Path("twice.fa"), ">s\nACGTACGTAC\n" * 2)
    write(Path("proteins.fa"), ">p\n" + "MELKPFQWTR" * 9 + "\n")
    done = histpred("predict", *arguments, "-o", "out")
    assert done.code == code, done.err
    assert words in done.err
    assert not Path("out").exists()


# Transcripts


GENE = 'gene_id "{gene}"; transcript_id "{name}"; gene_name "N{gene}";'


@pytest.fixture
def spliced(files) -> Path:
    """genes.gtf with two transcripts of one gene and one of another; rna.fa as histpred splices."""
    rows = []
    for gene, name, strand, exons in (
        ("A", "A1", "-", ((30_001, 30_500), (31_001, 31_400))),
        ("A", "A2", "-", ((30_001, 30_300),)),
        ("B", "B1", "+", ((41_001, 41_100), (42_001, 42_900))),
    ):
        ids = GENE.format(gene=gene, name=name)
        rows += [f"chr1\tx\texon\t{a}\t{b}\t.\t{strand}\t.\t{ids}\n" for a, b in exons]
    write(Path("genes.gtf"), "".join(rows))
    done = histpred("windows", "genes.gtf", "genome.fa", "--window", "spliced", "-o", "w.fa")
    assert done.code == 0, done.err
    text = "".join(
        line.partition("::")[0] + "\n" if line.startswith(">") else f"{line}\n"
        for line in Path("w.fa").read_text().splitlines()
    )
    write(Path("rna.fa"), text)
    return files


def refused(done: Done, code: int, words: str) -> None:
    assert done.code == code, done.err
    assert said_well(done.err)
    assert words in done.err


SPLICED = ("genes.gtf", "genome.fa", "--window", "spliced")


def test_the_same_transcripts_from_either_file_have_the_same_scores(spliced):
    """And from the other file they are another prediction."""
    for out, more in (("joined", ()), ("read", ("--transcripts", "rna.fa"))):
        done = histpred("predict", *SPLICED, "--by", "gene", *more, "-o", out)
        assert done.code == 0, done.err
    assert tables(Path("joined")) == tables(Path("read"))
    scores = read_scores(Path("read/scores.tsv.gz"))
    assert [row["name"] for row in scores.rows] == ["NA", "NB"]
    identity = json.loads(Path("read/run.json").read_text())["identity"]
    assert len(identity["transcripts sha256"]) == 1
    again = ("predict", *SPLICED, "--by", "gene", "-o", "read")
    refused(histpred(*again), 1, "transcripts sha256")
    assert histpred(*again, "--transcripts", "rna.fa").err.count("nothing to do") == 1


def test_other_sequences_of_transcripts_have_other_scores(spliced):
    pytest.importorskip("pyarrow", reason="a store needs pyarrow")
    records = Path("rna.fa").read_text()
    write(Path("other.fa"), records.translate(str.maketrans("ACGT", "CATG")))
    embedded = []
    for fasta in ("rna.fa", "other.fa"):
        options = ("--encoder", "kmer", "--store", "store", "-o", f"{fasta}.parquet")
        done = histpred("embed", *SPLICED, *options, "--transcripts", fasta)
        assert done.code == 0, done.err
        embedded.append(Path(f"{fasta}.parquet").read_bytes())
    assert embedded[0] != embedded[1]


def test_transcripts_that_cannot_be_used(spliced):
    body = ("windows", "genes.gtf", "genome.fa", "--window", "body", "-o", "x.tsv")
    refused(histpred(*body, "--transcripts", "rna.fa"), 2, "is for spliced windows, not for body")
    words = ("windows", *SPLICED, "-o", "x.tsv", "--transcripts")
    refused(histpred(*words, "genome.fa"), 1, "has none of the 3 transcripts of")
    refused(histpred(*words, "none.fa"), 1, "none.fa")
    assert not Path("x.tsv").exists()


def test_headers_of_transcripts_state_their_genes(files):
    write(
        Path("rna.fa"),
        ">ENST1.2 cdna chromosome:1 gene:ENSG1.5 gene_biotype:lncRNA gene_symbol:LINC1\n"
        f"{'ACGU' * 80}\n>ENST2.1|ENSG2.3|-|-|LINC2-201|LINC2|320|miRNA|\n{'ACGA' * 80}\n"
        f">other x\n{'ACGA' * 80}\n",
    )
    done = histpred("windows", "--sequences", "rna.fa", "--window", "spliced", "-o", "w.tsv")
    assert done.code == 0, done.err
    ledger = read_ledger(Path("w.tsv.ledger.tsv"))
    found = [(row["name"], row["gene_id"], row["biotype"], row["note"]) for row in ledger]
    assert found == [
        ("ENST1.2", "ENSG1.5", "lncRNA", "gene LINC1"),
        ("ENST2.1", "ENSG2.3", "miRNA", "gene LINC2"),
        ("other", ".", ".", ""),
    ]
