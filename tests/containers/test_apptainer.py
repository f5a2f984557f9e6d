"""Apptainer builds, tests and runs the image, for a user without privileges; so does the pipeline.

`HISTPRED_APPTAINER` names a folder that `apptainer.sh make` made. These tests take some minutes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import histpred
from support.command_line import ROOT, Argument, tables
from support.command_line import histpred as run_histpred
from support.containers import built_image, ended, podman
from support.nextflow import find_nextflow, needs_nextflow

SYSTEM = os.environ.get("HISTPRED_APPTAINER", "")
SCRIPT = Path(__file__).with_name("apptainer.sh")
DEFINITION = ROOT / "containers" / "apptainer.def"
USER = 12345  # as in apptainer.sh
NO_NETWORK = ("--net", "--network", "none")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.apptainer,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(
        not SYSTEM, reason="needs a folder of tests/containers/apptainer.sh in HISTPRED_APPTAINER"
    ),
    pytest.mark.skipif(os.getuid() != 0, reason="needs root, to start a system in a folder"),
]


def in_system(folder: Path, *command: Argument) -> subprocess.CompletedProcess[str]:
    """Run a command in the system with Apptainer, as its unprivileged user in `folder`."""
    return ended(SCRIPT, "run", SYSTEM, *command, timeout=1200, folder=folder)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of the unprivileged user, who may not enter pytest's own folders."""
    path = Path(tempfile.mkdtemp(prefix="histpred-apptainer-"))
    os.chown(path, USER, USER)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def built() -> Iterator[tuple[Path, str]]:
    """The image as a file, made by `apptainer build`, and what the build printed."""
    name = built_image()
    path = Path(tempfile.mkdtemp(prefix="histpred-apptainer-"))
    saved = podman("save", "-o", path / "histpred.tar", name, timeout=600)
    assert saved.returncode == 0, saved.stderr
    shutil.copy(DEFINITION, path)
    path.chmod(0o755)
    os.chown(path, USER, USER)
    image = path / f"histpred-{histpred.__version__}.img"
    done = in_system(path, "apptainer", "build", image, DEFINITION.name)
    assert done.returncode == 0, done.stdout + done.stderr
    yield image, done.stdout + done.stderr
    shutil.rmtree(path)


def test_the_build_runs_doctor_as_its_test(built: tuple[Path, str]) -> None:
    image, said = built
    assert "Running testscript" in said
    assert "reproduces its known answer" in said
    assert "Apptainer (APPTAINER_CONTAINER)" in said
    labels = in_system(image.parent, "apptainer", "inspect", image)
    assert f"Version: {histpred.__version__}" in labels.stdout


def test_any_user_predicts_without_network_in_a_read_only_image(
    built: tuple[Path, str], demo_data: Path, folder: Path, tmp_path: Path
) -> None:
    image, _ = built
    execute = ("apptainer", "exec", *NO_NETWORK, f"--bind={demo_data}:/data:ro", image)
    inputs, options = ("genes.gtf.gz", "genome.fa.gz"), ("--biotype", "ncRNA", "-o")

    check = "id -u; tail -n +3 /proc/net/dev | cut -d: -f1; touch /opt/histpred/file"
    done = in_system(folder, *execute, "sh", "-c", check)
    assert done.stdout.split() == [str(USER), "lo"]
    assert "Read-only file system" in done.stderr

    paths = [f"/data/{name}" for name in inputs]
    done = in_system(folder, *execute, "histpred", "predict", *paths, *options, "scores")
    assert done.returncode == 0, done.stderr
    host = run_histpred(
        "predict", *(demo_data / name for name in inputs), *options, tmp_path / "host"
    )
    assert host.code == 0, host.err
    assert tables(folder / "scores") == tables(tmp_path / "host")
    assert (folder / "scores" / "scores.tsv.gz").stat().st_uid == USER


@needs_nextflow
@pytest.mark.nextflow
@pytest.mark.parametrize(
    ("profile", "registry"),
    [("apptainer", None), ("singularity", "registry.example.org:5000/lab")],
)
def test_the_pipeline_in_an_image_without_network(
    built: tuple[Path, str],
    demo_data: Path,
    folder: Path,
    tmp_path: Path,
    profile: str,
    registry: str | None,
) -> None:
    """Tasks that need a GPU are run with --nv, which does no harm on a machine without one.

    Apptainer also answers to the name of singularity. This does not test SingularityCE.
    """
    image, _ = built
    nextflow = find_nextflow()
    for path in (nextflow, ROOT / "main.nf"):
        if in_system(folder, "test", "-r", path).returncode != 0:
            pytest.skip(f"the system with Apptainer has no {path} that its user may read")
    images = folder / "images"
    images.mkdir()
    name = f"{re.sub('[:/]', '-', registry)}-{image.stem}" if registry else image.stem
    for kind in ("", "-gpu"):
        (images / f"{name}{kind}.img").symlink_to(image)
    settings = [
        f"NXF_{profile.upper()}_LIBRARYDIR={images}",
        *(f"NXF_HOME={folder / 'home'}", "NXF_OFFLINE=true", "NXF_ANSI_LOG=false"),
    ]
    options = [
        *("-profile", f"test,{profile},gpu,offline", "--shard_bases", "500000"),
        *(("--registry", registry) if registry else ()),
    ]
    done = in_system(folder, "env", *settings, nextflow, "run", ROOT / "main.nf", *options)
    assert done.returncode == 0, done.stdout + done.stderr

    inputs = [demo_data / name for name in ("genes.gtf.gz", "genome.fa.gz")]
    host = run_histpred("predict", *inputs, "-o", tmp_path / "host")
    assert host.code == 0, host.err
    found = folder / "results" / "predictions" / "chr22-20M"
    assert tables(found) == tables(tmp_path / "host")
    scripts = [path.read_text() for path in folder.glob("work/*/*/.command.run")]
    commands = [line for text in scripts for line in text.splitlines() if f"{profile} exec" in line]
    assert len(commands) == 6
    assert all(" ".join(NO_NETWORK) in command for command in commands)
    on_gpu = [command for command in commands if f"{name}-gpu.img" in command]
    assert len(on_gpu) == 2
    assert all(" --nv " in command for command in on_gpu)
