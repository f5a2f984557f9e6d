from __future__ import annotations

import hashlib
import os
import random
import time
from pathlib import Path

import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histpred.core.errors import InputError
from histpred.genome import reference as module
from histpred.genome.reference import SETTLED, Reference, remembered_digest
from histpred.genome.regions import Window
from histpred.genome.windows import window_sequence
from support import random_genome, reverse_complement, write_fasta
from support.annotations import write

GENOME = random_genome(random.Random(7), {"chr1": 500, "chr2": 61}, lower=True)


@pytest.fixture(scope="module", params=[{}, {"bgzip": True}, {"gzip": True}])
def reference(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    with Reference(write_fasta(folder / "genome.fa", GENOME, **request.param), folder) as opened:
        yield opened


@pytest.mark.parametrize("stretch", [1, 7, 50, 1 << 20])
@given(data=st.data())
def test_any_fetches_in_any_order(reference, stretch, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STRETCH", stretch)
        for _ in range(5):
            contig = data.draw(st.sampled_from(list(GENOME)))
            start = data.draw(st.integers(0, len(GENOME[contig])))
            end = data.draw(st.integers(start, len(GENOME[contig])))
            expected = GENOME[contig][start:end].upper()
            assert reference.fetch(contig, start, end).decode() == expected
            other = reference.fetch(contig, start, end, "-").decode()
            assert other == reverse_complement(expected)


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 4), (0, 501), (501, 501)])
def test_what_is_not_on_the_contig_is_a_fault_of_the_caller(reference, start, end):
    with pytest.raises(ValueError, match="is not on the contig"):
        reference.fetch("chr1", start, end)


def test_lengths_and_digest(reference):
    assert list(reference.lengths.items()) == [("chr1", 500), ("chr2", 61)]
    with open(reference.name, "rb") as stream:
        assert reference.digest == hashlib.sha256(stream.read()).hexdigest()


def test_ambiguity_codes_become_n(tmp_path):
    path = write(tmp_path / "genome.fa", ">a\nACRYSWKMBDHVNacryswkmbdhvn\n")
    with Reference(path, tmp_path) as reference:
        assert reference.fetch("a", 0, 26) == b"ACNNNNNNNNNNNACNNNNNNNNNNN"
        assert reference.fetch("a", 0, 4, "-") == b"NNGT"


@pytest.mark.parametrize(
    ("sequence", "letters", "base", "hint"),
    [
        ("ACGUACGU", "'U'", 4, "RNA"),
        ("acguacgu", "'u'", 4, "RNA"),
        ("ACGUacgu", "'Uu'", 4, "RNA"),
        ("ACGTMEEPQ", "'EPQ'", 6, "protein"),
        ("ACG-ACGT", "'-'", 4, "gaps of an alignment"),
        ("ACGT*", r"'\*'", 5, "DNA letters"),
        ("ACXT", "'X'", 3, "replace X by N"),
        ("ACxxXT", "'Xx'", 3, "replace X by N"),
        ("ACXTE", "'EX'", 3, "protein"),
    ],
)
def test_letters_that_are_no_dna(tmp_path, sequence, letters, base, hint):
    path = write(tmp_path / "genome.fa", f">good\nACGT\n>bad\n{sequence}\n")
    with Reference(path, tmp_path) as reference:
        assert reference.fetch("good", 0, 4) == b"ACGT"
        with pytest.raises(
            InputError, match=f"contig 'bad' holds {letters}, first at base {base}"
        ) as caught:
            reference.fetch("bad", 0, len(sequence))
    assert hint in caught.value.hint


def test_a_spliced_window_on_the_minus_strand_costs_one_read(tmp_path, monkeypatch):
    """Its exons are joined from the last to the first, but should be read from the first on."""
    path = write_fasta(tmp_path / "genome.fa", GENOME)
    blocks = tuple((start, start + 10) for start in range(0, 500, 20))
    window = Window("chr1", 0, 490, "-", "a", ".", ".", 1, blocks)
    reads = []
    with Reference(path, tmp_path) as reference:
        load = reference._load
        monkeypatch.setattr(reference, "_load", lambda *place: (reads.append(place), load(*place)))
        sequence = window_sequence(window, reference).decode()
    expected = "".join(GENOME["chr1"][start:end] for start, end in blocks).upper()
    assert sequence == reverse_complement(expected)
    assert len(reads) == 1


def test_pysam_says_nothing_about_a_missing_index(tmp_path, capfd):
    before = pysam.get_verbosity()
    with Reference(write_fasta(tmp_path / "genome.fa", GENOME), tmp_path):
        pass
    assert capfd.readouterr() == ("", "")
    assert pysam.get_verbosity() == before


@pytest.fixture
def settled(tmp_path, monkeypatch) -> Path:
    """A file that has lain there for a while, as far as the clock says."""
    path = write(tmp_path / "genome.fa", ">a\nACGT\n")
    now = time.time
    monkeypatch.setattr(module.time, "time", lambda: now() + SETTLED + 60)
    (tmp_path / "cache").mkdir()
    return path


def count_reads(monkeypatch) -> list[Path]:
    """The files that are read for their digest from now on."""
    reads: list[Path] = []

    def spy(path):
        reads.append(path)
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()

    monkeypatch.setattr(module, "file_digest", spy)
    return reads


def test_a_digest_is_worked_out_once(settled, monkeypatch):
    reads = count_reads(monkeypatch)
    expected = hashlib.sha256(settled.read_bytes()).hexdigest()
    link = settled.with_name("link.fa")
    link.symlink_to(settled)
    for path in (settled, settled, link):
        assert remembered_digest(path, settled.parent / "cache") == expected
    assert reads == [settled]
    (kept,) = (settled.parent / "cache").iterdir()
    assert kept.read_text() == expected


def test_other_bytes_of_the_same_size_and_time_are_noticed(settled, monkeypatch):
    """Whoever puts the time of modification back cannot put back that of the change (ctime)."""
    cache = settled.parent / "cache"
    first = remembered_digest(settled, cache)
    before = settled.stat()
    time.sleep(0.02)  # a clock that ticks each 4 ms stamps files
    settled.write_text(">a\nTGCA\n")
    os.utime(settled, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = settled.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    second = remembered_digest(settled, cache)
    assert second == hashlib.sha256(settled.read_bytes()).hexdigest() != first


@pytest.mark.parametrize("stamp", ["modified", "changed"])
@pytest.mark.parametrize(("age", "is_remembered"), [(0, False), (2, False), (2.25, True)])
def test_a_digest_is_remembered_if_the_file_is_older_than_two_seconds(
    tmp_path, monkeypatch, stamp, age, is_remembered
):
    """A clock of two seconds (FAT) gives an earlier change the same time."""
    path = write(tmp_path / "genome.fa", ">a\nACGT\n")
    (tmp_path / "cache").mkdir()
    if stamp == "changed":  # the time of modification is long ago, that of the change is now
        os.utime(path, (0, 0))
    changed = path.stat().st_ctime
    assert (path.stat().st_mtime == 0) == (stamp == "changed")
    monkeypatch.setattr(module.time, "time", lambda: changed + age)
    remembered_digest(path, tmp_path / "cache")
    assert bool(list((tmp_path / "cache").iterdir())) == is_remembered


def test_a_file_that_may_still_change_is_not_remembered(tmp_path):
    path = write(tmp_path / "genome.fa", ">a\nACGT\n")
    (tmp_path / "cache").mkdir()
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert remembered_digest(path, tmp_path / "cache") == expected
    assert not list((tmp_path / "cache").iterdir())
    os.utime(path, (0, time.time() + 9999))  # nor one of the future
    assert remembered_digest(path, tmp_path / "cache") == expected
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize(
    "content", [b"", b"\xff\x00", b"A" * 64, b"a" * 63, "é".encode() * 32, b"a" * 64 + b"\n"]
)
def test_what_is_no_digest_in_the_cache_is_not_believed(content, settled, monkeypatch):
    cache = settled.parent / "cache"
    expected = remembered_digest(settled, cache)
    (kept,) = cache.iterdir()
    kept.write_bytes(content)
    reads = count_reads(monkeypatch)
    assert remembered_digest(settled, cache) == expected
    assert reads == [settled]
    assert kept.read_text() == expected


def forbidden(*arguments: object, **options: object) -> None:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize(("who", "what"), [("Path", "write_text"), ("os", "replace")])
def test_a_cache_that_cannot_be_written_only_costs_time(who, what, settled, monkeypatch):
    """A folder of prepared genomes may be read-only, or another run may be quicker."""
    monkeypatch.setattr(getattr(module, who), what, forbidden)
    expected = hashlib.sha256(settled.read_bytes()).hexdigest()
    assert remembered_digest(settled, settled.parent / "cache") == expected
    assert not list((settled.parent / "cache").iterdir())


def test_what_cannot_be_read_in_the_cache_only_costs_time(settled, monkeypatch):
    expected = remembered_digest(settled, settled.parent / "cache")
    monkeypatch.setattr(module.Path, "read_text", forbidden)
    assert remembered_digest(settled, settled.parent / "cache") == expected
