from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from pathlib import Path

import pytest

from histpred.bundle.folder import MANIFEST, load_bundle, parse_manifest
from histpred.bundle.manifest import Manifest
from histpred.bundle.publish import render_card, write_bundle
from histpred.core.errors import BundleError
from support.scripts import load_script

SCORER, ANOTHER = (
    load_bundle(name).scorer_path.read_bytes() for name in ("yeast", "human-promoter")
)
NOTES = "## Limits\n\nFor tests only."


@pytest.fixture
def manifest(bundle_folder) -> Manifest:
    return load_bundle(bundle_folder).manifest


def test_what_is_written_loads_back(manifest, tmp_path):
    bundle = write_bundle(tmp_path / "new", manifest, SCORER, NOTES)
    assert bundle.manifest.marks == manifest.marks
    assert bundle.scorer_path.read_bytes() == SCORER
    assert sorted(path.name for path in bundle.directory.iterdir()) == [
        "bundle.json",
        "card.md",
        "scorer.onnx",
    ]


def test_writing_twice_gives_the_same_bytes_and_replaces(manifest, tmp_path):
    first = write_bundle(tmp_path / "one", manifest, SCORER, NOTES)
    second = write_bundle(tmp_path / "one", manifest, SCORER, NOTES)
    assert first.digest == second.digest
    assert write_bundle(tmp_path / "one", manifest, ANOTHER, NOTES).digest != first.digest


def test_a_bundle_half_replaced_is_refused(manifest, tmp_path):
    bundle = write_bundle(tmp_path / "one", manifest, SCORER, NOTES)
    bundle.scorer_path.write_bytes(b"newer scorer")
    with pytest.raises(BundleError, match="altered or damaged"):
        load_bundle(bundle.directory)


def test_the_card_says_what_the_manifest_holds(manifest):
    card = render_card(manifest, NOTES)
    assert card.startswith("# tiny 1.0.0\n")
    assert "For tests only." in card
    for expected in ("Saccharomyces cerevisiae", "sacCer3", "MIT", "100 bp upstream", "seed: 0"):
        assert expected in card
    rows = [line for line in card.splitlines() if line.startswith("| H3K4me3 ")]
    assert rows == [
        "| H3K4me3 | 0.5000 | Platt | 1.000 | 0.000 |",
        "| H3K4me3 | 2 | 0.2000 | 0.800 | 0.300 | 0.0100 | 0.600 | 0.250 |",
    ]
    assert "| **mean** |  | **0.200** | **0.800** | **0.300** | **0.010** | **0.600** |" in card


def test_the_card_says_how_each_mark_is_calibrated(manifest):
    fields = json.loads(manifest.model_dump_json())
    first, second = fields["marks"]
    first["calibration"] = {"slope": 0.5, "method": "temperature"}
    second["calibration"] = {
        "logits": [-1, 0, 1],
        "probabilities": [0.1, 0.2, 0.3],
        "method": "isotonic",
    }
    third = {"name": "H3K9ac", "threshold": 1, "calibration": {"slope": 0.01, "intercept": -2}}
    third["calibration"]["method"] = "base rate"
    fields["marks"].append(third)
    fields["known_answer"]["probabilities"]["H3K9ac"] = 0.5
    card = render_card(Manifest.model_validate(fields), NOTES)
    table = card.partition("## Thresholds and calibration\n\n")[2].splitlines()[:5]
    assert table == [
        "| mark | called from probability | calibration | slope | intercept |",
        "| --- | --- | --- | --- | --- |",
        "| H3K4me3 | 0.5000 | temperature | 0.500 | 0.000 |",
        "| H3K27me3 | 0.5000 | isotonic, 3 knots |  |  |",
        "| H3K9ac | 1.0000 | base rate | 0.010 | -2.000 |",
    ]


def test_the_card_says_first_what_a_user_must_know_and_what_calls_promise(manifest):
    fields = json.loads(manifest.model_dump_json())
    fields["caveats"] = ["It was trained on chrI."]
    first, second = fields["marks"]
    first |= {"meaning": "a peak in two samples or more", "needed_samples": 2}
    first["calls"] = {"rule": "precision", "wanted": 0.8, "precision": 0.81, "recall": 0.4}
    second |= {"threshold": 1, "calls": {"rule": "precision", "wanted": 0.8}}
    third = {"name": "H3K9ac", "threshold": 1, "unpredicted": "no gene carries it"}
    fields["marks"].append(third)
    card = render_card(Manifest.model_validate(fields), NOTES)
    head = card.partition("- **species**")[0].split("\n\n")
    meaning = "A probability of H3K4me3 is that of a peak in two samples or more: 2 for H3K4me3."
    assert head[2:4] == [meaning, "It was trained on chrI."]
    chapter = card.partition("## Thresholds and calibration\n\n")[2].partition("\n\n##")[0]
    *sentences, table = chapter.split("\n\n")
    assert sentences[1:] == [
        "H3K27me3: never called: no threshold reaches a precision of 0.8.",
        "H3K9ac: NA, not predicted: no gene carries it.",
    ]
    assert table.splitlines() == [
        "| mark | called from probability | precision | recall | calibration | slope | intercept |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| H3K4me3 | 0.5000 | 0.81 | 0.40 | Platt | 1.000 | 0.000 |",
        "| H3K27me3 | 1.0000 |  |  | Platt | 1.000 | 0.000 |",
        "| H3K9ac | NA |  |  | none |  |  |",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda marks: marks.clear(), "metrics.validation.marks: .*at least 1 item"),
        (lambda marks: marks["H3K27me3"]["baselines"].clear(), "its marks have other baselines"),
        (lambda marks: marks["H3K4me3"]["baselines"].clear(), "its marks have other baselines"),
    ],
    ids=["no mark", "a mark without baselines", "the first mark without baselines"],
)
def test_an_evaluation_that_no_card_can_show_is_refused(change, words, manifest):
    fields = json.loads(manifest.model_dump_json())
    change(fields["metrics"]["validation"]["marks"])
    with pytest.raises(BundleError, match=words):
        parse_manifest(json.dumps(fields).encode(), Path("bundle.json"))


def test_a_manifest_with_an_empty_list_or_object_has_a_card_or_is_refused(manifest):
    """Wherever that is: the card is written from what a manifest may hold."""
    whole = json.loads(manifest.model_dump_json())
    refused = 0
    for *above, name in list(containers(whole)):
        fields = json.loads(manifest.model_dump_json())
        part = reduce(getitem, above, fields)
        part[name] = type(part[name])()
        try:
            emptied = parse_manifest(json.dumps(fields).encode(), Path("bundle.json"))
        except BundleError:
            refused += 1
        else:
            assert render_card(emptied, NOTES).startswith("# tiny 1.0.0\n")
    assert refused > 5


def containers(value: object, *above: str | int) -> Iterator[tuple[str | int, ...]]:
    """Where the lists and objects in a JSON value are that hold something."""
    if isinstance(value, dict | list) and value:
        if above:
            yield above
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from containers(part, *above, key)


def test_a_card_of_marks_without_calibration_error_leaves_it_empty(manifest):
    fields = json.loads(manifest.model_dump_json())
    for figures in fields["metrics"]["validation"]["marks"].values():
        figures["model"]["ece"] = None
    card = render_card(Manifest.model_validate(fields), NOTES)
    assert "| H3K4me3 | 2 | 0.2000 | 0.800 | 0.300 |  | 0.600 | 0.250 |" in card


def changed_yeast(folder, **update):
    """A copy of the shipped yeast with other baselines, and with `update` in its `training`."""
    shipped = load_bundle("yeast")
    shutil.copytree(shipped.directory, folder)
    fields = json.loads((folder / MANIFEST).read_text())
    fields["training"] |= update
    for evaluation in fields["metrics"].values():
        for mark in evaluation["marks"].values():
            mark["baselines"] = {"GC": {"auroc": 0.6, "auprc": 0.3, "ece": None}}
    (folder / MANIFEST).write_text(json.dumps(fields))
    return folder


def test_yeast_gets_the_baselines_of_a_training_on_its_rows_and_keeps_the_rest(tmp_path):
    output = tmp_path / "shipped"
    shutil.copytree(load_bundle("yeast").directory, output)
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    arguments = ["baselines", str(changed_yeast(tmp_path / "trained")), "-o", str(output)]
    load_script("training/yeast.py").main(arguments)
    after = {path.name: path.read_bytes() for path in output.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"bundle.json", "card.md"}
    old, new = (json.loads(files["bundle.json"])["metrics"] for files in (before, after))
    for name, evaluation in new.items():
        for mark, figures in evaluation["marks"].items():
            assert figures.pop("baselines") == {"GC": {"auroc": 0.6, "auprc": 0.3, "ece": None}}
            assert figures.items() <= old[name]["marks"][mark].items()
    card = after["card.md"].decode()
    assert card.count("| GC AUROC | GC AUPRC |") == 2
    assert card.count("\n## ") == before["card.md"].decode().count("\n## ")


def test_yeast_refuses_the_baselines_of_other_rows(tmp_path):
    output, shipped = tmp_path / "shipped", load_bundle("yeast").directory
    shutil.copytree(shipped, output)
    trained = changed_yeast(tmp_path / "trained", splits={"split": "random"})
    with pytest.raises(SystemExit, match="was not trained and evaluated on the rows of"):
        load_script("training/yeast.py").main(["baselines", str(trained), "-o", str(output)])
    assert (output / MANIFEST).read_bytes() == (
        load_bundle("yeast").directory / MANIFEST
    ).read_bytes()
