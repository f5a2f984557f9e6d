"""What of an annotation does not fit the genome: refused, skipped or remarked on."""

from __future__ import annotations

import pytest

from histpred.core.errors import InputError, UsageError
from histpred.genome import plan as module
from histpred.genome.annotation import open_annotation
from histpred.genome.ledger import Ledger
from histpred.genome.plan import open_windows, plan, printable, scorable
from histpred.genome.reference import Reference
from histpred.genome.regions import Feature
from histpred.genome.request import Request
from histpred.genome.windows import WindowSpec
from support import reverse_complement, write_fasta
from support.annotations import tabbed, write
from support.extraction import read_ledger

GENOME = {
    "chr1": "ACGTT" * 20,
    "chr2": "GATTC" * 20,
    "chrM": "CAT" * 10,
    "chrN": "N" * 40 + "A" * 60,
}


def planned(tmp_path, text, kind="body", unstranded=False, biotypes=(), genome=GENOME, tile=0):
    """The plan, the ledger's rows and the scorable windows with their sequence."""
    path = write(tmp_path / "rows", text)
    fasta = write_fasta(tmp_path / "genome.fa", genome)
    spec = WindowSpec(kind, 10, 5, 0.5, tile=tile)
    with (
        open_annotation(path, tmp_path, kind, None, biotypes) as annotation,
        Reference(fasta, tmp_path) as reference,
        Ledger(tmp_path) as ledger,
    ):
        result = plan(annotation, reference, spec, unstranded, ledger)
        batches = list(scorable(ledger, reference, spec))
        ledger.write(tmp_path / "ledger.tsv")
    windows = [(row.window, row.sequence) for batch in batches for row in batch]
    return result, read_ledger(tmp_path / "ledger.tsv"), windows


def bed(*rows: str) -> str:
    return "".join("\t".join(row.split()) + "\n" for row in rows)


def genes(*places: str, biotypes: tuple[str, ...] = ()) -> str:
    """GTF gene rows; a place is contig, start, end, strand."""
    rows = []
    for number, place in enumerate(places):
        chrom, start, end, strand = place.split()
        biotype = biotypes[number] if biotypes else "lncRNA"
        attributes = f'gene_id "g{number}"; gene_biotype "{biotype}";'
        rows.append(f"{chrom} x gene {start} {end} . {strand} . {attributes}")
    return tabbed("\n".join(rows))


def test_every_row_is_in_the_ledger_once_with_its_reason(tmp_path):
    text = bed(
        "chr1 10 20 a 0 +",
        "chrX 10 20 b 0 +",
        "chr1 100 120 c 0 +",
        "chr1 90 101 d 0 -",
        "chr1 30 30 e 0 +",
        "chrN 0 90 f 0 +",
        "chrN 0 50 g 0 -",
        "chr1 10 20 a 0 +",
    )
    result, rows, windows = planned(tmp_path, text)
    assert [(row["name"], row["status"], row["reason"]) for row in rows] == [
        ("a", "scored", ""),
        ("b", "skipped", "unknown-contig"),
        ("c", "skipped", "outside-the-contig"),
        ("d", "scored", ""),
        ("e", "skipped", "zero-length"),
        ("f", "scored", ""),
        ("g", "skipped", "too-many-n"),
        ("a", "scored", ""),
    ]
    assert "1 bp past the contig" in rows[3]["note"]
    assert "clipped by 1 bp" in rows[3]["note"]
    assert "0.8 of the window is N, the limit is 0.5" in rows[6]["note"]
    assert [row["line"] for row in rows] == list("12345678")
    assert len(windows) == 4
    remarks = " ".join(result.warnings)
    assert "1 row lies on a contig that" in remarks
    assert "chrX" in remarks


def test_sequences_are_those_of_the_windows_strand(tmp_path):
    _, _, windows = planned(tmp_path, bed("chr1 0 7 a 0 +", "chr1 0 7 b 0 -"))
    assert [sequence.decode() for _, sequence in windows] == ["ACGTTAC", "GTAACGT"]
    assert reverse_complement("ACGTTAC") == "GTAACGT"


@pytest.mark.parametrize("rows", [1, 5])
def test_no_contig_in_common_is_an_error_with_names_of_both_sides(tmp_path, rows):
    text = bed(*(f"scaffold_{number} 0 10" for number in range(rows)))
    with pytest.raises(InputError) as caught:
        planned(tmp_path, text, "interval")
    message = str(caught.value)
    assert "none of its contigs is in" in message
    assert "scaffold_0" in message
    assert "scaffold_4" not in message
    assert "chr1, chr2, chrM and 1 more there" in message


@pytest.mark.parametrize("contig", ["chr1 ", "chr1 the first"])
def test_a_blank_in_the_name_of_a_contig_is_pointed_out(tmp_path, contig):
    with pytest.raises(InputError, match="none of its contigs is in") as caught:
        planned(tmp_path, f"{contig}\t0\t10\n", "interval")
    assert repr(contig) in caught.value.hint


@pytest.mark.parametrize("other", ["scaffold_1", "chr1"])
def test_no_selected_row_on_a_contig_in_common_is_an_error(tmp_path, other):
    """What --biotype leaves out does not count, wherever it lies."""
    text = genes(
        "scaffold_1 1 9 +",
        "scaffold_2 1 9 +",
        f"{other} 1 9 +",
        biotypes=("miRNA", "miRNA", "rRNA"),
    )
    with pytest.raises(InputError, match="none of its contigs is in"):
        planned(tmp_path, text, biotypes=("miRNA",))


@pytest.mark.parametrize("text", [genes("NC_1.1 1 9 +"), bed("NC_1.1 0 9 a 0 +")])
def test_a_renamed_contig_is_remarked_on(tmp_path, text):
    genome = {"1": "ACGT" * 5}
    result, rows, _ = planned(tmp_path, text.replace("NC_1.1", "chr1"), genome=genome)
    assert rows[0]["status"] == "scored"
    assert any("chr1 = 1" in remark for remark in result.notices)


def test_genes_past_their_contig_are_of_another_assembly(tmp_path):
    text = genes("chr1 1 100 +", *(f"chr2 {start} 101 -" for start in range(1, 6)))
    with pytest.raises(InputError, match="5 of 6 rows end past their contig") as caught:
        planned(tmp_path, text)
    assert "g1 (line 2), g2 (line 3), g3 (line 4) and 2 more" in str(caught.value)
    assert "wrong assembly?" in caught.value.hint


def test_of_rows_that_are_cut_into_tiles_the_rows_are_counted(tmp_path):
    with pytest.raises(InputError, match="1 of 2 rows ends past its contig"):
        planned(tmp_path, genes("chr1 1 100 +", "chr2 1 101 -"), kind="interval", tile=10)


def test_a_gene_across_the_origin_of_a_circle_is_skipped(tmp_path):
    _, rows, _ = planned(tmp_path, genes("chrM 20 40 +", "chr1 1 9 +"))
    assert [row["reason"] for row in rows] == ["crosses-the-origin", ""]
    region = "chr2\tx\tregion\t1\t100\t.\t+\t.\tID=r;Is_circular=true\n"
    text = region + tabbed("chr2 x gene 90 120 . + . ID=g\nchr2 x gene 1 9 . + . ID=h")
    _, rows, _ = planned(tmp_path, text)
    assert [row["reason"] for row in rows] == ["crosses-the-origin", ""]


def test_past_end_counts_the_rows_that_were_clipped(tmp_path):
    """A row that lies wholly outside is skipped, not clipped."""
    text = bed("chr1 90 110 a 0 +", "chr1 200 300 b 0 +")
    result, rows, _ = planned(tmp_path, text)
    assert [row["status"] for row in rows] == ["scored", "skipped"]
    assert result.past_end == 1
    assert not any("b (line 2)" in remark and "clipped" in remark for remark in result.warnings)


@pytest.mark.parametrize("kind", ["context", "body", "promoter"])
@pytest.mark.parametrize(
    "text", [bed("chr1 1 9 a 0 +", "chr1 1 9 b 0 ."), genes("chr1 1 9 +", "chr1 2 9 .")]
)
def test_no_strand_is_refused_where_strand_matters(tmp_path, kind, text):
    with pytest.raises(InputError, match="1 of 2 rows has no strand") as caught:
        planned(tmp_path, text, kind)
    assert "--unstranded" in caught.value.hint
    _, rows, windows = planned(tmp_path, text, kind, unstranded=True)
    assert "no strand: read as '+'" in rows[1]["note"]
    assert len(windows) == 2


@pytest.mark.parametrize("columns", [3, 4, 6])
def test_an_interval_needs_no_strand(tmp_path, columns):
    row = ["chr1", "0", "7", "a", "0", "."][:columns]
    _, rows, ((_, sequence),) = planned(tmp_path, bed(" ".join(row)), "interval")
    assert (rows[0]["status"], rows[0]["note"], sequence) == ("scored", "", b"ACGTTAC")


def test_an_empty_annotation_is_remarked_on(tmp_path):
    result, rows, windows = planned(tmp_path, "# nothing\n")
    assert (rows, windows) == ([], [])
    assert "holds no row" in result.warnings[0]


@pytest.mark.parametrize(
    ("name", "shown", "noted"),
    [
        ("a b;\"c'", "a b;\"c'", False),
        ("Ä\N{SNOWMAN}", "Ä\N{SNOWMAN}", False),
        ("a\tb\nc\rd\0e", "a b c d e", True),
        ("a\x85b\u2028c\u2029d\x7fe", "a b c d e", True),
        ("n" * 255, "n" * 255, False),
        ("n" * 10_000, "n" * 255, True),
    ],
)
def test_names_fit_a_column(name, shown, noted):
    feature = Feature(1, "chr1", 0, 9, "+", name, name, name, note="first")
    found = printable(feature)
    assert (found.name, found.gene_id, found.biotype) == (shown, shown, shown)
    assert found.note == (
        "first; name shortened or control characters replaced" if noted else "first"
    )


def test_a_note_fits_a_column():
    feature = Feature(1, "chr1", 0, 9, "+", "a", note="of type gen\r\te")
    assert printable(feature).note.startswith("of type gen  e; ")
    assert printable(feature).name == "a"


@pytest.mark.parametrize("contig", ["chr1\r", "chr1\x1b[31m", "a\x85b", "a\u2028b"])
def test_a_contig_with_a_control_character_does_not_break_the_ledger(tmp_path, contig):
    text = bed("chr1 10 20 good 0 +") + f"{contig}\t10\t20\todd\t0\t+\n"
    _, rows, windows = planned(tmp_path, text)
    assert [(row["name"], row["reason"]) for row in rows] == [
        ("good", ""),
        ("odd", "unknown-contig"),
    ]
    assert rows[1]["chrom"].isprintable()
    assert "control characters replaced" in rows[1]["note"]
    assert len(windows) == 1


def test_a_window_with_exactly_the_limit_of_n_is_scored(tmp_path):
    """chrN begins with 40 N; the limit is one half."""
    text = bed("chrN 0 80 a 0 +", "chrN 0 79 b 0 +", "chrN 0 81 c 0 +")
    _, rows, windows = planned(tmp_path, text)
    assert [row["reason"] for row in rows] == ["", "too-many-n", ""]
    assert {window.name for window, _ in windows} == {"a", "c"}


@pytest.mark.parametrize("limits", [(1, 10**9), (3, 10**9), (10**9, 1), (10**9, 30)])
def test_batches_hold_all_windows_in_order_whatever_their_size(tmp_path, monkeypatch, limits):
    monkeypatch.setattr(module, "BATCH_WINDOWS", limits[0])
    monkeypatch.setattr(module, "BATCH_BASES", limits[1])
    text = bed(*(f"chr1 {start} {start + 9} r{start} 0 -" for start in range(20)))
    _, _, windows = planned(tmp_path, text)
    assert [window.name for window, _ in windows] == [f"r{start}" for start in range(20)]
    assert all(len(sequence) == 9 for _, sequence in windows)


def test_an_unplaced_scaffold_is_not_its_chromosome(tmp_path):
    """NCBI's region lines name the chromosome of both; only one of them is it."""
    text = tabbed("""
        NC_000001.11 x region 1 60 . + . ID=a;chromosome=1;genome=chromosome
        NC_000001.11 x gene 1 9 . + . ID=gene-A
        NT_187361.1 x region 1 20 . + . ID=b;chromosome=1;genome=genomic;map=unlocalized
        NT_187361.1 x gene 1 9 . + . ID=gene-B
    """)
    _, rows, _ = planned(tmp_path, text, genome={"chr1": "ACGT" * 5})
    assert [(row["name"], row["reason"]) for row in rows] == [("A", ""), ("B", "unknown-contig")]


def test_a_biotype_that_no_row_has_is_named(tmp_path):
    text = genes("chr1 1 9 +", biotypes=("miRNA",))
    result, _, _ = planned(tmp_path, text, biotypes=("miRNA", "lincRN"))
    assert result.warnings == ["no row has the biotype lincRN: did you mean lncRNA?"]


# Tiles


def tiled(tmp_path, rows: str | None, genome=GENOME):
    """The ledger's rows, and (window, sequence) of tiles of 20 bp, of rows or of whole contigs."""
    fasta = write_fasta(tmp_path / "genome.fa", genome)
    annotation = write(tmp_path / "rows.bed", rows) if rows else fasta
    spec = WindowSpec("interval", 0, 0, 0.5, tile=20)
    with open_windows(Request(str(annotation), str(fasta)), spec, tmp_path) as opened:
        batches = list(scorable(opened.ledger, opened.reference, spec))
        opened.ledger.write(tmp_path / "ledger.tsv")
        assert opened.annotation.digest
    pairs = [(row.window, row.sequence) for batch in batches for row in batch]
    return read_ledger(tmp_path / "ledger.tsv"), pairs


def test_rows_are_cut_into_tiles_and_each_place_is_scored_once(tmp_path):
    text = bed("chr1 10 50 a 0 +", "chr2 0 5 b 0 -", "chr1 41 61 c 0 -", "chr9 0 5 d 0 +")
    ledger, pairs = tiled(tmp_path, text)
    places = [(w.chrom, w.start, w.end, w.name) for w, _ in pairs]
    assert places == [
        ("chr1", 0, 20, "a"),
        ("chr1", 20, 40, "a"),
        ("chr1", 40, 60, "a"),
        ("chr1", 60, 80, "c"),
        ("chr2", 0, 20, "b"),
    ]
    runs = [(row["name"], row["start"], row["end"], row["reason"]) for row in ledger]
    assert runs == [
        ("a", "0", "60", ""),
        ("b", "0", "20", ""),
        ("c", "40", "60", "tile-of-another-row"),
        ("c", "60", "80", ""),
        ("d", "0", "5", "unknown-contig"),
    ]


def test_without_rows_the_contigs_are_tiled_from_end_to_end(tmp_path):
    ledger, pairs = tiled(tmp_path, None)
    runs = [(row["chrom"], row["start"], row["end"], row["reason"]) for row in ledger]
    assert runs == [
        ("chr1", "0", "100", ""),
        ("chr2", "0", "100", ""),
        ("chrM", "0", "30", ""),
        ("chrN", "0", "40", "too-many-n"),
        ("chrN", "40", "100", ""),
    ]
    for contig in ("chr1", "chr2", "chrM"):
        joined = b"".join(bases for window, bases in pairs if window.chrom == contig)
        assert joined.decode() == GENOME[contig]
    assert {window.name for window, _ in pairs} == set(GENOME)


def test_contigs_have_no_biotypes(tmp_path):
    fasta = write_fasta(tmp_path / "genome.fa", GENOME)
    with (
        pytest.raises(UsageError, match="contigs have no biotypes"),
        open_windows(
            Request(str(fasta), str(fasta), biotypes=("lncRNA",)),
            WindowSpec("interval", 0, 0, 0.5, tile=20),
            tmp_path,
        ),
    ):
        pass
