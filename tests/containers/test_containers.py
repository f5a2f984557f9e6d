"""The images keep the promises of their definitions, and the one of containers/cpu predicts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pytest

import histpred
from support.command_line import ROOT, tables
from support.command_line import histpred as run_histpred
from support.containers import BASE, built_image, pip_settings, podman

CONTAINERS = ROOT / "containers"
DOCKERFILES = [CONTAINERS / "cpu" / "Dockerfile", CONTAINERS / "gpu" / "Dockerfile"]
TEXTS = [*DOCKERFILES, CONTAINERS / "apptainer.def", CONTAINERS / "README.md"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

every_dockerfile = pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
every_text = pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.parent.name + path.name)


class Instruction(NamedTuple):
    """One instruction of a Dockerfile, its lines joined."""

    name: str
    text: str


def instructions(path: Path) -> list[Instruction]:
    lines = [
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines()]


def final_stage(path: Path) -> list[Instruction]:
    found = instructions(path)
    last = max(number for number, one in enumerate(found) if one.name == "FROM")
    return found[last:]


def texts(found: list[Instruction], name: str) -> list[str]:
    return [one.text for one in found if one.name == name]


def sections(path: Path) -> dict[str, list[str]]:
    """Return an Apptainer definition by section. '' is its header."""
    found: dict[str, list[str]] = {"": []}
    section = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("%"):
            section = line.strip().removeprefix("%")
            found[section] = []
        elif line.strip() and not line.startswith("#"):
            found[section].append(line.strip())
    return found


@every_dockerfile
def test_runs_as_a_numbered_user_who_is_not_root(path: Path) -> None:
    (user,) = texts(final_stage(path), "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


@every_dockerfile
def test_doctor_as_that_user_is_the_last_thing_done(path: Path) -> None:
    found = final_stage(path)
    names = [one.name for one in found]
    after = found[names.index("USER") :]
    (check,) = texts(after, "RUN")
    assert check.split(" && ")[0] == "histpred doctor"
    assert names.index("ENV") < names.index("USER")


@every_dockerfile
def test_commands_are_run_as_they_are(path: Path) -> None:
    found = instructions(path)
    assert not texts(found, "ENTRYPOINT")  # Nextflow runs bash
    assert [json.loads(text) for text in texts(found, "CMD")] == [["histpred", "--help"]]
    (environment,) = texts(final_stage(path), "ENV")
    assert "PATH=/opt/histpred/bin:$PATH" in environment.split()


@every_dockerfile
def test_every_pip_install_keeps_to_the_constraints(path: Path) -> None:
    commands = [
        command
        for text in texts(instructions(path), "RUN")
        for command in text.split("&&")
        if re.search(r"\bpip\b.*\binstall\b", command)
    ]
    assert len(commands) == 2
    for command in commands:
        assert "--constraint constraints.txt" in command
        assert "--no-cache-dir" in command


@every_dockerfile
def test_nextflow_finds_ps(path: Path) -> None:
    (install,) = [text for text in texts(final_stage(path), "RUN") if "apt-get install" in text]
    assert {"procps", "python3"} <= set(install.split())


@every_dockerfile
def test_one_base_that_a_site_may_pin_and_no_other_host(path: Path) -> None:
    found = instructions(path)
    assert texts(found, "FROM") == ["${BASE} AS build", "${BASE}"]
    assert found[0] == ("ARG", f"BASE={BASE}")
    everything = " ".join(one.text for one in found)
    hosts = re.findall(r"\b[\w-]+(?:\.[\w-]+)*\.(?:io|org|com|net|dev|ai)\b", everything)
    assert set(hosts) == {"docker.io"}
    assert "://" not in everything


@every_dockerfile
def test_caches_do_not_need_a_home(path: Path) -> None:
    (environment,) = texts(final_stage(path), "ENV")
    values = dict(word.split("=", 1) for word in environment.split())
    for name in ("HOME", "HF_HOME", "MPLCONFIGDIR", "XDG_CACHE_HOME"):
        assert Path(values[name]).is_relative_to("/tmp")
    assert values["PYTHONNOUSERSITE"] == values["PYTHONDONTWRITEBYTECODE"] == "1"


def requirements(path: Path, *arguments: str) -> set[str]:
    """Return the packages that a Dockerfile installs with pip, from its own command."""
    (command,) = [text for text in texts(instructions(path), "RUN") if "tomllib" in text]
    script = command.split("'")[1]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return {line.split(">=")[0] for line in done.stdout.splitlines()}


def named(*extras: str) -> set[str]:
    """Return the dependencies in pyproject.toml with these extras."""
    project = PROJECT["project"]
    groups = [project["dependencies"], *(project["optional-dependencies"][name] for name in extras)]
    return {requirement.split(">=")[0] for requirement in chain(*groups)}


def test_cpu_has_what_was_asked_for() -> None:
    path = CONTAINERS / "cpu" / "Dockerfile"
    assert requirements(path, "") == named()
    assert requirements(path, "train,encoders") == named("train", "encoders")
    assert "torch" not in requirements(path, "")


def test_gpu_has_one_onnxruntime() -> None:
    found = requirements(CONTAINERS / "gpu" / "Dockerfile")
    assert found == named("gpu", "train", "encoders") - {"onnxruntime"}
    assert {"onnxruntime-gpu", "torch"} <= found


def test_context_has_what_makes_the_package_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    project = PROJECT["project"]
    included = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    needed = {project["readme"], *project["license-files"], *included}
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == {
        "constraints.txt",
        "pyproject.toml",
        *needed,
    }
    for name in needed:
        assert (ROOT / name).exists()


@every_text
def test_images_are_named_by_this_version(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    images = re.findall(r"\bhistpred:([\w.-]+)", text)
    assert images
    assert {image.removesuffix("-train").removesuffix("-gpu") for image in images} == {
        histpred.__version__
    }


@every_dockerfile
def test_label_says_this_version(path: Path) -> None:
    found = final_stage(path)
    assert f"VERSION={histpred.__version__}" in texts(found, "ARG")
    (labels,) = texts(found, "LABEL")
    assert 'org.opencontainers.image.version="${VERSION}"' in labels
    assert f'org.opencontainers.image.licenses="{PROJECT["project"]["license"]}"' in labels
    assert f'org.opencontainers.image.description="{PROJECT["project"]["description"]}"' in labels


def test_apptainer_starts_from_an_image_of_ours_and_tests_it() -> None:
    found = sections(CONTAINERS / "apptainer.def")
    bootstrap, source = found[""]
    assert bootstrap == "Bootstrap: docker-archive"
    assert re.fullmatch(r"From: \S+\.tar", source)
    assert "histpred doctor" in found["test"]
    assert f"Version {histpred.__version__}" in found["labels"]
    assert "runscript" not in found  # it would replace the image's CMD


def test_pip_settings_are_those_of_pip() -> None:
    listed = (
        ":env:.find-links='/wheels'\n"
        "freeze.timeout='10'\n"
        "global.extra-index-url='\\nhttps://one/simple\\nhttps://two/simple'\n"
        "global.find-links='/elsewhere'\n"
        "global.index-url='file:///somewhere/simple'\n"
    )
    assert pip_settings(listed) == {
        "extra-index-url": "https://one/simple https://two/simple",
        "find-links": "/wheels",
    }


@pytest.mark.slow
@pytest.mark.podman
@pytest.mark.timeout(1500)
def test_any_user_predicts_on_a_read_only_file_system(demo_data: Path, tmp_path: Path) -> None:
    image = built_image()
    out = tmp_path / "out"
    out.mkdir()
    out.chmod(0o777)  # as any user
    mounts = ["-v", f"{demo_data}:/data:ro", "-v", f"{out}:/out"]
    contained = [
        *("run", "--rm", "--read-only", "--network=none", "--user=12345", "--passwd=false"),
        *mounts,
        image,
    ]
    inputs = ("genes.gtf.gz", "genome.fa.gz")
    options = ("--biotype", "ncRNA", "-o")

    try:
        done = podman(
            *contained, "histpred", "predict", *(f"/data/{name}" for name in inputs), *options,
            "/out/scores",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        inside = tables(out / "scores")
    finally:
        podman(*contained, "rm", "-rf", "/out/scores")  # its files are that user's
    host = run_histpred(
        "predict", *(demo_data / name for name in inputs), *options, tmp_path / "host"
    )

    assert host.code == 0, host.err
    assert inside == tables(tmp_path / "host")


@pytest.mark.slow
@pytest.mark.podman
@pytest.mark.timeout(1500)
def test_image_is_what_its_definition_says() -> None:
    image = built_image()
    settings = json.loads(podman("image", "inspect", image).stdout)[0]["Config"]
    assert not settings.get("Entrypoint")
    assert settings["Labels"]["org.opencontainers.image.version"] == histpred.__version__
    assert not [value for value in settings["Env"] if value.startswith("PIP_")]

    check = (
        "command -v histpred; histpred --version; ps -o pid= -p 1; ls -A /tmp;"
        "find /opt/histpred -name tests -type d; find /opt/histpred -user 1000"
    )
    done = podman("run", "--rm", "--network=none", image, "bash", "-c", check)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "/opt/histpred/bin/histpred",
        *run_histpred("--version").out.split(),
        "1",
    ]
