"""E4 41-55 of the field's reference: FASTA files that are odd or wrong."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support import reverse_complement, write_bed, write_fasta
from support.command_line import histpred, process, read_scores, tree
from support.extraction import read_fasta, read_ledger

ROWS = [
    ("chr1", 0, 40, "first", 0, "+"),
    ("chr1", 110, 175, "middle", 0, "-"),
    ("chr1", 2950, 3000, "last", 0, "+"),
    ("chr2", 1990, 2000, "end", 0, "-"),
]


def lines(genome: dict[str, str], width: int = 60, end: str = "\n") -> str:
    text = ""
    for name, sequence in genome.items():
        wrapped = [sequence[i : i + width] for i in range(0, len(sequence), width)]
        text += end.join([f">{name}", *wrapped, ""])
    return text


def faidx(path: Path) -> None:
    subprocess.run(["samtools", "faidx", path], check=True, capture_output=True)


def age(path: Path, seconds: int) -> None:
    """Make a file look `seconds` older."""
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def plain(path: Path, genome: dict[str, str], **options: object) -> Path:
    return write_fasta(path.with_suffix(".fa"), genome, **options)


def text(content: str) -> Callable[[Path, dict[str, str]], Path]:
    def make(path: Path, genome: dict[str, str]) -> Path:
        path.write_text(content, newline="")
        return path

    return make


def rewritten(change: Callable[[dict[str, str]], str]) -> Callable[[Path, dict[str, str]], Path]:
    def make(path: Path, genome: dict[str, str]) -> Path:
        path.write_text(change(genome), newline="")
        return path

    return make


def stale(path: Path, genome: dict[str, str]) -> Path:
    """An index of another file, older than this one."""
    plain(path, {"chr1": "ACGT" * 500, "chr2": "A" * 2000}, width=50)
    faidx(path)
    age(Path(f"{path}.fai"), 100)
    return plain(path, genome)


def misfit(path: Path, genome: dict[str, str]) -> Path:
    """An index of another file, younger than this one."""
    plain(path, {"chr1": "ACGT" * 500, "chr2": "A" * 2000}, width=50)
    faidx(path)
    plain(path, genome)
    age(path, 100)
    return path


def with_index(content: bytes, compressed: bool = False, kind: str = "fai") -> Callable[..., Path]:
    """A good file with `content` in the place of its index."""

    def make(path: Path, genome: dict[str, str]) -> Path:
        path = write_fasta(
            path.with_suffix(".fa.gz" if compressed else ".fa"), genome, 60, compressed
        )
        faidx(path)
        Path(f"{path}.{kind}").write_bytes(content)
        return path

    return make


def gzipped(path: Path, genome: dict[str, str]) -> Path:
    return write_fasta(path.with_suffix(".fa.gz"), genome, gzip=True)


def bgzipped(path: Path, genome: dict[str, str]) -> Path:
    return write_fasta(path.with_suffix(".fa.gz"), genome, bgzip=True)


def indexed(path: Path, genome: dict[str, str]) -> Path:
    faidx(bgzipped(path, genome))
    return path.with_suffix(".fa.gz")


ABSURD = [
    "chr1\t1" + "0" * 30 + "\t6\t60\t61",
    "chr1\t1" + "0" * 5000 + "\t6\t60\t61",
    "chr1\t3000\t6\t1\t99999999999999999",
    "chr1\t3000\t9" + "9" * 17 + "9\t60\t61",
    "chr1\t3000\t6\t60\t-61",
    "chr1\t3000\t6\t60\t0",
    "chr1\t3_000\t6\t60\t61",
    "chr1\t\u0663000\t6\t60\t61",
    "chr1\t3000\t6\t60",
    "chr1\t3000\t6\t60\t61\nchr1\t3000\t6\t60\t61",
]

# fmt: off
ACCEPTED = [
    # E4, name, how to make it, words on standard error
    (43, "gzip, not bgzip", gzipped, "is gzip, not bgzip: reading a private bgzip copy | "
     "gunzip -c odd.fa.gz | bgzip > odd.fa.bgz"),
    (43, "bgzip", bgzipped, "no index beside it; building a private one"),
    (43, "bgzip with index", indexed, ""),
    (44, "stale .fai", stale, "its index odd.fa.fai is older than the file"),
    (44, ".fai of another file", misfit, "its index odd.fa.fai does not fit the file"),
    (45, "empty .fai", with_index(b""), "its index odd.fa.fai is damaged"),
    (45, "binary .fai", with_index(bytes(range(256))), "its index odd.fa.fai is damaged"),
    (45, ".fai without numbers", with_index(b"chr1\tx\ty\tz\tw\n"), "odd.fa.fai is damaged"),
    (45, ".fai of one contig", with_index(b"chr1\t3000\t6\t60\t61\n"), "does not fit"),
    (45, ".fai of zero-width lines", with_index(b"chr1\t3000\t6\t0\t0\n"), "is damaged"),
    *((45, f".fai with absurd numbers: {row}", with_index(f"{row}\n".encode()), "is damaged")
      for row in ABSURD),
    *((45, f"bgzip, .fai with absurd numbers: {row}", with_index(f"{row}\n".encode(), True),
       "is damaged") for row in ABSURD),
    (45, ".fai far beyond the file", with_index(b"chr1\t999999999999999\t6\t60\t61\n"),
     "does not fit"),
    (45, "bgzip, .fai far beyond the file", with_index(
        b"chr1\t999999999999999\t6\t60\t61\n", True), "does not fit"),
    (45, "empty .gzi", with_index(b"", True, "gzi"), "does not fit"),
    (45, "binary .gzi", with_index(b"\xff" * 32, True, "gzi"), "does not fit"),
    (45, "short .gzi", with_index(b"\1\0\0\0", True, "gzi"), "does not fit"),
    (48, "CRLF", rewritten(lambda genome: lines(genome, end="\r\n")), ""),
    (48, "blank lines between contigs", rewritten(lambda genome: lines(genome).replace(
        "\n>", "\n\n>")), ""),
    (48, "no last line end", rewritten(lambda genome: lines(genome).rstrip()), ""),
    (48, "one line for each contig", rewritten(lambda genome: lines(genome, 10_000)), ""),
    (49, "lower case", rewritten(lambda genome: lines(
        {name: sequence.lower() for name, sequence in genome.items()})), ""),
    (54, "a space before the name", rewritten(lambda genome: lines(genome).replace(">", "> ")),
     ""),
    (53, "a contig of length zero", rewritten(lambda genome: ">empty\n" + lines(genome)), ""),
    (54, "headers with descriptions", rewritten(lambda genome: lines(
        {f"{name} a|b:c  d": sequence for name, sequence in genome.items()})), ""),
]

REFUSED = [
    # E4, name, how to make it, words
    (41, "missing", lambda path, genome: path, "{fasta}: no such file | check the path"),
    (41, "a directory", lambda path, genome: path.parent, "{fasta}: is a directory"),
    (42, "empty", text(""), "{fasta}: the FASTA is empty"),
    (42, "only blank lines", text("\n\n"), "{fasta}:1: not a FASTA"),
    (42, "a header only", text(">chr1\n"), "{fasta}"),
    (42, "not a FASTA", text("chr1\t0\t9\n"),
     "{fasta}:1: not a FASTA: it begins with 'chr1\\t0\\t9\\n' | are the two swapped?"),
    (47, "duplicate contigs", rewritten(lambda genome: lines(genome) + ">chr1\nACGT\n"),
     "{fasta}:87: the contig name 'chr1' appears twice (first in line 1)"),
    (47, "a contig without a name", rewritten(lambda genome: lines(genome) + ">\nACGT\n"),
     "{fasta}:87: a contig has no name"),
    (47, "contigs without a name", rewritten(lambda genome: lines(genome) + ">\nAC\n>\nAC\n"),
     "{fasta}:87: a contig has no name"),
    (48, "uneven lines", rewritten(lambda genome: lines(genome) + ">odd\nACGTA\nAC\nACGTA\n"),
     "{fasta}:90: lines of contig 'odd' differ in length: line 89 is shorter | seqtk seq"),
    (48, "a longer line", rewritten(lambda genome: lines(genome) + ">odd\nACGTA\nACGTACGT\n"),
     "{fasta}:89: lines of contig 'odd' differ in length: 8 after 5"),
    (52, "RNA", rewritten(lambda genome: lines(genome).replace("T", "U")),
     "{fasta}: contig 'chr1' holds 'U', first at base | RNA: replace U by T"),
    (52, "protein", text(">chr1\n" + "MKLVEEAQ" * 500 + "\n"),
     "{fasta}: this is a FASTA of proteins | histpred reads DNA"),
    (52, "gaps", rewritten(lambda genome: lines(genome).replace("ACG", "A-G")),
     "{fasta}: contig 'chr1' holds '-', first at base"),
    (52, "X for masked bases", rewritten(lambda genome: lines(genome).replace("ACG", "XXG")),
     "{fasta}: contig 'chr1' holds 'X', first at base | replace X by N"),
    (42, "a byte order mark", rewritten(lambda genome: "\ufeff" + lines(genome)),
     "{fasta}:1: the FASTA begins with a byte order mark | remove the mark: sed -i"),
    (55, "2bit", lambda path, genome: path.write_bytes(b"\x43\x27\x41\x1a" + bytes(12)) and path,
     "{fasta}: this is a 2bit file | twoBitToFa odd.fa genome.fa"),
]
# fmt: on


def ids(rows):
    return [f"{row[0]:02d} {row[1][:60]}" for row in rows]


@pytest.fixture
def rows(folder) -> Path:
    return write_bed(folder / "rows.bed", ROWS)


def extracted(folder: Path, rows: Path, fasta: Path) -> tuple[dict[str, str], str]:
    """Name -> sequence of the windows, and what was said."""
    out = folder / "out.fa"
    done = histpred("windows", rows, fasta, "-o", out, "--window", "body", "--overwrite")
    assert done.code == 0, done.err
    sequences = {header.split("::")[0]: bases for header, bases in read_fasta(out.read_text())}
    return sequences, done.err


def expected(genome: dict[str, str]) -> dict[str, str]:
    forward = {name: (genome[c][s:e], strand) for c, s, e, name, _, strand in ROWS}
    return {
        name: bases if strand == "+" else reverse_complement(bases)
        for name, (bases, strand) in forward.items()
    }


@pytest.mark.parametrize("row", ACCEPTED, ids=ids(ACCEPTED))
def test_accepted(row, folder, rows, genome):
    fasta = row[2](folder / "input" / "odd.fa", genome)
    before = tree(folder / "input")
    sequences, err = extracted(folder, rows, fasta)
    assert sequences == expected(genome)
    for word in row[3].split(" | "):
        assert word in err
    assert tree(folder / "input") == before
    assert not list((folder / "scratch").iterdir())


@pytest.mark.parametrize("verb", ["predict", "windows"])
@pytest.mark.parametrize("row", REFUSED, ids=ids(REFUSED))
def test_refused(row, verb, folder, rows, genome, refused):
    fasta = row[2](folder / "input" / "odd.fa", genome)
    out = folder / ("out" if verb == "predict" else "out.fa")
    words = tuple(row[3].format(fasta=fasta).split(" | "))
    refused(verb, rows, fasta, "-o", out, "--window", "body", words=words)


@pytest.mark.parametrize("compress", ["gzip", "bgzip"])
@pytest.mark.parametrize("lost", [0.5, 28, 8])
def test_truncated(compress, lost, folder, rows, genome, refused):
    fasta = write_fasta(folder / "input" / "cut.fa.gz", genome, **{compress: True})
    content = fasta.read_bytes()
    fasta.write_bytes(content[: -int(lost if lost > 1 else len(content) * lost)])
    words = (f"{fasta}", "truncated or damaged", "download or copy the file again")
    refused("predict", rows, fasta, "-o", folder / "out", "--window", "body", words=words)


@pytest.mark.parametrize("compress", ["gzip", "bgzip"])
def test_a_damaged_byte_anywhere_is_never_an_interruption(compress, folder, rows, genome):
    """Each way in which zlib notices damage ends with the file's name, or with the right bases."""
    fasta = write_fasta(folder / "input" / "odd.fa.gz", genome, **{compress: True})
    good, right = fasta.read_bytes(), expected(genome)
    rng = random.Random(1)
    refusals = set()
    for _ in range(150):
        damaged = bytearray(good)
        place = rng.randrange(len(good))
        damaged[place : place + rng.choice([0, 1, 1, 9])] = rng.randbytes(rng.choice([0, 1, 1, 9]))
        fasta.write_bytes(damaged)
        out = folder / "out.fa"
        done = histpred("windows", rows, fasta, "-o", out, "--window", "body", "--overwrite")
        if done.code == 0:
            found = dict(read_fasta(out.read_text()))
            assert {name.split("::")[0]: bases for name, bases in found.items()} == right
        else:
            assert done.code == 1, done.err
            what = done.err.splitlines()[-2]
            assert what.startswith(f"error: {fasta}"), done.err
            refusals.add(what.partition("(")[2][:9])
    assert {"CRC check", "Error -3 "} <= refusals


@pytest.mark.parametrize("end", [b"", bytes.fromhex("1f8b0804")])
def test_bgzip_that_stops_in_a_block_before_its_end_block(end, folder, rows, genome, refused):
    """Its last 28 bytes are right, so only reading it shows that a block is cut."""
    fasta = bgzipped(folder / "input" / "odd.fa", genome)
    content = fasta.read_bytes()
    fasta.write_bytes(content[: len(content) // 2] + end + content[-28:])
    words = (f"{fasta}: the compressed data is truncated or damaged",)
    refused("predict", rows, fasta, "-o", folder / "out", "--window", "body", words=words)


def test_cut_short_after_its_index_was_made(folder, rows, genome):
    """Its .fai is not believed, and the row that lost its bases is not scored."""
    fasta = plain(folder / "input" / "cut.fa", genome)
    faidx(fasta)
    fasta.write_bytes(fasta.read_bytes()[:-500])
    age(fasta, 100)
    arguments = (rows, fasta, "-o", folder / "out", "--window", "body", "--strict")
    done = histpred("predict", *arguments)
    assert done.code == 3
    assert "its index cut.fa.fai does not fit the file" in done.err
    assert "outside-the-contig 1" in done.err
    scored = [row["name"] for row in read_scores(folder / "out" / "scores.tsv.gz").rows]
    assert scored == ["first", "middle", "last"]


def test_a_pipe_is_no_fasta(folder, rows, refused):
    os.mkfifo(folder / "input" / "pipe.fa")
    fasta = folder / "input" / "pipe.fa"
    # The folder's snapshot does not open pipes, and neither may histpred.
    refused(
        "predict",
        rows,
        fasta,
        "-o",
        folder / "out",
        words=(f"{fasta}: a FASTA is read at many places",),
    )


def test_46_a_read_only_folder_without_an_index(folder, rows, genome):
    """In a process of its own; root gives up the capability that makes permissions void."""
    inputs = folder / "input"
    inputs.chmod(0o555)
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    prefix = drop if os.geteuid() == 0 else []
    try:
        assert subprocess.run([*prefix, "touch", inputs / "x"], check=False).returncode
        out, fasta = folder / "out.fa", inputs / "genome.fa"
        done = process("windows", rows, fasta, "-o", out, "--window", "body", prefix=prefix)
    finally:
        inputs.chmod(0o755)
    assert done.code == 0, done.err
    assert len(read_fasta(out.read_text())) == len(ROWS)


def test_49_lower_case_and_upper_case_score_alike(folder, rows, genome):
    lower = {name: sequence.lower() for name, sequence in genome.items()}
    tables = []
    for name, sequences in (("upper", genome), ("lower", lower)):
        fasta = write_fasta(folder / f"{name}.fa", sequences)
        assert histpred("predict", rows, fasta, "-o", folder / name).code == 0
        tables.append((folder / name / "scores.tsv.gz").read_bytes())
    assert tables[0] == tables[1]


# fmt: off
UNKNOWN_BASES = [
    # E4, name, bases 0-100 of the contig, share of N or None where it is skipped
    (50, "all N", "N" * 100, None),
    (50, "more N than the limit", "N" * 51 + "A" * 49, None),
    (50, "as much N as the limit", "N" * 50 + "A" * 50, 0.5),
    (50, "no N", "ACGT" * 25, 0.0),
    (51, "IUPAC codes", "RYSWKMBDHV" + "ACGTACGTAC" * 9, 0.1),
    (51, "IUPAC codes, lower case", "ryswkmbdhv" + "acgtacgtac" * 9, 0.1),
    (51, "more IUPAC codes than the limit", "RYSWKMBDHV" * 6 + "ACGT" * 10, None),
]
# fmt: on


@pytest.mark.parametrize("row", UNKNOWN_BASES, ids=ids(UNKNOWN_BASES))
def test_n_is_counted_and_limited(row, folder):
    _, _, bases, share = row
    rows = [("odd", 0, 100, "odd", 0, "+"), ("good", 0, 100, "good", 0, "+")]
    annotation = write_bed(folder / "rows.bed", rows)
    fasta = write_fasta(folder / "n.fa", {"odd": bases, "good": "ACGT" * 25})
    done = histpred("predict", annotation, fasta, "-o", folder / "out", "--window", "body")
    assert done.code == 0, done.err
    scored = {row["name"]: row for row in read_scores(folder / "out" / "scores.tsv.gz").rows}
    ledger = {row["name"]: row for row in read_ledger(folder / "out" / "ledger.tsv")}
    assert ledger["good"]["status"] == "scored"
    if share is None:
        assert ledger["odd"]["reason"] == "too-many-n"
        assert set(scored) == {"good"}
    else:
        assert float(scored["odd"]["n_fraction"]) == share


def test_50_nothing_but_n_is_an_error(folder, refused):
    annotation = write_bed(folder / "rows.bed", [("n", 0, 50, "a", 0, "+")])
    fasta = write_fasta(folder / "input" / "n.fa", {"n": "N" * 100})
    words = (f"{annotation}: its only row cannot be scored: too-many-n 1",)
    refused("predict", annotation, fasta, "-o", folder / "out", "--window", "body", words=words)


@pytest.mark.parametrize("strand", "+-")
def test_53_what_a_contig_lacks_of_a_window_is_n(strand, folder):
    annotation = write_bed(folder / "rows.bed", [("tiny", 10, 20, "a", 0, strand)])
    fasta = write_fasta(folder / "tiny.fa", {"tiny": "ACGTTGCA" * 10})
    options = ("--window", "promoter", "--upstream", "1000", "--downstream", "1000")
    assert histpred("windows", annotation, fasta, "-o", folder / "out.fa", *options).code == 0
    ((header, sequence),) = read_fasta((folder / "out.fa").read_text())
    assert header == f"a::tiny:0-80({strand})"
    before, behind = (990, 930) if strand == "+" else (940, 980)
    bases = "ACGTTGCA" * 10 if strand == "+" else "TGCAACGT" * 10
    assert sequence == "N" * before + bases + "N" * behind
    (row,) = read_ledger(folder / "out.fa.ledger.tsv")
    assert row["note"] == "clipped by 1920 bp at the contig's end"


@pytest.mark.parametrize("name", ["gi|123|ref|NC_1.1|", "HLA-A*01:01:01:01", "chr1_KI270706v1"])
def test_54_contig_names_with_odd_letters(name, folder):
    annotation = write_bed(folder / "rows.bed", [(name, 4, 20, "a", 0, "-")])
    fasta = write_fasta(folder / "odd.fa", {f"{name} what it is": "ACGTTGCC" * 10})
    arguments = (annotation, fasta, "-o", folder / "out.fa", "--window", "body")
    assert histpred("windows", *arguments).code == 0
    ((header, sequence),) = read_fasta((folder / "out.fa").read_text())
    assert (header, sequence) == (f"a::{name}:4-20(-)", "ACGTGGCA" * 2)


@pytest.mark.parametrize(("verb", "names"), [("predict", "ab"), ("windows", ["a.bed", "b.bed"])])
def test_a_cache_keeps_the_copy_for_the_next_run(verb, names, folder, rows, genome):
    fasta = gzipped(folder / "input" / "odd.fa", genome)
    before = tree(folder / "input")
    kept = []
    for name in names:
        arguments = (rows, fasta, "-o", folder / name, "--cache", folder / "new" / "cache")
        done = process(verb, *arguments, "--window", "body")  # htslib may crash on a wrong path
        assert done.code == 0, done
        files = tree(folder / "new" / "cache")
        # The digest is kept only once the FASTA is older than a moment.
        kept.append({name: file for name, file in files.items() if not name.endswith(".sha256")})
    assert kept[0] == kept[1]
    assert len(kept[0]) == 3  # the copy, its .fai and its .gzi
    assert not [name for name in kept[0] if "partial" in name]
    assert tree(folder / "input") == before


def test_a_damaged_file_in_the_cache_is_not_believed(folder, rows, genome):
    """What a full disk or an editor left in a kept folder must not change a score."""
    fasta = plain(folder / "input" / "odd.fa", genome)
    cache = folder / "cache"
    cache.mkdir()
    arguments = ("windows", rows, fasta, "--cache", cache, "--window", "body", "-o")
    assert histpred(*arguments, folder / "one.fa").code == 0
    (index,) = cache.glob("*.fai")
    index.write_text("chr1\t3000\t6\t50\t51\nchr2\t2000\t3057\t60\t61\n")
    done = histpred(*arguments, folder / "two.fa")
    if done.code == 0:
        assert (folder / "two.fa").read_bytes() == (folder / "one.fa").read_bytes()
    assert "bug in histpred" not in done.err


def test_random_fastas_extract_what_a_slice_gives(folder):
    rng = random.Random(8)
    genome = {f"c{i}": "".join(rng.choices("ACGT", k=rng.randint(30, 400))) for i in range(8)}
    rows = []
    for name, sequence in genome.items():
        start = rng.randrange(len(sequence))
        rows.append((name, start, rng.randint(start + 1, len(sequence)), name, 0, "+"))
    annotation = write_bed(folder / "rows.bed", rows)
    for width in (1, 7, 61, 1000):
        fasta = folder / f"w{width}.fa"
        write_fasta(fasta, genome, width)
        sequences, _ = extracted(folder, annotation, fasta)
        assert sequences == {name: genome[name][start:end] for name, start, end, *_ in rows}


def test_gzip_members_and_a_suffix_that_lies(folder, rows, genome):
    """Two gzip members, as `cat a.gz b.gz` makes, under a name that says plain."""
    content = lines(genome).encode()
    fasta = folder / "input" / "odd.fa"
    fasta.write_bytes(gzip.compress(content[:999]) + gzip.compress(content[999:]))
    assert extracted(folder, rows, fasta)[0] == expected(genome)


def test_a_symlinked_fasta_leaves_both_folders_alone(folder, rows, genome):
    real = folder / "input" / "real"
    real.mkdir()
    shutil.move(folder / "input" / "genome.fa", real / "genome.fa")
    (folder / "input" / "link.fa").symlink_to(real / "genome.fa")
    before = tree(folder / "input")
    assert extracted(folder, rows, folder / "input" / "link.fa")[0] == expected(genome)
    assert tree(folder / "input") == before
