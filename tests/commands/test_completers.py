"""What TAB offers for the names of marks, biotypes, encoders and bundles."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from histpred.cli import histpred as root
from histpred.core.marks import MARKS


def offered(*words: str) -> list[str]:
    """The words that TAB offers after the last of `words`."""
    *before, begun = words
    complete = ShellComplete(root, {}, "histpred", "_HISTPRED_COMPLETE")
    return [item.value for item in complete.get_completions(before, begun) if item.type == "plain"]


def kinds(*words: str) -> set[str]:
    *before, begun = words
    complete = ShellComplete(root, {}, "histpred", "_HISTPRED_COMPLETE")
    return {item.type for item in complete.get_completions(before, begun)}


FILES = ("a.bed", "genome.fa")


def test_verbs_and_options() -> None:
    assert offered("pre") == ["predict"]
    assert offered("predict", "--thr") == ["--threads"]
    assert offered("labels", "p") == ["peaks"]
    assert offered("help", "labels"[:3]) == ["labels"]


def test_bundles_by_name_and_by_folder() -> None:
    assert offered("predict", *FILES, "--bundle", "h") == ["human-promoter"]
    assert kinds("predict", *FILES, "--bundle", "x") == {"dir"}
    assert offered("bundle", "show", "y") == ["yeast"]
    assert offered("evaluate", "human") == ["human-promoter"]


def test_files_where_a_verb_takes_files() -> None:
    for words in (("predict", ""), ("predict", "a.bed", ""), ("train", "a.bed", "g.fa", "")):
        assert kinds(*words) == {"file"}, words
    assert kinds("tracks", "") == {"file"}
    assert kinds("predict", *FILES, "--store", "") == {"dir"}


def test_marks_are_those_of_the_bundle_after_the_last_comma() -> None:
    assert offered("predict", *FILES, "--marks", "h3k27a") == ["H3K27ac"]
    assert "H3K4me3,Htz1" in offered("predict", "--bundle", "yeast", "--marks", "H3K4me3,")
    assert "H3K4me3,H3K4me3" not in offered("predict", "--marks", "H3K4me3,H3K4")
    assert offered("evaluate", "yeast", "--marks", "Htz") == ["Htz1"]


def test_training_takes_any_mark() -> None:
    assert set(offered("train", "--marks", "")) == set(MARKS)


@pytest.mark.parametrize("content", [None, "", "[]", '{"marks": 3}', "[" * 9999])
def test_a_broken_bundle_offers_nothing(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "bundle.json").write_text(content)
    assert offered("predict", "--bundle", str(tmp_path), "--marks", "") == []


def test_a_bundle_of_ones_own_offers_its_marks(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text(json.dumps({"marks": [{"name": "H9K9"}]}))
    assert offered("predict", "--bundle", str(tmp_path), "--marks", "") == ["H9K9"]


def test_biotypes_encoders_windows_devices_splits() -> None:
    assert offered("predict", "--biotype", "ncRNA,lnc") == ["ncRNA,lncRNA", "ncRNA,lncRNA_gene"]
    assert offered("embed", "--encoder", "km") == ["kmer"]
    assert offered("embed", "--encoder", "dnabert2") == ["dnabert2"]  # a kind, and published
    assert offered("encoders", "get", "km") == []
    assert offered("encoders", "get", "gro") == ["grover"]
    assert offered("predict", "--window", "p") == ["promoter"]
    assert offered("predict", "--device", "c") == ["cpu", "cuda"]
    assert offered("train", "--split", "chr") == ["chromosome"]


def test_no_completer_changes_what_is_parsed() -> None:
    context = click.Context(root)
    command = root.get_command(context, "predict")
    assert command is not None
    given = command.make_context("predict", ["a.bed", "no/such.fa", "-o", "out"]).params
    assert (given["annotation"], given["fasta"]) == (("a.bed",), "no/such.fa")
