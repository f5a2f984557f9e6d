from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas
import pytest

REASON = "needs torch and onnx: HISTPRED_EXTRAS=train bin/test"
pytest.importorskip("torch", reason=REASON)
pytest.importorskip("onnx", reason=REASON)

from histpred.bundle.folder import SPLIT as SPLIT_FILE  # noqa: E402
from histpred.bundle.folder import load_bundle  # noqa: E402
from histpred.core.errors import UsageError  # noqa: E402
from histpred.training.parent import (  # noqa: E402
    describe_parent,
    like_parent,
    parent_first,
    shared_marks,
)
from histpred.training.recipe import choose_source, files_of  # noqa: E402
from histpred.training.settings import Recipe  # noqa: E402
from support.parents import HIDDEN, PERCEPTRON, perceptron_bundle, perceptrons  # noqa: E402

SPLIT = """\
id\tchrom\tstart\tend\tset
ENSG7\tchr1\t100\t200\ttrain
b\tchr1\t300\t400\tvalidation
c\tchr1\t500\t600\ttest
d\tchr1\t700\t800\tunused
"""


@pytest.fixture
def parent(tmp_path):
    return perceptron_bundle(tmp_path / "parent", perceptrons(2), split=SPLIT)


def recipe_of(parent) -> Recipe:
    return Recipe(parent=str(parent.directory))


def test_a_recipe_without_parent_stays_as_it_is():
    assert like_parent(Recipe(), {"members": 3}) == Recipe()


def test_what_is_not_given_is_the_parents(parent):
    found = like_parent(recipe_of(parent), {"loss": "plain"})
    assert (found.members, found.hidden, found.dropout) == (2, HIDDEN, 0.1)
    assert like_parent(recipe_of(parent)._replace(dropout=0.5), {"dropout": 0.5}).dropout == 0.5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"members": 1}, "--members 1: parent has 2"),
        ({"hidden": (10, 8)}, "--hidden 10,8: parent has 10,7"),
        ({"model": "spectra"}, "--model spectra: parent has mlp"),
        ({"mark_dimension": 4}, "--mark-dimension 4: parent has None"),
    ],
)
def test_options_that_disagree_are_refused_with_the_parents_value(given, message, parent):
    with pytest.raises(UsageError, match=message):
        like_parent(recipe_of(parent)._replace(**given), given)


def test_options_that_agree_are_fine(parent):
    like_parent(recipe_of(parent), {"members": 2, "hidden": list(HIDDEN), "model": "mlp"})
    choice = choose_source(
        like_parent(recipe_of(parent), {}), None, "kmer", None, "promoter:100:100"
    )
    assert (choice.bundle, str(choice.window)) == (parent, "promoter:100:100")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bundle": "yeast"}, "--bundle and --from are given"),
        ({"name": "dnabert2"}, "--encoder dnabert2: parent has kmer"),
        ({"chunks": "window:100"}, "--chunks window:100: parent has none"),
        ({"window": "promoter:50:50"}, "--window promoter:50:50: parent has promoter:100:100"),
    ],
)
def test_another_encoder_than_the_parents_is_refused(options, message, parent):
    with pytest.raises(UsageError, match=message):
        choose_source(like_parent(recipe_of(parent), {}), **options)


def test_a_parent_that_reads_bases_takes_no_encoder():
    recipe = like_parent(Recipe(parent="yeast"), {})
    assert (recipe.model, recipe.members) == ("spectra", 5)
    assert choose_source(recipe) is None
    with pytest.raises(UsageError, match="--encoder kmer: yeast has spectra"):
        choose_source(recipe, name="kmer")


def test_the_shipped_human_bundle_is_refused_with_what_to_do():
    with pytest.raises(UsageError, match="histpred train did not make it") as refused:
        like_parent(Recipe(parent="human-promoter"), {})
    assert "--bundle human-promoter trains a new perceptron on the encoder" in str(refused.value)


def test_deephistone_is_refused(tmp_path):
    recipe = {**PERCEPTRON, "model": "deephistone"}
    parent = perceptron_bundle(tmp_path, perceptrons(1), recipe)
    with pytest.raises(UsageError, match="its model is deephistone"):
        like_parent(recipe_of(parent), {})


def test_a_parent_of_an_earlier_release_has_the_defaults_of_that_time(tmp_path):
    parent = perceptron_bundle(tmp_path, perceptrons(1), {"model": "mlp", "hidden": list(HIDDEN)})
    assert like_parent(recipe_of(parent), {}).mark_dimension is None


def test_the_parents_manifest_is_an_input(parent):
    assert files_of(recipe_of(parent)) == {"parent": parent.directory / "bundle.json"}


def test_a_file_named_like_a_method_is_not_the_split(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("random", "sets.tsv"):
        Path(name).write_text("")
    assert files_of(Recipe()) == {}
    assert files_of(Recipe(split="sets.tsv")) == {"split": Path("sets.tsv")}


def test_marks_are_in_the_parents_order_and_new_ones_follow(parent, caplog):
    caplog.set_level("INFO")
    marks = parent_first(("H3K36me3", "H3K9ac", "H3K4me3"), parent)
    assert marks == ("H3K4me3", "H3K9ac", "H3K36me3")
    assert shared_marks(marks, parent) == [(0, 0), (1, 2)]
    assert "marks that go on from parent: H3K4me3, H3K9ac" in caplog.text
    assert "marks that start anew: H3K36me3" in caplog.text
    assert "marks of parent without labels, which are left out: H3K27me3" in caplog.text


def dataset(rows, lengths=(1000, 50)):
    """What `describe_parent` reads of a dataset. Rows are id, contig, start, end and set."""
    ids, chrom, start, end, sets = zip(*rows, strict=True)
    windows = pandas.DataFrame({"chrom": chrom, "start": start, "end": end})
    examples = SimpleNamespace(units=np.array(ids), windows=windows, sets=np.array(sets))
    genomes = {"": SimpleNamespace(lengths=lengths, taxon_id=None)}
    return SimpleNamespace(marks=("H3K9ac", "H4K20me1"), examples=examples, genomes=genomes)


ROWS = [
    ("ENSG7.2", "chr2", 0, 10, "test"),  # by its id, of another version
    ("new1", "1", 190, 250, "test"),  # shares bases with ENSG7, under another name of the contig
    ("b", "chr1", 300, 400, "test"),  # both
    ("c", "chr1", 500, 600, "test"),  # was a test row of the parent too
    ("new2", "chr1", 200, 300, "test"),  # touches ENSG7 and b
    ("new3", "chr1", 100, 200, "train"),  # seen, but no test row
    ("new4", "chr1", 399, 410, "validation"),  # shares a base with b
    ("d", "chr1", 700, 800, "test"),  # the parent did not use it
]


def test_test_rows_that_the_parent_has_seen_are_counted_by_id_and_by_place(parent, caplog):
    found = describe_parent(parent, dataset(ROWS))
    assert (found.name, found.version, found.sha256) == ("parent", "3", parent.digest)
    assert found.marks == ("H3K9ac",)
    assert (found.test_rows_seen, found.seen_by_id, found.seen_by_place) == (3, 2, 2)
    assert found.validation_rows_seen == 1
    said = "parent was trained or validated on 3 of the 6 test rows (2 by their id, 2 by their "
    assert f"{said}place) and on 1 of the 1 validation rows" in caplog.text


def test_places_of_named_genomes_are_compared_genome_by_genome(parent, caplog):
    """The rows as above, once as a genome of the parent's assembly, once of another."""
    named = [(f"human:{name}", f"human:{chrom}", *rest) for name, chrom, *rest in ROWS]
    mouse = [(f"mouse:m{name}", f"mouse:{chrom}", *rest) for name, chrom, *rest in ROWS]
    both = dataset([*named, *mouse])
    both.genomes = {
        "human": SimpleNamespace(lengths=(1000, 50), taxon_id=9606),
        "mouse": SimpleNamespace(lengths=(999,), taxon_id=10090),
    }
    found = describe_parent(parent, both)
    assert (found.test_rows_seen, found.seen_by_id, found.seen_by_place) == (3, 2, 2)
    assert "no contig length" not in caplog.text  # mouse is another species, not another assembly


def test_places_of_another_assembly_are_not_compared_and_a_warning_says_so(parent, caplog):
    found = describe_parent(parent, dataset(ROWS, lengths=(999,)))
    assert (found.test_rows_seen, found.seen_by_place) == (2, 0)
    said = "the genome has no contig length in common with those that parent was trained on: test "
    assert f"{said}rows that it has seen are known by their id only" in caplog.text


def test_a_split_that_names_no_row_again_is_no_warning(parent, caplog):
    assert describe_parent(parent, dataset(ROWS[3:5])).test_rows_seen == 0
    assert not caplog.text


@pytest.mark.parametrize(
    ("recipe", "lengths"),
    [({}, (1000, 50)), ({"test_chromosomes": []}, (1000,)), ({"test_chromosomes": ["2"]}, (999,))],
    ids=["nothing", "no chromosome", "another assembly"],
)
def test_a_parent_that_does_not_say_what_it_has_seen_is_said_to_be_unknown(
    recipe, lengths, tmp_path, caplog
):
    parent = perceptron_bundle(tmp_path, perceptrons(1), {**PERCEPTRON, **recipe})
    found = describe_parent(parent, dataset(ROWS, lengths))
    assert found.test_rows_seen is None
    assert "parent has no split.tsv, so it is not known which" in caplog.text


def test_a_recipe_that_names_the_test_chromosomes_says_what_was_seen(tmp_path, caplog):
    """As that of the shipped bundle for yeast, which has no split.tsv."""
    recipe = {**PERCEPTRON, "split": "chromosome", "test_chromosomes": ["2", "chr3"]}
    parent = perceptron_bundle(tmp_path, perceptrons(1), recipe)
    found = describe_parent(parent, dataset(ROWS))
    assert (found.test_rows_seen, found.seen_by_id, found.seen_by_place) == (5, 0, 5)
    assert found.validation_rows_seen == 1
    assert "all chromosomes but 2, chr3 were for training and validation" in caplog.text
    assert "give --split chromosome and --test-chromosomes" in caplog.text


def test_the_test_chromosomes_of_a_named_genome_are_its_own(tmp_path):
    recipe = {**PERCEPTRON, "test_chromosomes": ["mouse:chr1", "chr2"]}
    parent = perceptron_bundle(tmp_path, perceptrons(1), recipe)
    found = describe_parent(parent, dataset(ROWS))
    assert found.test_rows_seen == 5  # of six; chr1 tested it in another genome only


def test_the_recipe_of_the_shipped_yeast_bundle_says_what_it_has_seen(caplog):
    parent = load_bundle("yeast")
    files = {name: digest for name, digest in parent.manifest.files.items() if name != SPLIT_FILE}
    parent = replace(parent, manifest=parent.manifest.model_copy(update={"files": files}))
    lengths = parent.manifest.species[0].chromosome_lengths["sacCer3"]
    rows = [("YAL1", "chrI", 0, 9, "test"), ("YBR2", "II", 0, 9, "test")]
    found = describe_parent(parent, dataset(rows, lengths))
    assert (found.test_rows_seen, found.seen_by_place) == (1, 1)
    assert "yeast was trained or validated on 1 of the 2 test rows" in caplog.text
