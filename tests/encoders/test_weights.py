from __future__ import annotations

import argparse

import pytest

REASON = "needs the extra encoders: HISTPRED_EXTRAS=encoders bin/test"
torch = pytest.importorskip("torch", reason=REASON)
safetensors_torch = pytest.importorskip("safetensors.torch", reason=REASON)

from torch import nn  # noqa: E402

from histpred.core.errors import WeightsError, first_line  # noqa: E402
from histpred.encoders.weights import (  # noqa: E402
    check_layers,
    fill,
    find_file,
    read_json,
    read_state,
)


def tensors():
    return {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(2)}


def assert_same(found, expected):
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


# read_state


@pytest.mark.parametrize("name", ["w.bin", "w.pt", "w.pth", "w.ckpt"])
@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_come_back_whatever_torch_wrote(tmp_path, name, zipped):
    torch.save(tensors(), tmp_path / name, _use_new_zipfile_serialization=zipped)
    assert_same(read_state(tmp_path / name), tensors())


def test_tensors_come_back_from_safetensors(tmp_path):
    safetensors_torch.save_file(tensors(), tmp_path / "w.safetensors")
    found = read_state(tmp_path / "w.safetensors")
    assert_same(dict(sorted(found.items())), dict(sorted(tensors().items())))


def test_tensors_under_model_come_back_without_what_lies_beside_them(tmp_path):
    content = {"args": argparse.Namespace(arch="roberta_large", lr=0.1), "model": tensors()}
    torch.save(content, tmp_path / "w.pth")
    assert_same(read_state(tmp_path / "w.pth"), tensors())


def test_reading_a_namespace_allows_it_nowhere_else(tmp_path):
    torch.save({"args": argparse.Namespace(a=1), "model": tensors()}, tmp_path / "w.pth")
    read_state(tmp_path / "w.pth")
    assert argparse.Namespace not in torch.serialization.get_safe_globals()


class Stranger:
    """A class that no file of weights has a use for."""


def test_an_object_of_another_class_beside_the_tensors_is_refused(tmp_path):
    torch.save({"args": Stranger(), "model": tensors()}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"w\.pth: cannot be read as weights: Unpickling"):
        read_state(tmp_path / "w.pth")


@pytest.mark.parametrize(
    "content",
    [{**tensors(), "epoch": 3}, {"model": 3}, {"model": [torch.ones(2)]}, [torch.ones(2)], None],
)
def test_a_file_that_holds_anything_but_tensors_by_name_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "w.bin")
    with pytest.raises(WeightsError, match=r"w\.bin: holds no named tensors"):
        read_state(tmp_path / "w.bin")


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 500, b"<html>404 Not Found</html>", b"PK\x03\x04"]
)
@pytest.mark.parametrize("suffix", ["bin", "pth", "safetensors"])
def test_a_file_of_another_kind_is_refused_in_one_line(tmp_path, suffix, content):
    path = tmp_path / f"w.{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="cannot be read as weights") as caught:
        read_state(path)
    assert "\n" not in caught.value.message
    assert "histpred encoders get" in caught.value.hint


def test_safetensors_under_the_name_of_a_pickle_is_refused(tmp_path):
    safetensors_torch.save_file(tensors(), tmp_path / "w.bin")
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        read_state(tmp_path / "w.bin")


def test_a_git_lfs_pointer_says_what_to_do(tmp_path):
    path = tmp_path / "w.pth"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(WeightsError, match="a Git-LFS pointer, not the file itself") as caught:
        read_state(path)
    assert "git lfs pull" in caught.value.hint


# read_json


def test_a_json_object_comes_back(tmp_path):
    (tmp_path / "c.json").write_text('{"a": [1, null], "b": "\u00e9"}', encoding="utf-8")
    assert read_json(tmp_path / "c.json") == {"a": [1, None], "b": "\u00e9"}


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1}x', b"\xff\xfe{}", b"\x80"])
def test_what_is_no_json_is_refused(tmp_path, content):
    (tmp_path / "c.json").write_bytes(content)
    with pytest.raises(WeightsError, match=r"c\.json: cannot be read as JSON"):
        read_json(tmp_path / "c.json")


@pytest.mark.parametrize("content", ["[]", "3", "null", '"a"'])
def test_json_that_is_no_object_is_refused(tmp_path, content):
    (tmp_path / "c.json").write_text(content)
    with pytest.raises(WeightsError, match=r"c\.json: is not a JSON object"):
        read_json(tmp_path / "c.json")


def test_json_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"c\.json: cannot be read"):
        read_json(tmp_path / "c.json")


# fill


def empty_model():
    with torch.device("meta"):
        return nn.ModuleDict({"a": nn.Linear(3, 2)})


def test_a_model_takes_the_tensors_it_is_given(tmp_path):
    model = empty_model()
    fill(model, tensors(), tmp_path)
    assert_same(model.state_dict(), tensors())
    assert not model["a"].weight.is_meta


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_tensors_of_another_precision_become_fp32(tmp_path, dtype):
    model = empty_model()
    fill(model, {name: tensor.to(dtype) for name, tensor in tensors().items()}, tmp_path)
    assert model["a"].weight.dtype == torch.float32
    assert_same(model.state_dict(), tensors())


def test_missing_tensors_are_counted_and_the_first_three_named(tmp_path):
    with torch.device("meta"):
        model = nn.ModuleDict({name: nn.Linear(3, 2) for name in "abc"})
    with pytest.raises(
        WeightsError, match=r"4 tensors are missing: b\.bias, b\.weight, c\.bias and 1 more"
    ):
        fill(model, tensors(), tmp_path / "w.bin")


def test_a_tensor_left_over_is_named(tmp_path):
    with pytest.raises(
        WeightsError, match=r"w\.bin: 1 tensors do not belong to this encoder: a\.x"
    ):
        fill(empty_model(), tensors() | {"a.x": torch.ones(1)}, tmp_path / "w.bin")


@pytest.mark.parametrize("shape", [(3, 2), (2, 3, 1), (6,), ()])
def test_a_tensor_of_another_shape_is_named_with_both_shapes(tmp_path, shape):
    with pytest.raises(WeightsError, match=r"a\.weight \[.*\] instead of \[2, 3\]"):
        fill(empty_model(), tensors() | {"a.weight": torch.ones(shape)}, tmp_path)


def test_a_model_that_is_refused_stays_empty(tmp_path):
    model = empty_model()
    with pytest.raises(WeightsError):
        fill(model, tensors() | {"a.bias": torch.ones(3)}, tmp_path)
    assert model["a"].weight.is_meta


# find_file


def test_the_first_name_that_is_there_is_found(tmp_path):
    (tmp_path / "b").touch()
    (tmp_path / "c").touch()
    assert find_file(tmp_path, ["a", "b", "c"], "weights") == tmp_path / "b"


def test_a_folder_of_that_name_is_not_the_file(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").touch()
    assert find_file(tmp_path, ["a", "b"], "weights") == tmp_path / "b"


def test_a_file_stands_for_itself(tmp_path):
    path = tmp_path / "weights.of.mine"
    path.touch()
    assert find_file(path, ["a"], "weights") == path


def test_a_folder_without_the_file_names_what_was_sought(tmp_path):
    with pytest.raises(WeightsError, match="holds no weights: none of a, b"):
        find_file(tmp_path, ["a", "b"], "weights")


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WeightsError, match="absent: no such file or folder"):
        find_file(tmp_path / "absent", ["a"], "weights")


# first_line


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("one\ntwo"), "ValueError: one"),
        (ValueError("\n  one  \n"), "ValueError: one"),
        (KeyError(), "KeyError"),
        (ValueError("x" * 900), "ValueError: " + "x" * 200),
    ],
)
def test_an_exception_is_told_in_one_line(error, expected):
    assert first_line(error) == expected


def test_more_layers_than_the_weights_can_hold_are_refused_before_they_are_built(tmp_path):
    (tmp_path / "weights.bin").write_bytes(bytes(1000))
    config, files = tmp_path / "config.json", [tmp_path / "weights.bin"]
    check_layers(config, 10, 100, files)
    with pytest.raises(WeightsError, match=r"config\.json: 1,000,000,000 layers of width 100"):
        check_layers(config, 10**9, 100, files)
