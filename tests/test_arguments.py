"""What users give to the functions of histpred, as requests: annotations, regions and sequences."""

from __future__ import annotations

from pathlib import Path

import pytest

from histpred.arguments import Inputs, inputs_of, names_of, paths_of, selection_of, threads_of
from histpred.bundle.folder import load_bundle
from histpred.core.cores import usable_cores
from histpred.core.errors import UsageError
from histpred.genome.request import FILE, REGIONS, SEQUENCES, Request

REGION = "chr1:11-20"


@pytest.mark.parametrize(
    ("annotation", "fasta", "tiles", "source"),
    [
        ("rows.bed", "genome.fa", False, FILE),
        ([REGION], "genome.fa", False, REGIONS),
        ("genome.fa", None, True, FILE),
        ("sequences.fa", None, False, SEQUENCES),
        ({"one": "ACGT"}, None, False, SEQUENCES),
    ],
)
def test_what_an_annotation_is_depends_on_its_form_and_on_the_fasta(
    annotation, fasta, tiles, source
):
    assert inputs_of(annotation, fasta, tiles).source == source


@pytest.mark.parametrize(
    ("source", "bundle", "wanted", "kind"),
    [
        (FILE, "human-promoter", None, None),
        (REGIONS, "human-promoter", None, "interval"),
        (SEQUENCES, "human-promoter", None, "interval"),
        (REGIONS, "human-promoter", "promoter", "promoter"),
        (REGIONS, None, None, "interval"),
        (SEQUENCES, "yeast", None, "promoter"),
    ],
)
def test_regions_and_sequences_are_intervals_unless_the_bundle_has_none(
    source, bundle, wanted, kind
):
    loaded = load_bundle(bundle) if bundle else None
    assert Inputs("rows", "genome.fa", source).window(loaded, wanted) == kind


def test_a_request_has_the_selection_and_files_of_its_own_do_not_last():
    selection = selection_of("gene", "lncRNA", True, genes=["A", "B"], transcripts="t.fa")
    inputs = inputs_of({"one": "ACGT"}, None)
    with inputs.request(selection) as request:
        path = request.fasta
        assert Path(path).read_text() == ">one\nACGT\n"
    assert not Path(path).exists()
    assert request == Request(
        *(path, path, "gene", ("lncRNA",), True, None, ("A", "B"), SEQUENCES, ("t.fa",))
    )


def test_one_name_or_path_is_a_list_of_one():
    assert (names_of("a"), names_of(["a", "b"])) == (("a",), ("a", "b"))
    assert (paths_of("a"), paths_of(())) == (("a",), ())


def test_threads_are_limited_and_none_at_all_is_refused():
    before = usable_cores()
    with threads_of(1):
        assert usable_cores() == 1
    assert usable_cores() == before
    with pytest.raises(UsageError, match="threads=0"):
        threads_of(0)
