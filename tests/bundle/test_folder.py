from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest

from histpred.bundle import folder as module
from histpred.bundle.folder import DEFAULT_BUNDLE, load_bundle, shipped_bundles
from histpred.core.errors import BundleError

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"


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
    assert bundle.scorer_path.read_bytes() == b"not a network"
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
    (bundle_folder / "scorer.onnx").write_bytes(b"not a netw0rk")
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
    with pytest.raises(BundleError, match=rf"schema version {version}, this histpred reads 1\.3"):
        load_bundle(bundle_folder)


def test_a_later_minor_version_is_read(bundle_folder):
    edit(bundle_folder, lambda fields: fields.update(schema_version="1.7"))
    assert load_bundle(bundle_folder).manifest.schema_version == "1.7"


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


def test_loading_imports_nothing_heavy():
    code = (
        "import sys; from histpred.bundle.folder import load_bundle; "
        "assert 'pydantic' not in sys.modules; load_bundle(); "
        "sys.exit(bool({'onnxruntime', 'torch', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
