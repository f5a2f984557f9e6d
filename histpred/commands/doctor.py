"""histpred doctor: check what works on this machine, and say how to fix what does not."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable

from histpred.bundle.folder import load_bundle
from histpred.commands import machine
from histpred.commands.help_pages import verb
from histpred.commands.machine import NOTE, PROBLEM, Finding
from histpred.core.errors import HistpredError, first_line
from histpred.core.extras import hides_gpu, how_to_install, how_to_use_gpu
from histpred.core.text import say

Check = Callable[[], list[Finding]]

CPU = "cpu"
USE_CPU = "use --device cpu until it is repaired"
NOTHING = "nothing that works"


@verb(
    examples=[
        ("Check this machine", "histpred doctor"),
    ]
)
def doctor() -> None:
    """Check this machine: versions, devices, what a run would use, and whether scoring works.

    The exit code is 1 if scoring on the CPU fails or gives wrong numbers.
    """
    used: dict[str, str] = {}
    checks: list[tuple[str, Check, str]] = [
        ("versions", machine.versions, NOTE),
        ("cores and memory", machine.cores_and_memory, NOTE),
        ("GPUs", machine.gpus, NOTE),
        ("torch", lambda: torch_devices(used), NOTE),
        ("scoring device", lambda: scoring(used), PROBLEM),
        ("shipped bundle", shipped_bundle, PROBLEM),
        ("encoders", published_encoders, NOTE),
        ("folders", machine.folders, NOTE),
        ("variables", machine.variables, NOTE),
    ]
    findings = [
        finding for what, check, verdict in checks for finding in guarded(what, check, verdict)
    ]
    for line in machine.lines(findings):
        say(line)
    say(
        f"\n--device auto means: for scoring {used.get('scoring', NOTHING)}, for "
        f"large encoders {used.get('embedding', NOTHING)}"
    )

    problems = [finding.what for finding in findings if finding.verdict == PROBLEM]
    if problems:
        raise HistpredError(
            f"problems were found: {', '.join(problems)}", "the lines above say what to do"
        )


def guarded(what: str, check: Check, verdict: str) -> list[Finding]:
    """Run a check; if it fails for any reason, that is a finding with the given verdict."""
    try:
        return check()
    except HistpredError as error:
        return [Finding(what, error.message, verdict, error.hint)]
    except Exception as error:  # importing a broken package may raise anything
        return [Finding(what, f"fails: {first_line(error)}", verdict)]


def torch_devices(used: dict[str, str]) -> list[Finding]:
    """Start CUDA and MPS, and look for bf16; `used["embedding"]` becomes what `auto` means."""
    if importlib.util.find_spec("torch") is None:
        used["embedding"] = f"none: they need torch ({how_to_install('encoders')})"
        return []
    used["embedding"] = "none: torch cannot be imported"
    try:
        import torch
    except Exception as error:  # its libraries may be missing or built for another machine
        hint = "install torch again: pip install --force-reinstall torch"
        return [Finding("torch", f"cannot be imported: {first_line(error)}", NOTE, hint)]
    from histpred.encoders import devices

    used["embedding"] = f"{CPU} in {devices.PRECISIONS['cpu'][0]}"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        reason = devices.why_no_cuda()
    findings = [Finding("torch's CUDA", f"built for {torch.version.cuda or 'none'}")]
    if reason:
        reason += "".join(f"; {warning.message}" for warning in caught)
        hint = "install a torch that fits the driver (see the line NVIDIA driver)"
        has_device = devices.NVIDIA_DEVICE.exists()
        findings.append(Finding("CUDA", reason, *((NOTE, hint) if has_device else ())))
    else:
        used["embedding"] = f"cuda:0 in {devices.PRECISIONS['cuda'][0]}"
        findings += [product(f"cuda:{n}") for n in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        findings.append(product("mps"))
    why_not = devices.why_no_bf16()
    bf16 = f"no: {why_not}" if why_not else f"yes: {', '.join(devices.bf16_features())}"
    return [*findings, Finding("bf16 on the CPU", bf16)]


def product(device: str) -> Finding:
    """Multiply two small matrices on a device and compare the result with the CPU's."""
    import torch

    what = f"torch on {device}"
    numbers = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    try:
        product = (numbers.to(device) @ numbers.to(device)).cpu()
        worst = float((product - numbers @ numbers).abs().max())
    except Exception as error:  # CUDA raises its own types
        return Finding(what, f"does not start: {first_line(error)}", PROBLEM, USE_CPU)
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else "Apple GPU"
    if not worst < 0.1:  # TF32, if enabled, rounds to ten bits
        return Finding(what, f"{name}: differs from the CPU by {worst:.2g}", PROBLEM, USE_CPU)
    return Finding(what, f"{name}: gives the same result as the CPU")


def scoring(used: dict[str, str]) -> list[Finding]:
    """List onnxruntime's providers, and run the shipped scorer on the CPU and on `auto`."""
    import numpy as np

    from histpred.core.runtime import CUDA, DRIVER_HINT, HIDES_GPU, load_onnxruntime
    from histpred.scoring.scorer import Scorer
    from histpred.scoring.verify import TOLERANCE

    providers = load_onnxruntime().get_available_providers()
    findings = [Finding("onnxruntime's providers", ", ".join(providers))]
    if hides_gpu(providers):
        findings.append(Finding("onnxruntime-gpu", HIDES_GPU, NOTE, how_to_use_gpu()))
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
        wrong = f"{device}: probabilities differ from the CPU's by up to {worst:.2g}"
        findings.append(Finding("scoring device", wrong, PROBLEM, USE_CPU))
    elif device == CPU and CUDA in providers:
        stays = f"{device}: CUDA does not start"
        findings.append(Finding("scoring device", stays, NOTE, DRIVER_HINT))
    else:
        findings.append(Finding("scoring device", device))
    return findings


def shipped_bundle() -> list[Finding]:
    """Run the shipped bundle on an input whose answer is known."""
    from histpred.scoring.verify import verify

    bundle = load_bundle()
    worst = verify(bundle)
    name = f"{bundle.manifest.name} {bundle.manifest.version}"
    return [Finding("shipped bundle", f"{name}: reproduces its known answer to {worst:.1g}")]


def published_encoders() -> list[Finding]:
    """List the published encoders that are installed on this machine."""
    from histpred.encoders.installed import ABSENT, INCOMPLETE, state_of
    from histpred.encoders.published import PUBLISHED, default_folder

    findings, absent = [], []
    for encoder in PUBLISHED:
        folder = default_folder(encoder.name)
        state = state_of(encoder, folder)
        if state == ABSENT:
            absent.append(encoder.name)
            continue
        finding = Finding(f"encoder {encoder.name}", f"{state}: {folder}")
        if state == INCOMPLETE:
            finding = finding._replace(verdict=NOTE, hint=f"histpred encoders get {encoder.name}")
        findings.append(finding)
    if absent:
        findings.append(Finding("encoders absent", ", ".join(absent)))
    return findings
