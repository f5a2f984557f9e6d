"""What MultiQC is given, from folders made up here: every number is one that was put in."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from histpred.core.errors import InputError, OutputError
from histpred.reports.summary import OUTPUTS, sample_name, summarise
from support.records import run_json

PREDICTIONS = {f"histpred_{name}_mqc.json" for name in ("predictions", "rows", "calls")}
EVALUATIONS, GENERAL = "histpred_evaluations_mqc.json", "histpred_general_mqc.json"
NOT_OURS = "run.json: not written by histpred predict: Invalid JSON"


def prediction(
    folder: Path,
    calls: dict[str, int],
    scored: int = 8,
    skipped: dict | None = None,
    **result: object,
) -> Path:
    """A folder as of predict; `calls` by mark."""
    folder.mkdir(parents=True)
    skipped = skipped or {}
    run_json(folder, (), scored)
    record = read(folder / "run.json")
    window = ["promoter", 1000, 500, 0.5, False, 0, 0]
    bundle = f"some-bundle 1.2 {'b' * 64}"
    record["identity"] |= {"bundle": bundle, "window": window, "marks": list(calls)}
    calls_made, rows = sum(calls.values()), scored + sum(skipped.values())
    record["result"] |= {"rows": rows, "calls": calls_made, "skipped": skipped, "past_end": 3}
    record["result"] |= result
    (folder / "run.json").write_text(json.dumps(record))
    lines = [
        f"chr1\t{i}\t{i + 9}\tmy|gene|{mark}\t900\t+\t{i}\t{i + 9}\t255,0,0\n"
        for mark, count in calls.items()
        for i in range(count)
    ]
    halves = "".join(lines[::2]), "".join(lines[1::2])  # bgzip files are many gzip members too
    (folder / "calls.bed.gz").write_bytes(b"".join(gzip.compress(half.encode()) for half in halves))
    return folder


def figures(start: float) -> dict[str, Any]:
    """AUROC, AUPRC and ECE from `start` on, each with its interval."""
    values = {"auroc": start, "auprc": start - 0.2, "ece": start - 0.4}
    ends = {"value": 0, "low": -0.01, "high": 0.02}
    found = {name: {end: at + by for end, by in ends.items()} for name, at in values.items()}
    return found | {"positives": 4, "negatives": 5}


def evaluation(folder: Path) -> Path:
    """A folder as of evaluate."""
    folder.mkdir(parents=True)
    models = {
        "mine": {
            "kind": "model",
            "inputs": "promoter:1000:500 windows, kmer",
            "lead": None,
            "figures": {"micro": figures(0.9), "macro": figures(0.8)},
        },
        "GC + CpG": {
            "kind": "baseline",
            "inputs": "GC share & CpG ratio",
            "lead": {"macro": {"difference": 0.125, "low": -0.25, "high": 0.5}},
            "figures": {"micro": figures(0.7), "macro": figures(0.6)},
        },
    }
    identity = {"histpred": "0.1.0", "bundles": ["c" * 64]}
    record = {"histpred": "0.1.0", "identity": identity, "outputs": {}, "windows": 1234}
    record |= {"models": models}
    (folder / "metrics.json").write_text(json.dumps(record))
    return folder


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def changed(path: Path, *place: str, value: object) -> None:
    """Set a field of a JSON file."""
    record = inner = read(path)
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    path.write_text(json.dumps(record))


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out"


# What is written


def test_the_first_table_counts_selected_rows_only(tmp_path, out):
    skipped = {"biotype-not-selected": 100, "too-many-n": 1, "unknown-contig": 1}
    summarise([prediction(tmp_path / "a", {"H3K4me3": 5}, scored=6, skipped=skipped)], out)
    general = read(out / GENERAL)
    assert general["plot_type"] == "generalstats"
    assert general["data"] == {"a": {"rows": 8, "scored": 6, "skipped": 25.0, "calls": 5}}
    columns = [name for header in general["headers"] for name in header]
    assert columns == ["rows", "scored", "skipped", "calls"]


def test_no_share_of_no_rows_and_no_calls_of_no_windows(tmp_path, out):
    nothing = prediction(tmp_path / "a", {"m": 0}, scored=0, skipped={"biotype-not-selected": 2})
    written = summarise([nothing], out)
    assert read(out / GENERAL)["data"] == {"a": {"rows": 0, "scored": 0, "calls": 0}}
    assert "histpred_calls_mqc.json" not in {path.name for path in written}


def variants_of(folder: Path, **result: object) -> Path:
    """A folder as of variants, with a record alone."""
    prediction(folder, {"m": 1})
    record = read(folder / "run.json")
    (folder / "run.json").unlink()
    for name in ("rows", "calls"):
        record["result"].pop(name)
    record["identity"] |= {"VCF sha256": "v" * 64, "background": 50}
    record["result"] |= {
        "alleles": 9,
        "scored": 6,
        "skipped": {"symbolic": 2, "<odd>": 1},
        "effects": 11,
        **{"compared": 5, "above_half": 4, "above_all": 1},
        **{"rows": 3, "skipped_rows": {}, "resolution": None, "warnings": ["a <b>"]},
    } | result
    record |= {"schema_version": "1.1", "scales": {}, "vcf": "a.vcf"}
    (folder / "variants.json").write_text(json.dumps(record))
    return folder


def test_variants_have_their_counts_and_what_is_larger_than_chance(tmp_path, out):
    bare = variants_of(tmp_path / "bare", compared=0, above_half=0, above_all=0, skipped={})
    written = summarise([variants_of(tmp_path / "a"), bare], out)
    assert {path.name for path in written} == {
        *("histpred_variants_mqc.json", "histpred_alleles_mqc.json", GENERAL),
    }
    general = read(out / GENERAL)
    assert general["data"]["a"] == {"alleles": 9, "alleles_scored": 6}
    table = read(out / "histpred_variants_mqc.json")
    row = table["data"]["a"]
    assert row.keys() == table["headers"].keys()
    assert (row["bundle"], row["alleles"], row["effects"]) == ("some-bundle 1.2", 9, 11)
    assert (row["above_half"], row["above_all"], row["background"]) == (80.0, 20.0, 50)
    assert (row["warnings"], row["resolution"]) == ("a &lt;b&gt;", "nothing")
    assert table["data"]["bare"].keys() == row.keys() - {"above_half", "above_all"}
    bars = read(out / "histpred_alleles_mqc.json")
    assert bars["data"]["a"] == {"scored": 6, "symbolic": 2, "<odd>": 1}
    assert bars["categories"]["<odd>"]["name"] == "&lt;odd&gt;"
    assert bars["pconfig"]["id"] == "histpred_alleles_plot"


def test_variants_beside_a_prediction_share_the_first_table(tmp_path, out):
    summarise([prediction(tmp_path / "a", {"m": 2}), variants_of(tmp_path / "effects" / "a")], out)
    general = read(out / GENERAL)
    assert {"rows", "calls", "alleles"} <= general["data"]["a"].keys()
    assert [name for header in general["headers"] for name in header][-2:] == [
        "alleles",
        "alleles_scored",
    ]


def test_each_row_of_the_annotation_is_scored_or_has_a_reason(tmp_path, out):
    skipped = {"too-many-n": 2, "biotype-not-selected": 3, "no-id": 1}
    folders = [
        prediction(tmp_path / "b", {"m": 0}, scored=7),
        prediction(tmp_path / "a", {"m": 0}, scored=5, skipped=skipped),
    ]
    summarise(folders, out)
    rows = read(out / "histpred_rows_mqc.json")
    assert rows["plot_type"] == "bargraph"
    assert rows["data"] == {"a": {"scored": 5, **skipped}, "b": {"scored": 7}}
    assert list(rows["categories"]) == ["scored", "no-id", "too-many-n", "biotype-not-selected"]
    colours = [category["color"] for category in rows["categories"].values()]
    assert len(set(colours)) == len(colours)


def test_calls_are_shares_of_scored_windows_and_empty_where_a_mark_is_not_scored(tmp_path, out):
    folders = [
        prediction(tmp_path / "b", {"H3K4me3": 8, "H3K27me3": 0}, scored=8),
        prediction(tmp_path / "a", {"H3K9ac": 1, "H3K4me3": 2}, scored=4),
    ]
    summarise(folders, out)
    calls = read(out / "histpred_calls_mqc.json")
    assert calls["plot_type"] == "heatmap"
    assert calls["data"] == {
        "a": {"H3K9ac": 25.0, "H3K4me3": 50.0, "H3K27me3": None},
        "b": {"H3K9ac": None, "H3K4me3": 100.0, "H3K27me3": 0.0},
    }
    assert all(list(row) == ["H3K9ac", "H3K4me3", "H3K27me3"] for row in calls["data"].values())


def test_the_table_of_predictions(tmp_path, out):
    warnings = ["no contig of <b>x</b> is long", "another"]
    summarise([prediction(tmp_path / "a", {"m": 0, "n": 0}, warnings=warnings)], out)
    section = read(out / "histpred_predictions_mqc.json")
    assert section["data"] == {
        "a": {
            "bundle": "some-bundle 1.2",
            "marks": 2,
            "windows": "promoter:1000:500",
            "by": "gene",
            "biotypes": "all",
            "device": "cpu",
            "past_end": 3,
            "warnings": "no contig of &lt;b&gt;x&lt;/b&gt; is long; another",
        }
    }
    assert set(section["headers"]) == set(section["data"]["a"])


def test_the_table_of_evaluations_has_the_bundle_first_and_the_baselines_below(tmp_path, out):
    written = summarise([evaluation(tmp_path / "a")], out)
    assert {path.name for path in written} == {EVALUATIONS, GENERAL}
    section = read(out / EVALUATIONS)
    assert list(section["data"]) == ["mine | a", "GC + CpG | a"]
    assert section["pconfig"]["sort_rows"] is False
    mine, baseline = section["data"].values()
    numbers = {name: value for name, value in mine.items() if not isinstance(value, str)}
    wanted = {"windows": 1234, "macro_auroc": 0.8, "micro_auroc": 0.9, "macro_auprc": 0.6}
    assert numbers == pytest.approx(wanted | {"micro_auprc": 0.7, "ece": 0.5})
    assert mine["macro_interval"] == "0.790 to 0.820"
    assert mine["micro_interval"] == "0.890 to 0.920"
    assert "ahead" not in mine
    assert baseline["ahead"] == "+0.125 (-0.250 to +0.500)"
    assert baseline["inputs"] == "GC share &amp; CpG ratio"
    assert set(baseline) == set(section["headers"])
    assert read(out / GENERAL)["data"] == {"a": {"auroc": pytest.approx(0.8)}}


def test_undefined_figures_are_left_out(tmp_path, out):
    folder = evaluation(tmp_path / "a")
    nothing = {"value": None, "low": None, "high": None}
    for average in ("micro", "macro"):
        place = ("models", "mine", "figures", average, "auroc")
        changed(folder / "metrics.json", *place, value=nothing)
    lead = {"macro": {"difference": None, "low": None, "high": None}}
    changed(folder / "metrics.json", "models", "GC + CpG", "lead", value=lead)
    summarise([folder], out)
    mine, baseline = read(out / EVALUATIONS)["data"].values()
    assert not {"macro_auroc", "micro_auroc", "macro_interval", "micro_interval"} & set(mine)
    assert "ahead" not in baseline
    assert read(out / GENERAL)["data"] == {"a": {}}


def test_a_prediction_and_an_evaluation_of_one_name_are_one_sample(tmp_path, out):
    folders = [prediction(tmp_path / "x" / "a", {"m": 2}), evaluation(tmp_path / "y" / "a")]
    written = summarise(folders, out)
    assert {path.name for path in written} == {*PREDICTIONS, EVALUATIONS, GENERAL}
    (sample,) = read(out / GENERAL)["data"].values()
    assert sample["rows"] == 8
    assert sample["auroc"] == pytest.approx(0.8)


def test_the_sections_make_one_chapter_of_different_ids(tmp_path, out):
    made = [prediction(tmp_path / "a", {"m": 2}), evaluation(tmp_path / "b")]
    summarise([*made, variants_of(tmp_path / "c")], out)
    sections = [read(out / name) for name in OUTPUTS]
    assert [f"{section['id']}_mqc.json" for section in sections] == list(OUTPUTS)
    assert {section.get("parent_id") for section in sections[:-1]} == {"histpred"}
    plots = [section["pconfig"]["id"] for section in sections[:-1]]
    assert len({*plots, *(section["id"] for section in sections)}) == len(plots) + len(sections)


def test_neither_order_nor_place_nor_time_show(tmp_path, out):
    def made(place: Path, started: str) -> list[Path]:
        folders = [prediction(place / name, {"m": 2}) for name in ("b", "a", "c")]
        folders += [evaluation(place / "d"), variants_of(place / "e")]
        for folder in folders[:3]:
            changed(folder / "run.json", "started", value=started)
            changed(folder / "run.json", "annotation", "path", value=str(place))
        return folders

    summarise(made(tmp_path / "one", "then"), out)
    summarise(made(tmp_path / "two", "now")[::-1], tmp_path / "other")
    for name in OUTPUTS:
        assert (out / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_the_last_part_names_a_sample_whatever_it_links_to(tmp_path, monkeypatch):
    folder = prediction(tmp_path / "work" / "f00", {"m": 2})
    (tmp_path / "hg38").symlink_to(folder)
    assert sample_name(tmp_path / "hg38") == "hg38"
    monkeypatch.chdir(folder)
    assert sample_name(Path()) == "f00"


# What is refused


def test_an_earlier_summary_is_replaced_only_if_asked_for_and_wholly(tmp_path, out):
    summarise([prediction(tmp_path / "a", {"m": 2})], out)
    before = (out / GENERAL).read_bytes()
    summarise([tmp_path / "a"], out)
    evaluated = evaluation(tmp_path / "b")
    with pytest.raises(OutputError, match="holds another output"):
        summarise([evaluated], out)
    assert (out / GENERAL).read_bytes() == before
    summarise([evaluated], out, overwrite=True)
    assert {path.name for path in out.iterdir()} == {EVALUATIONS, GENERAL}


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_other_things_is_never_touched(overwrite, tmp_path, out):
    folder = prediction(tmp_path / "a", {"m": 2})
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not an output of histpred"):
        summarise([folder], out, overwrite=overwrite)
    with pytest.raises(OutputError, match="is an input too"):
        summarise([folder], folder, overwrite=overwrite)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_two_of_one_name_are_refused(tmp_path, out):
    folders = [prediction(tmp_path / place / "a", {"m": 2}) for place in "xy"]
    for given in (folders, [folders[0], folders[0]]):
        with pytest.raises(InputError, match=r"has the same sample name, 'a', as .*x/a"):
            summarise(given, out)
    assert not out.exists()


def test_a_folder_that_is_no_output_is_named_with_what_it_holds(tmp_path, out):
    empty, other = tmp_path / "empty", tmp_path / "other"
    empty.mkdir()
    other.mkdir()
    for name in "dcba":
        (other / name).touch()
    both = prediction(tmp_path / "both", {"m": 2})
    (both / "metrics.json").write_text("{}")
    for folder, found in {
        empty: "but nothing",
        other: "but a, b, c and 1 more",
        other / "a": "is not a folder",
        tmp_path / "absent": "does not exist",
        both: "holds both",
    }.items():
        with pytest.raises(InputError, match=found) as caught:
            summarise([folder], out)
        assert caught.value.path == str(folder)
        assert caught.value.hint


def broken(name: str, text: str) -> Any:
    return lambda folder: (folder / name).write_text(text)


def field(*place: str, value: object) -> Any:
    return lambda folder: changed(folder / "run.json", *place, value=value)


def zipped(name: str, text: str) -> Any:
    return lambda folder: (folder / name).write_bytes(gzip.compress(text.encode()))


def cut(folder: Path) -> None:
    path = folder / "calls.bed.gz"
    path.write_bytes(path.read_bytes()[:-9])


PREDICTION_FAULTS = {
    "no JSON": (broken("run.json", "{"), NOT_OURS),
    "no UTF-8": (lambda f: (f / "run.json").write_bytes(b'"\xff"'), NOT_OURS),
    "a list": (broken("run.json", "[]"), "not written by histpred predict"),
    "another tool's": (broken("run.json", '{"run": 1}'), "not written by histpred predict"),
    "next schema": (
        field("schema_version", value="2.0"),
        "of schema version 2.0, this release reads 1.2",
    ),
    "no schema": (field("schema_version", value=None), "of schema version None"),
    "no count": (field("result", "rows", value="many"), r"histpred predict: result\.rows: "),
    "negative": (field("result", "scored", value=-1), r"result\.scored: "),
    "no result": (field("result", value=None), "result: "),
    "window": (field("identity", "window", value=["promoter"]), r"identity\.window"),
    "other calls": (
        field("result", "calls", value=7),
        r"calls.bed.gz: has 6 calls, but run.json states 7",
    ),
    "cut": (cut, "calls.bed.gz: cannot be read: "),
    "no gzip": (broken("calls.bed.gz", "chr1"), "calls.bed.gz: cannot be read: Not a gzipped"),
    "no calls": (lambda f: (f / "calls.bed.gz").unlink(), "calls.bed.gz: cannot be read: No such"),
    "no BED": (zipped("calls.bed.gz", "chr1\t1\n"), "calls.bed.gz:1: has a line that is not BED9"),
    "other mark": (
        zipped("calls.bed.gz", "c\t1\t2\ta|x\t9\n"),
        "has calls of x, which run.json lacks",
    ),
}


@pytest.mark.parametrize("fault", PREDICTION_FAULTS)
def test_a_faulty_prediction_is_an_error_and_nothing_is_written(fault, tmp_path, out):
    spoil, message = PREDICTION_FAULTS[fault]
    folder = prediction(tmp_path / "a", {"m": 2, "n": 4})
    spoil(folder)
    with pytest.raises(InputError, match=message) as caught:
        summarise([prediction(tmp_path / "good", {"m": 1}), folder], out)
    assert str(folder) in str(caught.value)
    assert caught.value.hint
    assert not out.exists()


def test_a_faulty_evaluation_is_an_error_and_nothing_is_written(tmp_path, out):
    folder = evaluation(tmp_path / "a")
    path = folder / "metrics.json"
    good = path.read_text()
    for text, message in {
        "{": "not written by histpred evaluate: Invalid JSON",
        '{"identity": {}}': "not written by histpred evaluate",
        good.replace('"auprc"', '"other"'): r"models\.mine\.figures\.micro\.auprc: Field required",
        good.replace("0.9,", "NaN,"): r"figures\.micro\.auroc\.value: ",
        good.replace('"models": {', '"models": {}, "was": {'): "models: ",
    }.items():
        assert text != good
        path.write_text(text)
        with pytest.raises(InputError, match=message) as caught:
            summarise([folder], out)
        assert caught.value.path == str(path)
        assert caught.value.hint
    assert not out.exists()


def test_a_mark_that_is_not_predicted_is_empty_and_not_a_zero(tmp_path):
    folder = prediction(tmp_path / "a", {"H3K4me3": 2, "H3K27me3": 0, "H3K9ac": 0})
    record = read(folder / "run.json")
    absent = {"threshold": None, "precision": None, "recall": None}
    record["marks"] = [{"name": "H3K27me3", **absent, "unpredicted": "too few genes carry it"}]
    (folder / "run.json").write_text(json.dumps(record))
    prediction(tmp_path / "b", {"H3K27me3": 4})
    summarise([folder, tmp_path / "b"], tmp_path / "out")
    section = read(tmp_path / "out" / "histpred_calls_mqc.json")
    assert section["data"]["a"] == {"H3K4me3": 25.0, "H3K9ac": 0.0, "H3K27me3": None}
    general = read(tmp_path / "out" / "histpred_predictions_mqc.json")
    assert general["data"]["a"]["marks"] == 2


@pytest.mark.parametrize(
    ("name", "content", "maker"),
    [
        ("run.json", '{"result": {"explained": 1}}', "explain"),
        ("labels.json", "{}", "labels"),
        ("bundle.json", "{}", "train"),
        ("scatter.json", "{}", "scatter"),
    ],
)
def test_a_folder_of_a_command_without_a_summary_is_named(tmp_path, name, content, maker):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=f"is the output of histpred {maker}, of which") as caught:
        summarise([tmp_path], tmp_path / "out")
    assert caught.value.hint == "give folders of histpred predict, variants or evaluate"
