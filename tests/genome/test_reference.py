from __future__ import annotations

import hashlib
import random

import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histpred.core.errors import InputError
from histpred.genome import reference as module
from histpred.genome.reference import Reference, same_genome
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
        assert reference.written("a", 13, 26) == "ACRYSWKMBDHVN"


def test_the_genome_of_tables_is_told_by_its_digest(tmp_path):
    path = write(tmp_path / "genome.fa", ">a\nACGT\n")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with same_genome(path, digest, tmp_path / "scores", tmp_path / "indexes") as reference:
        assert reference.fetch("a", 0, 4) == b"ACGT"
    path.write_text(">a\nACGA\n")
    expected = f"is not the genome of {tmp_path / 'scores'}"
    with (
        pytest.raises(InputError, match=expected),
        same_genome(path, digest, tmp_path / "scores", tmp_path / "indexes"),
    ):
        pass


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
