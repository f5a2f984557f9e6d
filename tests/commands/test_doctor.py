"""histpred doctor: on this machine, and on some that it is made to see."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from histpred.commands import doctor, machine
from histpred.commands.machine import NOTE, OK, PROBLEM, Finding
from histpred.core import runtime
from histpred.core.errors import BundleError
from histpred.core.extras import how_to_install
from histpred.scoring import verify
from support.command_line import histpred, process, said_well

REASON = "needs the extra encoders: HISTPRED_EXTRAS=encoders bin/test"
VERDICTS = {OK, NOTE, PROBLEM}


@pytest.fixture
def no_torch(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else find(name)
    )
    monkeypatch.setitem(sys.modules, "torch", None)


def test_this_machine():
    done = process("doctor")
    assert done.code == 0, done.out + done.err
    table, summary = done.out.rstrip().split("\n\n")
    assert "problem " not in table
    rows = [line for line in table.splitlines() if not line.startswith(" ")]
    assert {row.split()[0] for row in rows} <= VERDICTS
    for what in ("Python", "onnxruntime", "cores", "memory", "container", "scoring device"):
        assert any(row.split("  ", 1)[1].strip().startswith(what) for row in rows), what
    assert "human-promoter" in table
    assert summary.startswith("--device auto means: for scoring ")


def test_without_torch_it_works_and_says_what_to_install(no_torch):
    done = histpred("doctor")
    assert done.code == 0, done.out + done.err
    assert f"for large encoders none: they need torch ({how_to_install('encoders')})" in done.out


def test_a_torch_that_cannot_be_imported_is_a_note(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: name)
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it raises
    used: dict[str, str] = {}
    (finding,) = doctor.torch_devices(used)
    assert finding.verdict == NOTE
    assert "cannot be imported" in finding.found
    assert "torch cannot be imported" in used["embedding"]


def test_a_wrong_known_answer_is_a_problem(monkeypatch):
    def fail(bundle):
        raise BundleError("the known answer comes out wrong", "try another release")

    monkeypatch.setattr(verify, "verify", fail)
    done = histpred("doctor")
    assert done.code == 1
    assert "problem  shipped bundle" in done.out
    assert "try another release" in done.out
    assert "problems were found: shipped bundle" in done.err
    assert said_well(done.err)


def test_an_onnxruntime_that_is_broken_is_a_problem_and_no_crash(monkeypatch):
    def fail():
        raise ImportError("libsomething.so: cannot open shared object file")

    monkeypatch.setattr(runtime, "load_onnxruntime", fail)
    done = histpred("doctor")
    assert done.code == 1
    assert "fails: ImportError: libsomething.so" in done.out
    assert "for scoring nothing that works" in done.out


def test_a_check_that_fails_is_a_finding(monkeypatch):
    def fail():
        raise ZeroDivisionError

    monkeypatch.setattr(machine, "folders", fail)
    done = histpred("doctor")
    assert done.code == 0
    assert "fails: ZeroDivisionError" in done.out


def test_onnxruntime_that_has_cuda_and_does_not_start_it_is_a_note(monkeypatch):
    onnxruntime = runtime.load_onnxruntime()
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [runtime.CUDA, runtime.CPU])
    monkeypatch.setattr(runtime, "_start_cuda", lambda *arguments: (None, "no driver"))
    used: dict[str, str] = {}
    providers, device = doctor.scoring(used)
    assert runtime.CUDA in providers.found
    assert (device.verdict, used["scoring"]) == (NOTE, "cpu")
    assert "nvidia-smi" in device.hint


def test_a_scoring_device_that_computes_wrongly_is_a_problem(monkeypatch):
    from histpred.scoring.scorer import Scorer

    right = Scorer.probabilities
    calls = []

    def drifting(self, vectors):
        calls.append(1)
        return right(self, vectors) + 0.01 * (len(calls) - 1)

    monkeypatch.setattr(Scorer, "probabilities", drifting)
    assert doctor.scoring({})[-1].verdict == PROBLEM


def test_an_incomplete_encoder_is_a_note(monkeypatch, tmp_path):
    monkeypatch.setenv("HISTPRED_ENCODERS", str(tmp_path))
    (tmp_path / "rnaernie").mkdir()
    (tmp_path / "rnaernie" / "config.json").write_text("{}")
    found, absent = doctor.published_encoders()
    assert (found.what, found.verdict) == ("encoder rnaernie", NOTE)
    assert found.hint == "histpred encoders get rnaernie"
    assert "dnabert2" in absent.found


def test_torch_on_a_machine_without_a_gpu(monkeypatch):
    torch = pytest.importorskip("torch", reason=REASON)
    from histpred.encoders import devices

    monkeypatch.setattr(devices, "why_no_cuda", lambda: "there is no NVIDIA device")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    used: dict[str, str] = {}
    built, cuda, _ = doctor.torch_devices(used)
    assert built.verdict == OK
    assert cuda.found == "there is no NVIDIA device"
    assert used["embedding"] == "cpu in fp32"


def test_a_gpu_that_torch_cannot_use_is_a_note(monkeypatch, tmp_path):
    torch = pytest.importorskip("torch", reason=REASON)
    from histpred.encoders import devices

    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(devices, "NVIDIA_DEVICE", tmp_path / "nvidia0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    _, cuda, *_ = doctor.torch_devices({})
    assert cuda.verdict == NOTE
    assert "nvidia0 exists" in cuda.found
    assert cuda.hint


def test_the_product_is_checked_against_the_cpu(monkeypatch):
    torch = pytest.importorskip("torch", reason=REASON)
    assert doctor.product("cpu").verdict == OK
    broken = doctor.product("meta")  # a device that has no numbers
    assert broken.verdict == PROBLEM
    assert "does not start" in broken.found

    monkeypatch.setattr(torch.Tensor, "cpu", lambda self: self + 1)
    assert "differs from the CPU by" in doctor.product("cpu").found


def test_cuda_that_starts_is_what_auto_means(monkeypatch):
    torch = pytest.importorskip("torch", reason=REASON)
    from histpred.encoders import devices

    monkeypatch.setattr(devices, "why_no_cuda", lambda: "")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(doctor, "product", lambda device: Finding(device, "computes"))
    used: dict[str, str] = {}
    assert [finding.what for finding in doctor.torch_devices(used)[1:3]] == ["cuda:0", "cuda:1"]
    assert used["embedding"] == "cuda:0 in fp16"


@pytest.mark.parametrize(
    ("features", "found"),
    [
        ({"avx512_bf16": True, "amx_bf16": True}, "yes: avx512_bf16, amx_bf16"),
        ({"avx2": True}, "no: this CPU has no bf16 arithmetic (x86: avx512_bf16 or amx_bf16; "),
    ],
)
def test_it_says_whether_the_cpu_computes_in_bf16(monkeypatch, features, found):
    torch = pytest.importorskip("torch", reason=REASON)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    finding = doctor.torch_devices({})[-1]
    assert (finding.what, finding.verdict) == ("bf16 on the CPU", OK)
    assert finding.found.startswith(found)


@pytest.mark.gpu
@pytest.mark.usefixtures("cuda")
def test_a_real_gpu_is_found_to_work():
    used: dict[str, str] = {}
    assert all(finding.verdict == OK for finding in doctor.torch_devices(used))
    assert used["embedding"] == "cuda:0 in fp16"
