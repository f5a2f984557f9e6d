"""Docker runs the image that Podman built, and the pipeline runs in it.

They run where a Docker daemon answers. In a container, start it with
`dockerd --bridge=none --iptables=false`.
"""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.command_line import ROOT, Argument, tables
from support.command_line import histpred as run_histpred
from support.containers import IMAGE, built_image, ended, podman
from support.nextflow import needs_nextflow, run_nextflow

pytestmark = [pytest.mark.slow, pytest.mark.podman, pytest.mark.timeout(1500)]


def docker(*arguments: Argument) -> subprocess.CompletedProcess[str]:
    return ended("docker", *arguments, timeout=600)


@functools.cache
def docker_answers() -> bool:
    return shutil.which("docker") is not None and docker("version").returncode == 0


@pytest.fixture
def image(tmp_path: Path) -> str:
    """The name of Podman's image in Docker's store."""
    if not docker_answers():
        pytest.skip("no Docker daemon answers here")
    name = f"localhost/{built_image()}"
    archive = tmp_path / "image.tar"
    assert podman("save", "-o", archive, name, timeout=600).returncode == 0
    loaded = docker("load", "--input", archive)
    assert loaded.returncode == 0, loaded.stderr
    assert docker("tag", name, IMAGE).returncode == 0
    archive.unlink()
    return IMAGE


def test_any_user_runs_it_on_a_read_only_file_system(image: str) -> None:
    confined = ("--network=none", "--read-only", "--tmpfs=/tmp", "--user=12345:12345")
    check = "id -u; histpred --version; touch /opt/histpred/file"
    done = docker("run", "--rm", "--pull=never", *confined, image, "bash", "-c", check)
    assert done.stdout.split() == ["12345", *run_histpred("--version").out.split()]
    assert "Read-only file system" in done.stderr


@needs_nextflow
@pytest.mark.nextflow
def test_the_pipeline_runs_without_network(image: str, demo_data: Path, tmp_path: Path) -> None:
    options = ("-profile", "test,docker,offline", "--shard_bases", "500000")
    done = run_nextflow(["run", ROOT / "main.nf", *options], cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr

    inputs = [demo_data / name for name in ("genes.gtf.gz", "genome.fa.gz")]
    host = run_histpred("predict", *inputs, "-o", tmp_path / "host")
    assert host.code == 0, host.err
    found = tmp_path / "results" / "predictions" / "chr22-20M"
    assert tables(found) == tables(tmp_path / "host")
    scripts = [path.read_text() for path in tmp_path.glob("work/*/*/.command.run")]
    assert len(scripts) == 6
    assert all(re.search(rf"docker run .*--network none .*{image} ", text) for text in scripts)
    launched = json.loads((found / "run.json").read_text())["launch"]
    digest = docker("image", "inspect", "--format", "{{.Id}}", image).stdout.strip()
    assert digest.startswith("sha256:")
    assert (launched["container"], launched["container_digest"]) == (image, digest)
