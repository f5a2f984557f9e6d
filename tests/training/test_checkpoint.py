from __future__ import annotations

import re

import pytest

pytest.importorskip("torch", reason="needs the extra train")

import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import ReduceLROnPlateau

from histpred.training.checkpoint import Checkpoint, fixing, warn_of_faults

IDENTITY = {"labels sha256": "ab", "recipe": {"settings": {"seed": 0}}, "about": {"name": "mine"}}
HISTORY = [(1, 0.5, 0.4, 1e-3, True)]


def fixed(**others) -> dict:
    return fixing({**IDENTITY, **others}, torch.device("cpu"))


def parts():
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    optimiser = AdamW(network.parameters())
    return network, optimiser, ReduceLROnPlateau(optimiser)


@pytest.fixture
def path(tmp_path):
    """The file of a network that was saved after one epoch, in the folder of an interrupted run."""
    path = tmp_path / ".histpred-resume" / "checkpoint0.pt"
    network, optimiser, schedule = parts()
    Checkpoint(path, fixed()).save(network, optimiser, schedule, network.state_dict(), HISTORY)
    return path


def test_the_same_run_goes_on_and_says_nothing(path, caplog):
    warn_of_faults(path.parent, fixed())
    best, history = Checkpoint(path, fixed()).restore(*parts())
    assert not caplog.text
    assert [tuple(epoch) for epoch in history] == HISTORY
    assert torch.equal(best["weight"], parts()[0].weight)


def test_a_bundles_name_does_not_fix_the_weights(path):
    assert not Checkpoint(path, fixed(about={"name": "other"})).fault()


@pytest.mark.parametrize(
    ("others", "difference"),
    [
        ({"labels sha256": "cd"}, r"labels sha256 \(ab -> cd\)"),
        ({"recipe": {"settings": {"seed": 1}}}, r"recipe settings seed \(0 -> 1\)"),
        ({"histpred": "9"}, r"histpred \(None -> 9\)"),
    ],
)
def test_another_run_is_announced_with_what_differs(path, others, difference, caplog):
    warn_of_faults(path.parent, fixed(**others))
    place = re.escape(str(path.parent.parent))
    said = rf"training in {place} cannot go on exactly, and starts again from epoch 1: what differs"
    assert re.search(rf"{said}: {difference}", caplog.text)
    assert Checkpoint(path, fixed(**others)).restore(*parts()) is None
    assert path.exists()  # who stops now can still go on with the earlier command


@pytest.mark.parametrize(
    ("what", "version"), [("torch", "1.0"), ("CPU", "NONE"), ("device", "cuda:0")]
)
def test_other_arithmetic_is_announced(path, what, version, caplog):
    warn_of_faults(path.parent, fixed() | {what: version})
    assert re.search(rf"what differs: {what} \(.* -> {version}\)", caplog.text)


@pytest.mark.parametrize("part", ["cut", "flipped", "empty"])
def test_a_damaged_file_is_announced(path, part, caplog):
    content = bytearray(path.read_bytes())
    weight = parts()[0].weight.detach().numpy().tobytes()
    place = content.index(weight)  # torch itself would read the other number
    content[place] ^= 1
    damaged = {"cut": content[:1000], "flipped": content, "empty": b""}[part]
    path.write_bytes(damaged)
    warn_of_faults(path.parent, fixed())
    assert f"starts again from epoch 1: {path} is damaged" in caplog.text
    assert Checkpoint(path, fixed()).restore(*parts()) is None


def test_one_damaged_file_of_several_networks_and_one_warning_for_all(path, caplog):
    second = path.with_name("checkpoint1.pt")
    second.write_bytes(path.read_bytes())
    warn_of_faults(path.parent, fixed(histpred="9"))
    assert len(caplog.records) == 1
    caplog.clear()
    second.write_bytes(b"")
    warn_of_faults(path.parent, fixed())
    assert f"one of its networks starts again from epoch 1: {second} is damaged" in caplog.text
