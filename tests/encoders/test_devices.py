from __future__ import annotations

import logging

import pytest

REASON = "needs the extra encoders: pip install 'histpred[encoders]'"
torch = pytest.importorskip("torch", reason=REASON)

from histpred.core.errors import DeviceError, UsageError  # noqa: E402
from histpred.encoders import devices  # noqa: E402
from histpred.encoders.devices import (  # noqa: E402
    DTYPES,
    PRECISIONS,
    choose_device,
    choose_precision,
    why_no_cuda,
)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Makes torch see a machine of another kind; without arguments it has no GPU at all."""

    def make(*, gpus=0, cuda="12.8", hip=None, mps=False, driver=None):
        node = tmp_path / "nvidia0"
        if gpus if driver is None else driver:
            node.touch()
        monkeypatch.setattr(devices, "NVIDIA_DEVICE", node)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.version, "cuda", cuda)
        monkeypatch.setattr(torch.version, "hip", hip, raising=False)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    make()
    return make


@pytest.mark.parametrize("gpus", [0, 2])
def test_cpu_is_the_cpu_and_says_nothing(machine, gpus, caplog):
    machine(gpus=gpus)
    with caplog.at_level(logging.INFO):
        assert choose_device("cpu") == torch.device("cpu")
    assert not caplog.records


@pytest.mark.parametrize(
    ("device", "number"), [("cuda", 0), ("cuda:0", 0), ("cuda:1", 1), ("auto", 0)]
)
def test_cuda_is_the_gpu_of_that_number(machine, device, number, caplog):
    machine(gpus=2)
    with caplog.at_level(logging.WARNING):
        assert choose_device(device) == torch.device("cuda", number)
    assert not caplog.records


def test_a_gpu_number_that_is_not_there_is_an_error(machine):
    machine(gpus=2)
    with pytest.raises(DeviceError, match="'cuda:2' was asked for: there are 2, counted from cuda"):
        choose_device("cuda:2")


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:3"])
def test_cuda_that_was_asked_for_and_is_not_there_is_an_error(machine, device):
    with pytest.raises(
        DeviceError, match=f"'{device}' was asked for: there is no NVIDIA"
    ) as caught:
        choose_device(device)
    assert "--gpus all" in caught.value.hint
    assert "--nv" in caught.value.hint


def test_auto_falls_back_loudly(machine, caplog):
    with caplog.at_level(logging.WARNING):
        assert choose_device("auto") == torch.device("cpu")
    assert "running on the CPU: there is no NVIDIA device" in caplog.text


def test_auto_falls_back_loudly_where_cuda_does_not_start(machine, caplog):
    machine(driver=True)
    with caplog.at_level(logging.WARNING):
        assert choose_device("auto") == torch.device("cpu")
    assert "cannot start CUDA" in caplog.text


def test_auto_does_not_take_mps(machine):
    machine(mps=True)
    assert choose_device("auto") == torch.device("cpu")


def test_mps_is_taken_where_it_was_asked_for(machine):
    machine(mps=True)
    assert choose_device("mps") == torch.device("mps")


def test_mps_that_was_asked_for_and_is_not_there_is_an_error(machine):
    machine(gpus=1)
    with pytest.raises(DeviceError, match="'mps' was asked for: this machine has no Apple GPU"):
        choose_device("mps")


@pytest.mark.parametrize(
    "device", ["gpu", "", "CUDA", "cuda:x", "cuda:-1", "cuda:1.5", "cpu:0", "mps:0", "auto:1"]
)
def test_a_word_that_is_no_device_is_a_usage_error(machine, device):
    machine(gpus=2, mps=True)
    with pytest.raises(UsageError, match="unknown device") as caught:
        choose_device(device)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({"gpus": 1}, ""),
        ({"gpus": 1, "cuda": None, "hip": "6.2"}, ""),
        ({}, "there is no NVIDIA device"),
        ({"cuda": None, "hip": "6.2"}, "there is no NVIDIA device"),
        ({"driver": True}, "nvidia0 exists, but torch {torch} cannot start CUDA on it"),
        ({"cuda": None}, "this torch ({torch}) was built without CUDA"),
        (
            {"cuda": None, "driver": True},
            "this torch ({torch}) was built without CUDA, though {node} exists",
        ),
    ],
)
def test_why_there_is_no_cuda(machine, seen, expected):
    machine(**seen)
    found = why_no_cuda()
    wanted = expected.format(torch=torch.__version__, node=devices.NVIDIA_DEVICE)
    assert found.endswith(wanted)
    assert bool(found) == bool(wanted)


@pytest.mark.parametrize(("kind", "expected"), [("cpu", "fp32"), ("cuda", "fp16"), ("mps", "fp32")])
def test_auto_is_the_precision_that_suits_the_device(kind, expected):
    assert choose_precision(torch.device(kind), "auto") == expected


POSSIBLE = [(kind, precision) for kind, known in PRECISIONS.items() for precision in known]


@pytest.mark.parametrize(("kind", "precision"), POSSIBLE)
def test_a_precision_that_the_device_has_is_taken(kind, precision):
    assert choose_precision(torch.device(kind), precision) == precision
    assert precision in DTYPES


@pytest.mark.parametrize(
    ("device", "precision"),
    [("cpu", "fp16"), ("cpu", "bf16"), ("cuda:1", "int8"), ("mps", "bf16"), ("mps", "int8")],
)
def test_a_precision_that_the_device_has_not_is_a_usage_error(device, precision):
    with pytest.raises(
        UsageError, match=f"'{precision}' is not available on the device '{device}'"
    ) as caught:
        choose_precision(torch.device(device), precision)
    assert caught.value.hint.startswith("use auto or fp")


@pytest.mark.parametrize("precision", ["", "FP32", "float32", "fp8", "half"])
@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_a_word_that_is_no_precision_is_a_usage_error(device, precision):
    with pytest.raises(UsageError, match="is not available on the device"):
        choose_precision(torch.device(device), precision)
