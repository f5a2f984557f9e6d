"""histpred encoders: what it prints and how it ends."""

from __future__ import annotations

import json

import pytest

from histpred.encoders import ENCODERS
from histpred.encoders.published import PUBLISHED, find
from support.command_line import histpred, said_well

REASON = "needs the extra encoders: HISTPRED_EXTRAS=encoders bin/test"


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch, tmp_path):
    """No encoder on this machine, and nobody asked for one."""
    monkeypatch.setenv("HISTPRED_ENCODERS", str(tmp_path / "encoders"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "encoders"


@pytest.fixture
def dnabert2(nothing_here):
    """A small random DNABERT-2 where the published one would be."""
    for package in ("torch", "tokenizers", "safetensors"):
        pytest.importorskip(package, reason=REASON)
    from support.dnabert2 import Sizes, write_dnabert2

    folder = nothing_here / "dnabert2"
    write_dnabert2(folder, Sizes(vocabulary=200, width=768, layers=1, heads=12, inner=64))
    return folder


def test_list_shows_every_encoder_aligned(nothing_here):
    done = histpred("encoders", "list")
    assert (done.code, done.err) == (0, "")
    header, *rows = done.out.split("\n\n")[0].splitlines()
    assert len(rows) == len(PUBLISHED)
    for row, encoder in zip(rows, PUBLISHED, strict=True):
        assert row.startswith(f"{encoder.name} ")
        assert row[header.index("NUMBERS") :].startswith(str(encoder.dimension))
        assert row[header.index("STATE") :].startswith("absent ")
        assert row.endswith(encoder.note)
    assert str(nothing_here) in done.out


def test_list_says_what_is_there_and_where(nothing_here):
    folder = nothing_here / "moderngena-base"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert f"moderngena-base (incomplete): {folder}" in histpred("encoders", "list").out
    (folder / "model.safetensors").touch()
    (folder / "tokenizer.json").touch()
    assert f"moderngena-base (installed): {folder}" in histpred("encoders", "list").out


def test_get_without_a_network_tells_the_steps(tmp_path):
    done = histpred("encoders", "get", "dnabert2", "--to", tmp_path / "x")
    assert (done.code, done.out) == (1, "")
    encoder = find("dnabert2")
    for file in encoder.files:
        assert encoder.url(file) in done.err
    assert f"histpred encoders verify dnabert2 {tmp_path / 'x'}" in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.iterdir())


def test_get_without_a_pin_is_a_usage_error():
    done = histpred("encoders", "get", "moderngena-base")
    assert done.code == 2
    assert "--revision COMMIT" in done.err


@pytest.mark.parametrize("verb", ["get", "verify"])
def test_an_unknown_name_is_a_usage_error(verb):
    done = histpred("encoders", verb, "nonsense")
    assert done.code == 2
    assert said_well(done.err)
    assert "dnabert2" in done.err


def test_verify_of_nothing_says_what_is_missing(nothing_here):
    done = histpred("encoders", "verify", "dnabert2")
    assert done.code == 1
    assert done.out.count("MISSING") == 3
    assert "lacks pytorch_model.bin, config.json, tokenizer.json" in done.err
    assert said_well(done.err)


def test_verify_shows_both_digests_of_a_wrong_file(tmp_path, monkeypatch):
    there = ENCODERS["rnafm"]
    monkeypatch.setitem(ENCODERS, "rnafm", there._replace(module="missing_package"))
    (tmp_path / "it.pth").write_bytes(b"other")
    done = histpred("encoders", "verify", "rnafm", tmp_path / "it.pth")
    assert done.code == 1
    (file,) = find("rnafm").files
    assert file.sha256 in done.out
    assert "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa" in done.out
    assert "loading was not tried" in done.out
    assert said_well(done.err)


def test_verify_loads_and_runs_the_encoder(dnabert2, monkeypatch):
    from histpred.encoders import dnabert2 as module

    tokenizer = module.load_tokenizer(dnabert2 / "tokenizer.json")
    tokens = tokenizer.encode(module.KNOWN_SEQUENCE).ids
    monkeypatch.setattr(module, "KNOWN_TOKENS", tokens)
    done = histpred("encoders", "verify", "dnabert2")
    assert done.code == 1  # these are not the published weights
    assert done.out.count("WRONG: sha256") == 3
    assert "loads on the CPU: every tensor in its place, 768 numbers a window" in done.out
    assert "a run of N in it" in done.out
    assert "the same for lower case" in done.out
    assert "known answer" in done.out
    assert "not as published: pytorch_model.bin, config.json, tokenizer.json" in done.err


def test_verify_of_another_tokenizer_fails(dnabert2):
    done = histpred("encoders", "verify", "dnabert2", dnabert2)
    assert done.code == 1
    assert "its tokens of a known sequence are not those of the published" in done.err
    assert said_well(done.err)


def test_verify_of_a_folder_that_does_not_load_fails(dnabert2):
    config = json.loads((dnabert2 / "config.json").read_text())
    (dnabert2 / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 2}))
    done = histpred("encoders", "verify", "dnabert2")
    assert done.code == 1
    assert "tensors are missing" in done.err
    assert said_well(done.err)


def test_verify_of_a_kind_without_weights_runs_it():
    done = histpred("encoders", "verify", "kmer")
    assert done.code == 0
    assert done.out.splitlines() == [
        "loads on the CPU: 180 numbers a window",
        "embeds a made-up sequence of 308 letters, a run of N in it",
    ]


def test_verify_of_a_kind_with_weights_needs_their_path():
    done = histpred("encoders", "verify", "hf")
    assert done.code == 2
    assert "histpred encoders verify hf PATH" in done.err
    assert said_well(done.err)


@pytest.mark.parametrize("verb", ["list", "get", "verify"])
def test_help_of_every_verb(verb):
    done = histpred("encoders", verb, "-h")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: histpred encoders {verb}")
