"""What a run needs from its surroundings: environments, and what tells of its end."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml", reason="needs the extra train")

from histpred import __version__  # noqa: E402
from support.command_line import ROOT  # noqa: E402
from support.nextflow import needs_nextflow, run_nextflow  # noqa: E402

FOLDER = ROOT / "nextflow" / "conda"
LABELS = ROOT / "test-data" / "human-chr22-20M" / "labels.tsv"
ON_CONDA = {"torch": "pytorch", "matplotlib": "matplotlib-base"}  # where names differ


def dependencies(name: str) -> list[str]:
    """Return the packages of an environment file."""
    found = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    assert found["channels"] == ["conda-forge", "bioconda"]
    return found["dependencies"]


def test_environments_have_this_version_and_the_packages_of_the_extras() -> None:
    package = f"histpred={__version__}"
    assert dependencies("histpred.yml") == [package]

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    newest: dict[str, tuple[int, ...]] = {}
    for requirement in [*extras["encoders"], *extras["train"]]:
        name, version = requirement.split(">=")
        at_least = tuple(map(int, version.split(".")))
        newest[name] = max(at_least, newest.get(name, at_least))
    expected = [
        f"{ON_CONDA.get(name, name)}>={'.'.join(map(str, version))}"
        for name, version in newest.items()
    ]
    assert sorted(dependencies("histpred-train.yml")) == sorted([package, *expected])


def program(folder: Path, name: str, body: str) -> None:
    """Write a program (bash) into a folder."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/usr/bin/env bash\n{body}\n")
    (folder / name).chmod(0o755)


def stub_run(folder: Path, *options: str | Path) -> str:
    """Run stubs in `folder`, with the programs in its folder `bin`; return what Nextflow says."""
    path = [str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    done = run_nextflow(
        ["run", ROOT / "main.nf", "-stub-run", *options],
        cwd=folder,
        env={"PATH": os.pathsep.join(path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pretend_conda(folder: Path) -> None:
    """Write a `conda` that makes empty environments and writes down what it was asked for."""
    conda = (
        f'echo "$@" >> {folder}/asked\n'
        'if [ "$1" = env ]; then mkdir -p "$4"; fi\n'
        f'if [ "$1" = info ]; then echo \'{{\'; echo \'"conda_prefix": "{folder}"\'; fi'
    )
    program(folder / "bin", "conda", conda)
    program(folder / "bin", "activate", "true")


def environments(folder: Path) -> dict[str, str]:
    """Return the file of the environment of each task, by process."""
    made = re.findall(
        r"env create --prefix (\S+) --file (\S+)", (folder / "asked").read_text(encoding="utf-8")
    )
    files = {Path(prefix).name: Path(file).name for prefix, file in made}
    used = {}
    for run in folder.glob("work/*/*/.command.run"):
        text = run.read_text()
        (task,) = re.findall(r"name: '(?:\w+:)*(\w+)", text)
        (environment,) = re.findall(r"activate \S*/(env-[\w-]+)", text)
        used[task] = files.get(environment, "another")
    return used


@pytest.mark.slow
@pytest.mark.nextflow
@needs_nextflow
def test_only_shards_of_variants_get_the_image_with_torch(tmp_path: Path) -> None:
    """In a stub, scatter says that the encoder is a large one."""
    pretend_conda(tmp_path)
    (tmp_path / "calls.vcf").write_text("not read in a stub")
    words = ["--mode", "variants", "--vcf", "calls.vcf"]
    stub_run(tmp_path, "-profile", "test,conda", *words)
    assert environments(tmp_path) == {
        **dict.fromkeys(["BUNDLE", "SCATTER", "GATHER", "SUMMARY"], "histpred.yml"),
        "VARIANTS": "histpred-train.yml",
    }


@pytest.mark.slow
@pytest.mark.nextflow
@needs_nextflow
def test_each_task_gets_the_environment_of_its_image_and_the_end_is_mailed(tmp_path: Path) -> None:
    pretend_conda(tmp_path)
    program(tmp_path / "bin", "multiqc", "echo multiqc, version 1.35")
    program(tmp_path / "bin", "sendmail", f"cat > {tmp_path}/mail")
    options = ["--mode", "train", "--labels", LABELS, "--multiqc", "-N", "you@example.org"]
    stub_run(tmp_path, "-profile", "test,conda", *options)

    assert "bioconda::multiqc=1.35" in (tmp_path / "asked").read_text()
    assert environments(tmp_path) == {
        **dict.fromkeys(["BUNDLE", "SCATTER", "SUMMARY"], "histpred.yml"),
        **dict.fromkeys(["EMBED", "TRAIN", "EVALUATE"], "histpred-train.yml"),
        "MULTIQC": "another",
    }
    mail = (tmp_path / "mail").read_text()
    assert "To: you@example.org" in mail
    assert "Execution completed successfully" in mail
