from __future__ import annotations

import logging

import numpy as np
import pytest

REASON = "needs the extra encoders: HISTPRED_EXTRAS=encoders bin/test"
torch = pytest.importorskip("torch", reason=REASON)

from torch import nn  # noqa: E402

from histpred.core.errors import DeviceError, UsageError  # noqa: E402
from histpred.encoders import devices  # noqa: E402
from histpred.encoders.devices import (  # noqa: E402
    DTYPES,
    FEWEST_ROWS,
    PRECISIONS,
    ROUNDED,
    Bf16Linear,
    Int8Linear,
    choose_device,
    choose_precision,
    choose_training_precision,
    precisions_of,
    round_linear,
    why_no_bf16,
    why_no_cuda,
)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Makes torch see a machine of another kind; without arguments it has no GPU at all."""

    def make(
        *, gpus=0, cuda="12.8", hip=None, mps=False, driver=None, onednn=True, features=("avx2",)
    ):
        node = tmp_path / "nvidia0"
        if gpus if driver is None else driver:
            node.touch()
        monkeypatch.setattr(devices, "NVIDIA_DEVICE", node)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.version, "cuda", cuda)
        monkeypatch.setattr(torch.version, "hip", hip, raising=False)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: onednn)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(features, True))

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
def test_a_precision_that_the_device_has_is_taken(machine, kind, precision):
    machine(features=["avx512_bf16"])
    assert choose_precision(torch.device(kind), precision) == precision
    assert precision in (ROUNDED.keys() | {"fp32"} if kind == "cpu" else DTYPES)


@pytest.mark.parametrize(
    "features", [["avx512_bf16"], ["avx512_bf16", "amx_bf16"], ["amx_bf16"], ["neon", "bf16"]]
)
def test_a_cpu_with_instructions_for_bf16_has_it(machine, features):
    machine(features=features)
    assert why_no_bf16() == ""
    assert precisions_of(torch.device("cpu")) == ("fp32", "int8", "bf16")
    assert choose_precision(torch.device("cpu"), "auto") == "fp32"


@pytest.mark.parametrize(
    "features", [[], ["avx2"], ["avx512_f", "avx512_bw", "avx512_vl", "avx512_dq"], ["neon"]]
)
def test_a_cpu_that_would_emulate_bf16_has_it_not(machine, features):
    machine(features=features)
    assert precisions_of(torch.device("cpu")) == ("fp32", "int8")
    with pytest.raises(UsageError, match=r"no bf16 arithmetic.*slower than fp32") as caught:
        choose_precision(torch.device("cpu"), "bf16")
    assert caught.value.hint == "use auto or fp32, int8"


def test_a_torch_that_cannot_tell_or_cannot_compute_has_no_bf16(machine, monkeypatch):
    machine(features=["avx512_bf16"], onednn=False)
    assert "was built without oneDNN" in why_no_bf16()
    machine(features=["avx512_bf16"])
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert "is too old to say" in why_no_bf16()


@pytest.mark.parametrize(
    ("device", "precision", "expected"),
    [
        *(("cpu", precision, "fp32") for precision in ("auto", "fp32", "int8", "fp16")),
        ("cpu", "bf16", "bf16"),
        *(("cuda", precision, "bf16") for precision in ("auto", "fp32", "fp16", "bf16")),
        ("mps", "auto", "fp32"),
    ],
)
def test_training_is_in_bf16_on_cuda_and_where_it_is_asked_for(
    machine, device, precision, expected
):
    machine(features=["avx512_bf16"])
    assert choose_training_precision(torch.device(device), precision) == expected


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_training_in_bf16_is_refused_where_the_device_has_it_not(machine, device):
    with pytest.raises(UsageError, match="'bf16' is not available"):
        choose_training_precision(torch.device(device), "bf16")


@pytest.mark.parametrize(
    ("device", "precision"),
    [("cpu", "fp16"), ("cpu", "bf16"), ("cuda:1", "int8"), ("mps", "bf16"), ("mps", "int8")],
)
def test_a_precision_that_the_device_has_not_is_a_usage_error(machine, device, precision):
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


# int8


def linear(inner=40, outer=24, bias=True, seed=0):
    torch.manual_seed(seed)
    return nn.Linear(inner, outer, bias=bias).requires_grad_(False)


def random_rows(*shape, seed=1):
    """Rows of sizes that differ by orders of magnitude, as activations' do."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(*shape, generator=generator)
    return rows * 10 ** (4 * torch.rand(*shape[:-1], 1, generator=generator) - 2)


def brute_force(layer, rows):
    """The scheme in float64, one output at a time: 127 steps for each row of either matrix.

    What is rounded is the quotient in float32, as histpred has it: float64 would decide ties, and
    nearly ties, otherwise.
    """

    def steps(row):
        scale = np.float32(np.abs(row).max() / np.float32(127)) or np.float32(1)
        return np.rint(row / scale).astype(np.int64), float(scale)

    result = np.zeros((len(rows), len(layer.weight)))
    for i, row in enumerate(rows.numpy()):
        activations, size = steps(row)
        for j, weights in enumerate(layer.weight.numpy()):
            rounded, step = steps(weights)
            result[i, j] = int(activations @ rounded) * size * step
    return result + (0 if layer.bias is None else layer.bias.double().numpy())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 2, FEWEST_ROWS - 1, FEWEST_ROWS, FEWEST_ROWS + 1, 50])
def test_equals_the_scheme_one_number_at_a_time(rows, bias):
    layer = linear(bias=bias)
    given = random_rows(rows, 40)
    found = Int8Linear(layer)(given)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, brute_force(layer, given), rtol=1e-5, atol=1e-6)


def test_the_error_is_within_half_a_step_of_every_factor():
    layer = linear(inner=300)
    rows = random_rows(60, 300)
    weight = layer.weight
    steps = rows.abs().amax(dim=1, keepdim=True) / 127, weight.abs().amax(dim=1) / 127
    # |(a + da)(w + dw) - aw| <= |a||dw| + |da||w| + |da||dw|, summed over the inputs
    bound = (
        rows.abs().sum(dim=1, keepdim=True) * steps[1] / 2
        + steps[0] / 2 * weight.abs().sum(dim=1)
        + 300 * steps[0] * steps[1] / 4
    )
    error = (Int8Linear(layer)(rows) - layer(rows)).abs()
    assert (error <= bound * 1.001).all()
    assert error.max() > 0


def test_the_error_is_about_a_hundredth():
    layer = linear(inner=768, outer=768)
    rows = random_rows(50, 768)
    exact = layer(rows) - layer.bias
    error = Int8Linear(layer)(rows) - layer.bias - exact
    relative = error.norm(dim=1) / exact.norm(dim=1)
    assert (relative < 0.02).all()


def test_the_rest_of_the_batch_changes_not_a_bit():
    layer = Int8Linear(linear())
    rows = random_rows(40, 40)
    together = layer(rows)
    for i in range(40):
        assert torch.equal(layer(rows[i : i + 1])[0], together[i])
    assert torch.equal(layer(rows.flip(0)).flip(0), together)


@pytest.mark.parametrize("shape", [(40,), (3, 40), (2, 3, 40), (2, 3, 5, 40)])
def test_any_number_of_dimensions_goes_through(shape):
    layer = Int8Linear(linear())
    rows = random_rows(*shape) if len(shape) > 1 else random_rows(1, 40)[0]
    found = layer(rows)
    assert found.shape == (*shape[:-1], 24)
    assert torch.equal(found.reshape(-1, 24), layer(rows.reshape(-1, 40)))


@pytest.mark.parametrize("bias", [True, False])
def test_a_row_of_zeros_gives_the_bias(bias):
    layer = linear(bias=bias)
    rows = random_rows(3, 40)
    rows[1] = 0
    found = Int8Linear(layer)(rows)
    assert torch.equal(found[1], layer.bias if bias else torch.zeros(24))
    assert found.isfinite().all()


def test_an_output_of_zero_weights_gives_its_bias():
    layer = linear()
    layer.weight[5] = 0
    quantised = Int8Linear(layer)
    found = quantised(random_rows(4, 40))
    assert (
        quantised.scale[0, 5] == 1
    )  # with 0, whether 0 / 0 is 0 as int8 is the processor's choice
    assert (found[:, 5] == layer.bias[5]).all()
    assert found.isfinite().all()


def test_numbers_too_small_for_a_step_are_zeros():
    rows = torch.full((1, 40), 1e-45)
    assert torch.equal(Int8Linear(linear(bias=False))(rows), torch.zeros(1, 24))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_stays_none_and_keeps_to_its_row(value):
    layer = Int8Linear(linear())
    rows = random_rows(20, 40)
    expected = layer(rows)
    rows[3, 7] = value
    found = layer(rows)
    assert not found[3].isfinite().any()
    assert torch.equal(found[:3], expected[:3])
    assert torch.equal(found[4:], expected[4:])


def test_a_weight_that_is_no_number_is_not_hidden():
    layer = linear()
    layer.weight[5, 2] = np.nan
    found = Int8Linear(layer)(random_rows(4, 40))
    assert found[:, 5].isnan().all()
    assert found[:, :5].isfinite().all()


def test_the_input_is_left_as_it_was():
    rows = random_rows(20, 40)
    before = rows.clone()
    Int8Linear(linear())(rows)
    assert torch.equal(rows, before)


def test_quantising_replaces_linear_layers_however_deep_and_nothing_else():
    torch.manual_seed(0)
    inner = nn.ModuleDict({"deep": nn.ModuleList([nn.Linear(8, 16)]), "norm": nn.LayerNorm(16)})
    model = nn.Sequential(nn.Linear(8, 8), inner, nn.Embedding(3, 8), nn.GELU()).eval()
    kept = [inner["norm"], model[2], model[3]]
    round_linear(model, "int8")
    assert type(model[0]) is Int8Linear
    assert type(inner["deep"][0]) is Int8Linear
    assert [inner["norm"], model[2], model[3]] == kept
    assert not any(type(module) is nn.Linear for module in model.modules())


def test_a_replaced_layer_computes_what_it_replaced():
    layer = linear()
    model = nn.Sequential(layer)
    round_linear(model, "int8")
    rows = random_rows(30, 40)
    assert torch.equal(model(rows), Int8Linear(layer)(rows))


def test_weights_stay_integers_where_the_model_is_cast():
    model = nn.Sequential(linear())
    round_linear(model, "int8")
    model.to("cpu", torch.float32)
    assert model[0].weight.dtype == torch.int8
    assert model[0].weight.abs().max() == 127


# bf16 on a CPU


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(40,), (3, 40), (2, 3, 40)])
def test_bf16_rounds_both_factors_and_the_product(shape, bias):
    layer = linear(bias=bias)
    rows = random_rows(*shape) if len(shape) > 1 else random_rows(1, 40)[0]
    found = Bf16Linear(layer)(rows)
    assert found.dtype == torch.float32

    def rounded(values):
        return values.bfloat16().double()

    exact = rounded(rows) @ rounded(layer.weight).T
    exact += 0 if layer.bias is None else rounded(layer.bias)
    step = 2.0**-8 * exact.abs() + 1e-5 * rows.abs().max()  # bf16 has eight bits
    assert ((found - exact).abs() <= step).all()
    assert torch.equal(found, found.bfloat16().float())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_in_bf16_what_is_no_number_stays_none_and_keeps_to_its_row(value):
    rows = random_rows(20, 40)
    rows[3, 7] = value
    found = Bf16Linear(linear())(rows)
    assert not found[3].isfinite().any()
    assert found[:3].isfinite().all()
    assert found[4:].isfinite().all()


def test_in_bf16_all_but_the_linear_layers_stays_as_it_was():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(3, 8), nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 4))
    round_linear(model, "bf16")
    kinds = [type(layer) for layer in model]
    assert kinds == [nn.Embedding, Bf16Linear, nn.LayerNorm, Bf16Linear]
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert {buffer.dtype for buffer in model.buffers()} == {torch.bfloat16}
