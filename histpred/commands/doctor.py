"""histpred doctor: what works on this machine, what does not, and what to do about it."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable

import click

from histpred.commands.machine import NOTE, OK, PROBLEM, Finding
from histpred.core.errors import first_line

Check = Callable[[], list[Finding]]

CPU = "cpu"
GPU_BY_HAND = "until it is mended, --device cpu"


@click.command()
def doctor() -> None:
    """Look at this machine: versions, devices, what a run would use, and whether it works.

    Exit code 1 if the main job, scoring on the CPU, would fail or give wrong numbers.
    """
    from histpred.commands import machine
    from histpred.core.errors import HistpredError
    from histpred.core.version import __version__

    used: dict[str, str] = {}
    checks: list[tuple[str, Check, str]] = [
        ("versions", lambda: machine.versions(__version__), NOTE),
        ("cores and memory", machine.cores_and_memory, NOTE),
        ("GPUs", machine.gpus, NOTE),
        ("torch", lambda: torch_devices(used), NOTE),
        ("scoring device", lambda: scoring(used), PROBLEM),
        ("shipped bundle", shipped_bundle, PROBLEM),
        ("encoders", published_encoders, NOTE),
        ("folders", machine.places, NOTE),
        ("variables", machine.variables, NOTE),
    ]
    findings = [
        finding for what, check, verdict in checks for finding in guarded(what, check, verdict)
    ]
    for line in machine.lines(findings):
        click.echo(line)
    click.echo(
        f"\n--device auto means: for scoring {used.get('scoring', 'nothing that works')}, for "
        f"large encoders {used.get('embedding', 'nothing that works')}"
    )

    problems = [finding.what for finding in findings if finding.verdict == PROBLEM]
    if problems:
        raise HistpredError(
            f"not everything works here: {', '.join(problems)}", "the lines above say what to do"
        )


def guarded(what: str, check: Check, verdict: str) -> list[Finding]:
    """What a check finds; that it failed, whatever the reason, is a finding of `verdict`."""
    from histpred.core.errors import HistpredError

    try:
        return check()
    except HistpredError as error:
        return [Finding(what, error.message, verdict, error.hint)]
    except Exception as error:  # a broken package raises anything when it is imported
        return [Finding(what, f"fails: {first_line(error)}", verdict)]


def torch_devices(used: dict[str, str]) -> list[Finding]:
    """Whether CUDA and MPS really start; puts what `auto` means in `used`."""
    if importlib.util.find_spec("torch") is None:
        used["embedding"] = "nothing, they need torch (pip install 'histpred[encoders]')"
        return []
    used["embedding"] = "nothing, torch cannot be imported"
    try:
        import torch
    except Exception as error:  # its libraries may be missing, or of another machine
        hint = "install torch again: pip install --force-reinstall 'histpred[encoders]'"
        return [Finding("torch", f"cannot be imported: {first_line(error)}", NOTE, hint)]
    from histpred.encoders import devices

    used["embedding"] = f"{CPU} in {devices.PRECISIONS['cpu'][0]}"
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        reason = devices.why_no_cuda()
    built = torch.version.cuda or "none"
    findings = [Finding("torch's CUDA", f"built for {built}")]
    if reason:
        because = "".join(f"; {warning.message}" for warning in said)
        there = devices.NVIDIA_DEVICE.exists()
        hint = "install the torch that fits the driver (see the line NVIDIA driver)"
        findings.append(
            Finding("CUDA", f"{reason}{because}", NOTE if there else OK, hint if there else "")
        )
    else:
        used["embedding"] = f"cuda:0 in {devices.PRECISIONS['cuda'][0]}"
        findings += [product(f"cuda:{n}") for n in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        findings.append(product("mps"))
    return findings


def product(device: str) -> Finding:
    """A small product of matrices on a device, beside the CPU's."""
    import torch

    what = f"torch on {device}"
    numbers = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    try:
        worst = float(
            ((numbers.to(device) @ numbers.to(device)).cpu() - numbers @ numbers).abs().max()
        )
    except Exception as error:  # CUDA has kinds of its own
        return Finding(what, f"does not start: {first_line(error)}", PROBLEM, GPU_BY_HAND)
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else "Apple GPU"
    if not worst < 0.1:  # TF32, where it is on, rounds to ten bits
        return Finding(what, f"{name}: computes wrongly, off by {worst:.2g}", PROBLEM, GPU_BY_HAND)
    return Finding(what, f"{name}: computes as the CPU does")


def scoring(used: dict[str, str]) -> list[Finding]:
    """onnxruntime's providers, and the device that the shipped scorer really gets."""
    import numpy as np

    from histpred.bundle.folder import load_bundle
    from histpred.core.runtime import CUDA, CUDA_HINT, load_onnxruntime
    from histpred.scoring.scorer import Scorer
    from histpred.scoring.verify import TOLERANCE

    providers = load_onnxruntime().get_available_providers()
    findings = [Finding("onnxruntime's providers", ", ".join(providers))]
    bundle = load_bundle()
    shape = (8, bundle.manifest.encoder.dimension)
    vectors = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    with Scorer(bundle, CPU) as scorer:
        expected = scorer.probabilities(vectors)
    with Scorer(bundle, "auto") as scorer:
        used["scoring"] = device = scorer.device
        found = scorer.probabilities(vectors)

    worst = float(np.abs(found - expected).max())
    if not worst <= TOLERANCE:
        wrong = f"{device}: other probabilities than on the CPU, off by {worst:.2g}"
        findings.append(Finding("scoring device", wrong, PROBLEM, GPU_BY_HAND))
    elif device == CPU and CUDA in providers:
        findings.append(
            Finding("scoring device", f"{device}: CUDA does not start", NOTE, CUDA_HINT)
        )
    else:
        findings.append(Finding("scoring device", device))
    return findings


def shipped_bundle() -> list[Finding]:
    """The main job on its known answer."""
    from histpred.bundle.folder import load_bundle
    from histpred.scoring.verify import verify

    bundle = load_bundle()
    worst = verify(bundle)
    name = f"{bundle.manifest.name} {bundle.manifest.version}"
    return [Finding("shipped bundle", f"{name}: known answer within {worst:.1g}")]


def published_encoders() -> list[Finding]:
    """Which published encoders are on this machine."""
    from histpred.encoders.installed import ABSENT, INCOMPLETE, state_of
    from histpred.encoders.published import PUBLISHED, default_folder

    findings, absent = [], []
    for encoder in PUBLISHED:
        folder = default_folder(encoder.name)
        state = state_of(encoder, folder)
        if state == ABSENT:
            absent.append(encoder.name)
            continue
        broken = state == INCOMPLETE
        hint = f"histpred encoders get {encoder.name}" if broken else ""
        findings.append(
            Finding(f"encoder {encoder.name}", f"{state}: {folder}", NOTE if broken else OK, hint)
        )
    if absent:
        findings.append(Finding("encoders absent", ", ".join(absent)))
    return findings
