from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from torch.nn import functional  # noqa: E402

from histpred.training.deephistone import (  # noqa: E402
    DeepHistone,
    adapted,
    vanilla,
)


def random_codes(rows: int, length: int, seed: int = 0) -> torch.Tensor:
    """Codes with a run of N (4) at the first row's start and some within."""
    codes = np.random.default_rng(seed).integers(0, 5, (rows, length)).astype(np.uint8)
    codes[0, : length // 4] = 4
    return torch.from_numpy(codes)


def trained_a_little(model: DeepHistone, codes: torch.Tensor) -> DeepHistone:
    """Give the norms statistics and gains of their own, so that none is an identity."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.3)
            module.momentum = None  # the mean over all batches
    with torch.no_grad():
        for _ in range(3):
            model(codes)
    return model.eval()


def as_published(state: dict[str, torch.Tensor], codes: torch.Tensor, pooled: bool) -> torch.Tensor:
    """Logits in the published form: 2-D convolutions over [batch, 1, 4, length], float64."""
    one_hot = np.zeros((len(codes), 1, 4, codes.shape[1]))
    for row, letters in enumerate(codes.numpy()):
        for place, letter in enumerate(letters):
            if letter < 4:
                one_hot[row, 0, letter, place] = 1

    def get(name: str) -> torch.Tensor:
        return state[name].double()

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        names = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(get(f"{name}.{part}") for part in names), eps=1e-5)

    kernel = get("encoder.conv1.weight")[:, None]  # [128, 1, 4, 9]
    x = functional.conv2d(
        torch.from_numpy(one_hot), kernel, get("encoder.conv1.bias"), padding=(0, 4)
    )
    for number in (1, 2):
        for layer in range(3):
            stem = f"encoder.block{number}.{layer}"
            kernel = get(f"{stem}.convolution.weight")[:, :, None]  # height 1
            active = functional.relu(norm(x, f"{stem}.norm"))
            bias = get(f"{stem}.convolution.bias")
            x = torch.cat([x, functional.conv2d(active, kernel, bias, padding=(0, 4))], 1)
        stem = f"encoder.trans{number}"
        kernel = get(f"{stem}.2.weight")[:, :, None]
        x = functional.conv2d(functional.relu(norm(x, f"{stem}.0")), kernel, get(f"{stem}.2.bias"))
        x = functional.max_pool2d(x, (1, 4))
    if pooled:
        flat = torch.cat([x.flatten(2).max(2).values, x.flatten(2).mean(2)], 1)
    else:
        flat = x.reshape(len(x), -1)
    hidden = flat @ get("encoder.dense.1.weight").T + get("encoder.dense.1.bias")
    hidden = functional.relu(norm(hidden, "encoder.dense.2"))
    return hidden @ get("output.weight").T + get("output.bias")


@pytest.mark.parametrize("pooling", ["flatten", "global"])
def test_equals_the_published_form(pooling):
    torch.manual_seed(0)
    codes = random_codes(3, 131)
    model = trained_a_little(DeepHistone(4, pooling, 131), codes)
    with torch.inference_mode():
        found = model(codes)
    expected = as_published(model.state_dict(), codes, pooling == "global")
    assert expected.std(dim=0).max() > 0.1  # windows differ
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


# Shapes and parameters: the published code's, counted by hand
TOWER = {
    "conv1": ((128, 1), 4_736),
    "block1": ((512, 1), 147_840 + 295_552 + 443_264),
    "trans1": ((256, 4), 132_352),
    "block2": ((1024, 4), 590_592 + 1_180_928 + 1_771_264),
    "trans2": ((512, 16), 526_848),
}


@pytest.mark.parametrize(
    ("build", "length", "pooled", "dense"),
    [(vanilla, 1_000, 31_744, 29_364_125), (adapted, 12_000, 1_024, 948_125)],
    ids=["vanilla", "adapted"],
)
def test_shapes_and_parameters_of_each_part(build, length, pooled, dense):
    model = build(1).eval()
    assert model.length == length
    values = random_codes(1, length)
    tower = 0
    for name, part in model.encoder.named_children():
        with torch.inference_mode():
            values = part(values)
        count = sum(weight.numel() for weight in part.parameters())
        if name in TOWER:
            (channels, shrunk), expected = TOWER[name]
            assert values.shape == (1, channels, length // shrunk)
            tower += count
        else:
            shape, expected = {
                "one_hot": ((1, 4, length), 0),
                "pool": ((1, pooled), 0),
                "dense": ((1, 925), dense + 1_850),
            }[name]
            assert values.shape == shape
        assert count == expected, name
    assert tower == 5_093_376
    assert values.min() == 0  # after the ReLU


@pytest.mark.parametrize(
    ("build", "marks", "expected"),
    [
        (vanilla, 1, 34_460_277),
        (vanilla, 50, 34_505_651),
        (adapted, 1, 6_044_277),
        (adapted, 50, 6_089_651),
    ],
)
def test_number_of_parameters(build, marks, expected):
    assert sum(weight.numel() for weight in build(marks).parameters()) == expected


def test_n_is_no_base():
    model = DeepHistone(2, "global", 64).eval()
    one_hot = model.encoder.one_hot(torch.tensor([[0, 1, 2, 3, 4]], dtype=torch.uint8))
    assert one_hot[0].T.tolist() == [*np.eye(4).tolist(), [0, 0, 0, 0]]


def test_encoder_and_output_are_the_model_in_two():
    codes = random_codes(2, 80)
    model = trained_a_little(DeepHistone(3, "global", 80), codes)
    encoder, scorer = model.encoder, model.output
    with torch.inference_mode():
        embedding = encoder(codes)
        assert embedding.shape == (2, 925)
        assert scorer.out_features == 3
        assert torch.equal(scorer(embedding), model(codes))


@pytest.mark.parametrize("pooling", ["flatten", "global"])
def test_it_learns(pooling):
    """A handful of windows, told apart by their share of A, is learned by heart."""
    torch.manual_seed(0)
    codes = random_codes(12, 64, seed=1)
    targets = ((codes == 0).sum(1) > (codes == 1).sum(1)).float()[:, None]
    assert 0 < targets.mean() < 1
    model = DeepHistone(1, pooling, 64).train()
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    losses = []
    for _ in range(12):
        loss = functional.binary_cross_entropy_with_logits(model(codes), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 3


@pytest.mark.parametrize(
    ("pooling", "length", "words"),
    [("mean", 64, "unknown pooling 'mean'"), ("global", 15, "16 or more")],
)
def test_what_cannot_be_built(pooling, length, words):
    with pytest.raises(ValueError, match=words):
        DeepHistone(1, pooling, length)
