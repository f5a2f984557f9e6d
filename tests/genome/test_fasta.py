"""FASTA files of all kinds, through `Reference`: rows 41-55 of the malformed corpus.

Whatever is beside the user's FASTA stays as it is: `read` looks before and after.
"""

from __future__ import annotations

import gzip
import os
import random
import tracemalloc
from pathlib import Path

import pysam
import pytest

from histpred.core.errors import InputError
from histpred.genome import fasta
from histpred.genome import reference as reference_module
from histpred.genome.faidx import read_fai
from histpred.genome.reference import Reference
from support import random_genome, write_fasta
from support.annotations import write

GENOME = random_genome(random.Random(5), {"chr1": 1000, "chr2": 61, "chrM": 60, "chrN": 1})
LARGE = random_genome(random.Random(6), {"chr1": 300_000, "chr2": 120_000})


@pytest.fixture
def folder(tmp_path):
    """The user's folder: `read` sees to it that nothing in it changes."""
    path = tmp_path / "user"
    path.mkdir()
    return path


@pytest.fixture
def private(tmp_path):
    path = tmp_path / "private"
    path.mkdir()
    return path


def listing(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(folder.iterdir())
    }


def read(path: Path, private: Path) -> tuple[dict[str, str], list[str]]:
    """The genome as `Reference` reads it, and what it says; nothing beside the file may change."""
    before = listing(path.parent)
    try:
        with Reference(path, private) as reference:
            genome = {
                name: reference.fetch(name, 0, length).decode()
                for name, length in reference.lengths.items()
            }
            return genome, [*reference.notices, *reference.warnings]
    finally:
        assert listing(path.parent) == before


def older(path: Path, seconds: int = 100) -> None:
    """Turn back a file's clock."""
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


@pytest.mark.parametrize("how", [{}, {"width": 7}, {"width": 10**6}, {"bgzip": True}])
@pytest.mark.parametrize("indexed", [True, False])
def test_with_and_without_an_index(folder, private, how, indexed):
    path = write_fasta(folder / "genome.fa", GENOME, **how)
    if indexed:
        pysam.faidx(str(path))
    genome, notices = read(path, private)
    assert genome == GENOME
    assert list(genome) == list(GENOME)
    if indexed:
        assert notices == []
        assert listing(private) == {}
    else:
        assert len(notices) == 1
        assert "no index beside it; building a private one" in notices[0]


def test_plain_gzip_is_copied_and_the_user_is_told(folder, private):
    path = write_fasta(folder / "genome.fa.gz", GENOME, gzip=True)
    genome, notices = read(path, private)
    assert genome == GENOME
    assert any("is gzip, not bgzip" in notice and "| bgzip >" in notice for notice in notices)


@pytest.mark.parametrize("how", [{}, {"bgzip": True}, {"gzip": True}])
def test_what_was_made_in_a_kept_folder_serves_again(folder, private, how):
    path = write_fasta(folder / "genome.fa", GENOME, **how)
    first, _ = read(path, private)
    made = listing(private)
    assert read(path, private)[0] == first == GENOME
    assert listing(private) == made
    # Another genome under the same name is not served from it.
    write_fasta(path, LARGE, **how)
    assert read(path, private)[0] == LARGE


@pytest.mark.parametrize("name", ["genome.fa", "genome.txt", "genome.fa.gz", "a b'c.fa"])
@pytest.mark.parametrize("how", [{}, {"bgzip": True}, {"gzip": True}])
def test_the_suffix_does_not_matter(folder, private, name, how):
    assert read(write_fasta(folder / name, GENOME, **how), private)[0] == GENOME


def test_a_folder_that_cannot_be_written_to(folder, private):
    path = write_fasta(folder / "genome.fa", GENOME)
    folder.chmod(0o555)
    try:
        assert read(path, private)[0] == GENOME
    finally:
        folder.chmod(0o755)


# Indexes that do not belong to the file.


@pytest.mark.parametrize("how", [{}, {"bgzip": True}])
def test_an_index_of_an_older_file(folder, private, how):
    path = write_fasta(folder / "genome.fa", LARGE, **how)
    pysam.faidx(str(path))
    write_fasta(path, GENOME, **how)
    for index in folder.glob("genome.fa.*"):
        older(index)
    genome, notices = read(path, private)
    assert genome == GENOME
    assert "is older than the file; building a private one" in notices[0]


@pytest.mark.parametrize("how", [{}, {"bgzip": True}])
@pytest.mark.parametrize(
    "other",
    [
        GENOME | {"chr2": GENOME["chr2"] + "A"},
        {name: GENOME[name] for name in reversed(GENOME)},
        GENOME | {"chr3": "ACGT"},
        {name: GENOME[name] for name in list(GENOME)[:-1]},
        {"other" + name: sequence for name, sequence in GENOME.items()},
    ],
    ids=["longer contig", "other order", "more contigs", "fewer contigs", "other names"],
)
def test_an_index_of_another_file_that_looks_new(folder, private, other, how):
    path = write_fasta(folder / "genome.fa", other, **how)
    pysam.faidx(str(path))
    write_fasta(path, GENOME, **how)
    older(path)
    genome, notices = read(path, private)
    assert genome == GENOME
    assert "does not fit the file" in notices[0]


def test_an_index_of_another_wrapping_that_looks_new(folder, private):
    path = write_fasta(folder / "genome.fa", GENOME, width=60)
    pysam.faidx(str(path))
    write_fasta(path, GENOME, width=50)
    older(path)
    assert read(path, private)[0] == GENOME


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"chr1\n",
        b"chr1\t1000\n",
        b"chr1\tx\ty\tz\tw\n",
        b"\0\1\2\xff",
        b"chr1\t1000\t6\t0\t0\n",
        b"chr1\t-5\t6\t60\t61\n",
        b"chr1\t1000\t6\t60\t61\n",
    ],
)
def test_a_damaged_fai(folder, private, content):
    path = write_fasta(folder / "genome.fa", GENOME)
    write(folder / "genome.fa.fai", content)
    genome, notices = read(path, private)
    assert genome == GENOME
    assert len(notices) == 1


@pytest.mark.parametrize("how", [{}, {"bgzip": True}])
def test_an_index_of_other_line_lengths_that_end_at_the_same_offset(folder, private, how):
    """Found by fuzzing: fewer bases in lines of 40, with two bytes after each, end there too."""
    path = write_fasta(folder / "genome.fa", GENOME, **how)
    pysam.faidx(str(path))
    fai = Path(f"{path}.fai")
    first, *others = fai.read_text().splitlines(keepends=True)
    name, length, offset, bases, _ = first.split("\t")
    stop = int(length) + (int(length) - 1) // int(bases)
    wrong = next(
        n for n in range(1, int(length)) if n + (n - 1) // 40 * 2 == stop and n != int(length)
    )
    fai.write_text(f"{name}\t{wrong}\t{offset}\t40\t42\n" + "".join(others))
    genome, notices = read(path, private)
    assert genome == GENOME
    assert any("does not fit the file" in notice for notice in notices)


@pytest.mark.parametrize("kept", [0, 7, 20, -16, -1])
def test_a_gzi_cut_short(folder, private, kept):
    path = write_fasta(folder / "genome.fa.gz", LARGE, bgzip=True)
    pysam.faidx(str(path))
    gzi = folder / "genome.fa.gz.gzi"
    write(gzi, gzi.read_bytes()[:kept])
    genome, notices = read(path, private)
    assert genome == LARGE
    assert len(notices) == 1


@pytest.mark.parametrize("where", ["compressed", "uncompressed"])
@pytest.mark.parametrize("entry", [0, 1, 2, -1])
def test_a_gzi_with_one_wrong_bit_never_gives_other_bases(
    folder, private, monkeypatch, where, entry
):
    monkeypatch.setattr(reference_module, "STRETCH", 1)
    path = write_fasta(folder / "genome.fa.gz", LARGE, bgzip=True)
    pysam.faidx(str(path))
    gzi = folder / "genome.fa.gz.gzi"
    content = bytearray(gzi.read_bytes())
    entries = range(8, len(content), 16)
    places = range(0, 299_000, 9_999)
    content[entries[entry] + (0 if where == "compressed" else 8)] ^= 0b100
    write(gzi, bytes(content))
    try:
        with Reference(path, private) as reference:
            read = [reference.fetch("chr1", at, at + 10) for at in places]
    except InputError as error:
        assert str(path) in str(error)  # noqa: PT017 - to refuse is as right as to mend
    else:
        assert read == [LARGE["chr1"][at : at + 10].encode() for at in places]


def test_an_index_with_a_carriage_return_between_two_contigs(folder, private):
    """htslib does not end a line there, and would lose the second of them."""
    path = write_fasta(folder / "genome.fa", GENOME)
    pysam.faidx(str(path))
    index = Path(f"{path}.fai")
    first, rest = index.read_text().split("\n", 1)
    write(index, f"{first}\r{rest}".encode())
    assert read(path, private)[0] == GENOME


def test_a_bgzip_file_whose_gzi_is_missing(folder, private):
    path = write_fasta(folder / "genome.fa.gz", GENOME, bgzip=True)
    pysam.faidx(str(path))
    (folder / "genome.fa.gz.gzi").unlink()
    assert read(path, private)[0] == GENOME


# Files that are not, or not wholly, a FASTA.


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the FASTA is empty"),
        (gzip.compress(b"", mtime=0), "empty|begins with ''"),
        (b"\x43\x27\x41\x1a\0\0\0\0", "this is a 2bit file"),
        (b"\x1a\x41\x27\x43\0\0\0\0", "this is a 2bit file"),
        (b"chr1\t0\t10\n", ":1: not a FASTA: it begins with 'chr1.*are the two swapped"),
        (gzip.compress(b"chr1\t0\t10\n", mtime=0), "not a FASTA.*are the two swapped"),
        (b"ACGT\n", ":1: not a FASTA"),
        (b">chr1\nACGT\n>chr2\nAC\n>chr1\nGGGG\n", r":5: .*'chr1' appears twice.*line 1"),
        (b">chr1 a\nACGT\n>chr1 b\nACGT\n", ":3: .*appears twice"),
        (b">chr1\nACGT\nAC\nACGT\n", r":4: lines of contig 'chr1' differ in length"),
        (b">chr1\nACGT\nACGTA\nAC\n", r":3: lines of contig 'chr1' differ in length"),
        (b">chr1\nACGT\n\nACGT\n", "lines of contig 'chr1' differ in length"),
        (b">chr0\nAC\n>chr1\nACGT\nACG\nACG\n", "contig 'chr1'"),
        (b">chr1\ta\nACGT\n>chr1\tb\nACGT\n", ":3: .*appears twice"),
        (b">chr1\nACGT\n>empty\n", ":3: .*'empty'"),
        (b">chr1\rACGT\rACGT\r", "genome.fa"),
        (b"\xef\xbb\xbf>chr1\nACGT\n", ":1: the FASTA begins with a byte order mark.*sed -i"),
        (gzip.compress(b"\xef\xbb\xbf>chr1\nACGT\n", mtime=0), "byte order mark"),
        (">chr1\nACGT\n".encode("utf-16"), "UTF-16 text.*iconv"),
        (b"BZh91AY&SY", "compressed with bzip2.*bunzip2"),
        (b"\xfd7zXZ\0", "compressed with xz.*unxz"),
        (b"\x28\xb5\x2f\xfd\x04", "compressed with zstd.*unzstd"),
        (b"PK\x03\x04\x14\0", "a zip archive.*unpack it"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git-LFS pointer.*git lfs pull"),
        (b"<!DOCTYPE html>\n", "a web page or XML.*download"),
    ],
)
def test_what_is_wrong_with_a_fasta(folder, private, content, message):
    path = write(folder / "genome.fa", content)
    with pytest.raises(InputError, match=f"(?s){message}") as caught:
        read(path, private)
    assert str(path) in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("wrap", ["gzip", "bgzip"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b">chr1\nACGT\n>chr2\nAC\n>chr1\nGGGG\n", r":5: .*'chr1' appears twice.*line 1"),
        (b">chr1\nACGT\nAC\nACGT\n", r":4: lines of contig 'chr1' differ in length"),
        (b">chr1\rACGT\rACGT\r", "lines end in CR only"),
    ],
)
def test_an_error_in_a_compressed_fasta_names_the_file_of_the_user(
    folder, private, wrap, content, message
):
    path = folder / "genome.fa.gz"
    if wrap == "gzip":
        write(path, gzip.compress(content))
    else:
        with pysam.BGZFile(str(path), "wb") as target:
            target.write(content)
    with pytest.raises(InputError, match=f"(?s){message}") as caught:
        read(path, private)
    assert str(path) in str(caught.value)
    assert str(private) not in str(caught.value)


@pytest.mark.parametrize("bases", [60, 3_000, 70_000])
@pytest.mark.parametrize("place", [1, 2])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_second_copy_of_a_contig_is_noticed_beside_an_index_that_lacks_it(
    folder, private, compressed, place, bases
):
    """`samtools faidx` leaves it out with a warning. Copies within and across bgzip blocks."""
    records = [(b"chr1", 2_000), (b"chr2", 100)]
    records.insert(place, (b"chr1", bases))
    text = b"".join(
        b">" + name + b"\n" + b"".join(b"ACGT" * 15 + b"\n" for _ in range(0, size, 60))
        for name, size in records
    )
    path = folder / ("genome.fa.gz" if compressed else "genome.fa")
    if compressed:
        with pysam.BGZFile(str(path), "wb") as target:
            target.write(text)
    else:
        path.write_bytes(text)
    pysam.faidx(str(path))
    assert Path(f"{path}.fai").read_text().count("chr1") == 1
    with pytest.raises(InputError, match="contig name 'chr1' appears twice"):
        read(path, private)


@pytest.mark.parametrize("name", ["missing.fa", ".", "pipe"])
def test_what_cannot_be_read_at_random(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"no such file|is a directory|a pipe cannot do"):
        Reference(tmp_path / name, tmp_path)


@pytest.mark.parametrize("how", [{"bgzip": True}, {"gzip": True}])
@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("kept", [10, 60_000, -28, -1])
def test_a_truncated_file(folder, private, how, indexed, kept):
    path = write_fasta(folder / "genome.fa.gz", LARGE, **how)
    if indexed and "bgzip" in how:
        pysam.faidx(str(path))
    write(path, path.read_bytes()[:kept])
    with pytest.raises(InputError, match="truncated or damaged"):
        read(path, private)


def test_a_plain_file_cut_short_behind_its_index(folder, private):
    path = write_fasta(folder / "genome.fa", LARGE)
    pysam.faidx(str(path))
    write(path, path.read_bytes()[:-1000])
    older(path)
    genome, _ = read(path, private)
    assert genome["chr1"] == LARGE["chr1"]
    assert LARGE["chr2"].startswith(genome["chr2"])


# Files that are one.


def test_names_and_descriptions(folder, private):
    content = (
        ">chr1 Homo sapiens chromosome 1, whole\nACGT\n>chr2\tafter a tab\nGG\n"
        ">gi|123|ref|NC_1.2| x:1-4\nTTTT\n>HLA:A*01:01 1-3\nCC\n>a=b;c,d 'q'\nA\n"
    )
    path = write(folder / "genome.fa", content)
    assert read(path, private)[0] == {
        "chr1": "ACGT",
        "chr2": "GG",
        "gi|123|ref|NC_1.2|": "TTTT",
        "HLA:A*01:01": "CC",
        "a=b;c,d": "A",
    }
    pysam.faidx(str(path))
    assert read(path, private)[1] == []


def test_a_contig_without_bases_is_none(folder, private):
    path = write(folder / "genome.fa", ">chr1\nACGT\n>empty\n>chr2\nGG\n")
    genome, _ = read(path, private)
    assert {name: sequence for name, sequence in genome.items() if sequence} == {
        "chr1": "ACGT",
        "chr2": "GG",
    }


@pytest.mark.parametrize(
    "content",
    [
        ">chr1\r\nACGT\r\nAC\r\n>chr2\r\nGG\r\n",
        ">chr1\nACGT\nAC\n>chr2\nGG",
        ">chr1\nACGT\nAC\n\n\n>chr2\nGG\n\n",
        "\n>chr1\nACGT\nAC\n>chr2\nGG\n",
    ],
    ids=["CRLF", "no last line end", "blank lines between", "blank line first"],
)
@pytest.mark.parametrize("indexed", [True, False])
def test_line_ends(folder, private, content, indexed):
    path = write(folder / "genome.fa", content)
    if indexed:
        pysam.faidx(str(path))
    assert read(path, private)[0] == {"chr1": "ACGTAC", "chr2": "GG"}


def test_bgzip_that_goes_on_as_gzip_is_not_called_truncated(folder, private):
    write_fasta(folder / "first.gz", {"chr1": GENOME["chr1"]}, bgzip=True)
    joined = (folder / "first.gz").read_bytes() + gzip.compress(b">chr2\nACGT\n")
    path = write(folder / "genome.fa.gz", joined)
    with pytest.raises(InputError, match=r"begins as bgzip and ends as plain gzip.*(?s:.*)bgzip >"):
        read(path, private)
    with pytest.raises(InputError, match="truncated or damaged"):
        read(write(path, joined[:-9]), private)


def test_headers_of_a_contig_in_one_line_do_not_read_the_line_whole(folder):
    path = write(folder / "genome.fa", ">a x\n" + "ACGT" * (4 << 20) + "\n>b\nA>C\n")
    tracemalloc.start()
    try:
        assert list(fasta.headers(path)) == [("a", "x", 1), ("b", "", 3)]
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_headers(folder):
    path = write(folder / "genome.fa", ">a one two\nACGT\n>b\nAC\n>c\tthree\nAC\n")
    expected = [("a", "one two", 1), ("b", "", 3), ("c", "three", 5)]
    assert list(fasta.headers(path)) == expected
    assert list(fasta.headers(write(folder / "z", gzip.compress(path.read_bytes())))) == expected


def test_read_fai(folder):
    path = write_fasta(folder / "genome.fa", GENOME, width=60)
    pysam.faidx(str(path))
    content = path.read_bytes()
    for contig in read_fai(Path(f"{path}.fai")):
        stored = content[contig.offset : contig.stop].replace(b"\n", b"").decode()
        assert stored == GENOME[contig.name]
        assert content[contig.stop : contig.stop + 1] == b"\n"
