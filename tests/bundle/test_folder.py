from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import pytest

from histpred.bundle import folder as module
from histpred.bundle.folder import DEFAULT_BUNDLE, load_bundle, shipped_bundles
from histpred.core.errors import BundleError
from histpred.core.graph import check_graph

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"


NETWORK = load_bundle("yeast").scorer_path.read_bytes()


def edit(folder, change):
    path = folder / "bundle.json"
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))


def test_a_whole_bundle_loads(bundle_folder):
    bundle = load_bundle(bundle_folder)

    assert bundle.directory == bundle_folder
    assert bundle.digest == hashlib.sha256((bundle_folder / "bundle.json").read_bytes()).hexdigest()
    assert bundle.manifest.mark_names == ("H3K4me3", "H3K27me3")
    assert bundle.manifest.window.upstream == 100
    assert check_graph(bundle.scorer_path.read_bytes(), bundle.scorer_path).graph.node
    assert bundle.card_path.read_text() == "# tiny\n"


@pytest.mark.parametrize("name", shipped_bundles())
def test_every_shipped_bundle_loads_by_its_name(name):
    assert load_bundle(name).manifest.name == name


def test_the_default_bundle_is_shipped():
    assert DEFAULT_BUNDLE in shipped_bundles()


def test_no_such_bundle_names_the_shipped_ones():
    with pytest.raises(BundleError, match="no such bundle") as caught:
        load_bundle("no-such-thing")
    assert DEFAULT_BUNDLE in str(caught.value)


def test_a_file_in_place_of_the_folder(bundle_folder):
    with pytest.raises(BundleError, match="a bundle is a folder"):
        load_bundle(bundle_folder / "bundle.json")


def test_a_local_folder_of_a_shipped_name_is_never_guessed(bundle_folder, tmp_path, monkeypatch):
    shipped = tmp_path / "shipped"
    (shipped / "tiny").mkdir(parents=True)
    (shipped / "tiny" / "bundle.json").write_text("{}")
    monkeypatch.setattr(module, "SHIPPED", shipped)
    monkeypatch.chdir(bundle_folder.parent)

    with pytest.raises(BundleError, match="both a shipped bundle and a folder"):
        load_bundle("tiny")
    assert load_bundle("./tiny").manifest.name == "tiny"


def test_a_file_that_onnxruntime_could_not_read_is_not_read(bundle_folder, monkeypatch):
    size = (bundle_folder / "scorer.onnx").stat().st_size
    monkeypatch.setattr(module, "LARGEST", size - 1)
    what = rf"scorer\.onnx: {size:,} bytes; a bundle's file has at most {size - 1:,}"
    with pytest.raises(BundleError, match=what):
        load_bundle(bundle_folder)


@pytest.mark.parametrize("name", ["bundle.json", "scorer.onnx", "card.md"])
def test_a_missing_file(bundle_folder, name):
    (bundle_folder / name).unlink()
    with pytest.raises(BundleError, match=rf"{name}: cannot be read: No such file"):
        load_bundle(bundle_folder)


@pytest.mark.parametrize("name", ["bundle.json", "scorer.onnx", "card.md"])
def test_a_git_lfs_pointer_says_what_to_run(bundle_folder, name):
    (bundle_folder / name).write_bytes(POINTER)
    with pytest.raises(BundleError, match=rf"{name}: a Git-LFS pointer") as caught:
        load_bundle(bundle_folder)
    assert caught.value.hint == "run: git lfs pull"


def test_one_changed_byte_is_found(bundle_folder):
    content = bytearray((bundle_folder / "scorer.onnx").read_bytes())
    content[-1] ^= 1
    (bundle_folder / "scorer.onnx").write_bytes(content)
    with pytest.raises(BundleError, match=r"scorer\.onnx: altered or damaged: sha256 "):
        load_bundle(bundle_folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"name": }'])
def test_broken_json(bundle_folder, content):
    (bundle_folder / "bundle.json").write_bytes(content)
    with pytest.raises(BundleError, match=r"bundle\.json: not valid JSON"):
        load_bundle(bundle_folder)


def test_json_that_is_no_object(bundle_folder):
    (bundle_folder / "bundle.json").write_text("[]")
    with pytest.raises(BundleError, match="not a bundle manifest"):
        load_bundle(bundle_folder)


@pytest.mark.parametrize("version", ["2.0", "0.9", None, 10])
def test_another_major_schema_version(bundle_folder, version):
    edit(bundle_folder, lambda fields: fields.update(schema_version=version))
    with pytest.raises(BundleError, match=rf"schema version {version}, this histpred reads 1\.6"):
        load_bundle(bundle_folder)


def test_a_later_minor_version_is_read(bundle_folder):
    edit(bundle_folder, lambda fields: fields.update(schema_version="1.7"))
    assert load_bundle(bundle_folder).manifest.schema_version == "1.7"


def stated(curve):
    return {"rule": "youden", "precision": 0.8, "recall": 0.5, "curve": curve}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.pop("window"), "window: Field required"),
        (lambda f: f.update(colour="red"), "colour: Extra inputs are not permitted"),
        (lambda f: f["window"].update(kind="gene"), "window.kind: Input should be 'context'"),
        (
            lambda f: f["window"].update(upstream=-1),
            "window.upstream: Input should be greater than",
        ),
        (lambda f: f["marks"][1].update(threshold=1.5), "marks.1.threshold: Input should be less"),
        (lambda f: f["marks"][0]["calibration"].update(slope=0), "marks.0.calibration.slope: "),
        (lambda f: f["marks"][0].update(name="a/b"), "marks.0.name: String should match"),
        (lambda f: f["marks"][0].update(name="H3K27me3"), "the same mark is listed twice"),
        (lambda f: f.update(marks=[]), "marks: "),
        (
            lambda f: f["known_answer"]["probabilities"].popitem(),
            "does not cover exactly the marks",
        ),
        (
            lambda f: f["marks"][0].update(unpredicted="too few"),
            "a mark that is not predicted has the threshold 1",
        ),
        (
            lambda f: f["marks"][0].update(unpredicted="too few", threshold=1),
            "does not cover exactly the marks that are predicted",
        ),
        (
            lambda f: f["marks"][0].update(calls={"rule": "precision"}),
            "'wanted' belongs to the rule 'precision'",
        ),
        (
            lambda f: f["marks"][0].update(calls={"rule": "youden", "wanted": 0.8}),
            "'wanted' belongs to the rule 'precision'",
        ),
        (
            lambda f: f["marks"][0].update(calls={"rule": "youden"}),
            "a precision is stated if the mark is called",
        ),
        (
            lambda f: f["marks"][0].update(calls={"rule": "youden", "precision": 0.8}),
            "precision and recall are stated together",
        ),
        (
            lambda f: f["marks"][0].update(calls=stated([(0.5, 0.8, 0.5), (0.4, 0.9, 0.4)])),
            "the thresholds of the curve do not ascend",
        ),
        (
            lambda f: f["marks"][0].update(calls=stated([(0.4, 0.8, 0.5), (0.5, 0.7, 0.4)])),
            "along the curve precision descends",
        ),
        (lambda f: f["marks"][0].update(calls=stated([(0.4, 0.8)])), "marks.0.calls.curve.0."),
        (lambda f: f["files"].update({"card.md": "00"}), "files.card.md: String should match"),
    ],
)
def test_fields_that_break_the_schema_are_named(bundle_folder, change, message):
    edit(bundle_folder, change)
    with pytest.raises(BundleError, match="not a valid manifest") as caught:
        load_bundle(bundle_folder)
    assert message in str(caught.value)


def test_many_broken_fields_are_three_and_a_count(bundle_folder):
    edit(
        bundle_folder,
        lambda fields: [fields.pop(name) for name in ("name", "marks", "files", "window")],
    )
    with pytest.raises(BundleError, match="Field required and 1 more"):
        load_bundle(bundle_folder)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../b", "..\\secret", "C:x", ""])
def test_a_file_name_that_leads_out_of_the_folder(bundle_folder, name):
    edit(bundle_folder, lambda fields: fields["files"].update({name: "0" * 64}))
    with pytest.raises(BundleError, match="points outside the bundle"):
        load_bundle(bundle_folder)


@pytest.mark.parametrize("name", ["scorer.onnx", "card.md"])
def test_a_required_file_without_a_digest(bundle_folder, name):
    edit(bundle_folder, lambda fields: fields["files"].pop(name))
    with pytest.raises(BundleError, match=rf"does not list {name}"):
        load_bundle(bundle_folder)


def replace(folder, name, make):
    """Put a link, a pipe or the like where a file was."""
    content = (folder / name).read_bytes()
    (folder / name).unlink()
    make(folder / name, content)


def link(path, content):
    target = path.parent.parent / f"elsewhere-{path.name}"
    target.write_bytes(content)
    path.symlink_to(target)


def link_inside(path, content):
    (path.parent / "copy").write_bytes(content)
    path.symlink_to("copy")


ODD_FILES = {
    "link": (link, "a link"),
    "link inside": (link_inside, "a link"),
    "device": (lambda path, _: path.symlink_to("/dev/zero"), "a link"),
    "pipe": (lambda path, _: os.mkfifo(path), "not a regular file"),
    "folder": (lambda path, _: path.mkdir(), "not a regular file"),
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", ["bundle.json", "scorer.onnx", "card.md"])
@pytest.mark.parametrize(("make", "words"), ODD_FILES.values(), ids=ODD_FILES)
def test_only_regular_files_inside_the_folder_are_read(bundle_folder, name, make, words):
    replace(bundle_folder, name, make)
    with pytest.raises(BundleError, match=rf"{name}: {words}"):
        load_bundle(bundle_folder)


def test_a_folder_inside_a_bundle_is_no_link(bundle_folder):
    (bundle_folder.parent / "elsewhere").mkdir()
    (bundle_folder.parent / "elsewhere" / "a.txt").write_bytes(b"a")
    digest = hashlib.sha256(b"a").hexdigest()
    edit(bundle_folder, lambda fields: fields["files"].update({"sub/a.txt": digest}))
    (bundle_folder / "sub").symlink_to(bundle_folder.parent / "elsewhere")
    with pytest.raises(BundleError, match=r"sub/a\.txt: a link"):
        load_bundle(bundle_folder)
    (bundle_folder / "sub").unlink()
    (bundle_folder.parent / "elsewhere").rename(bundle_folder / "sub")
    assert load_bundle(bundle_folder)


def test_the_folder_itself_may_be_a_link(bundle_folder, tmp_path):
    (tmp_path / "staged").symlink_to(bundle_folder)
    assert load_bundle(tmp_path / "staged").directory == tmp_path / "staged"


def test_a_file_of_terabytes_is_not_read(bundle_folder):
    os.truncate(bundle_folder / "card.md", 1 << 40)
    with pytest.raises(BundleError, match=r"card\.md: 1,099,511,627,776 bytes"):
        load_bundle(bundle_folder)


def test_a_folder_of_another_command_is_no_bundle(tmp_path):
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(BundleError, match="the output of histpred evaluate, not of") as caught:
        load_bundle(tmp_path)
    assert caught.value.hint.startswith("give a folder of histpred train")


def test_a_card_is_text(bundle_folder):
    (bundle_folder / "card.md").write_bytes(b"caf\xe9")
    digest = hashlib.sha256(b"caf\xe9").hexdigest()
    edit(bundle_folder, lambda fields: fields["files"].update({"card.md": digest}))
    with pytest.raises(BundleError, match=r"card\.md: not UTF-8 text"):
        load_bundle(bundle_folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('"name": "tiny", "name": "tony"', "the key 'name' occurs twice"),
        (f'"name": "tiny", "x": {10**400}', "a whole number of 401 digits"),
        (f'"name": "tiny", "x": {"[" * 9999}', "nested more than 100 deep"),
        ('"name": "tiny", "x": "\\ud800"', "surrogates not allowed"),
    ],
    ids=["key", "number", "depth", "text"],
)
def test_json_that_is_read_in_two_ways_or_not_at_all(bundle_folder, text, words):
    path = bundle_folder / "bundle.json"
    path.write_text(path.read_text().replace('"name": "tiny"', text))
    with pytest.raises(BundleError, match=f"not valid JSON: .*{words}"):
        load_bundle(bundle_folder)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda f: f["window"].update(upstream=10**9), "window.upstream"),
        (lambda f: f["window"].update(downstream=10**9), "window.downstream"),
        (lambda f: f["encoder"].update(dimension=10**12), "encoder.dimension"),
        (
            lambda f: f["encoder"].update(chunks={"policy": "grid", "length": 10**15}),
            "encoder.chunks.length",
        ),
        (
            lambda f: f["species"].update(chromosome_lengths={"a": [10**39]}),
            "species.0.chromosome_lengths.a.0",
        ),
    ],
)
def test_lengths_without_end_are_refused(bundle_folder, change, place):
    edit(bundle_folder, change)
    with pytest.raises(BundleError, match=f"{place}: Input should be less than or equal to"):
        load_bundle(bundle_folder)


def test_an_encoder_that_ships_has_a_digest(bundle_folder):
    (bundle_folder / "encoder.onnx").write_bytes(NETWORK)
    edit(bundle_folder, lambda fields: fields["encoder"].update(kind="onnx", settings={}))
    with pytest.raises(BundleError, match=r"'files' does not list encoder\.onnx"):
        load_bundle(bundle_folder)


@pytest.mark.parametrize("name", ["scorer.onnx", "encoder.onnx"])
def test_graphs_are_checked_when_a_bundle_is_loaded(bundle_folder, name):
    def change(fields):
        fields["files"].update({"encoder.onnx": digest, name: hashlib.sha256(b"odd").hexdigest()})
        fields["encoder"].update(kind="onnx", settings={})

    digest = hashlib.sha256(NETWORK).hexdigest()
    (bundle_folder / "encoder.onnx").write_bytes(NETWORK)
    (bundle_folder / name).write_bytes(b"odd")
    edit(bundle_folder, change)
    with pytest.raises(BundleError, match=rf"{name}: no ONNX graph"):
        load_bundle(bundle_folder)


def test_loading_imports_nothing_heavy():
    code = (
        "import sys; from histpred.bundle.folder import load_bundle; "
        "assert 'pydantic' not in sys.modules; load_bundle(); "
        "sys.exit(bool({'onnxruntime', 'torch', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
