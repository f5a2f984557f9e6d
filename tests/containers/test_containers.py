"""The images keep the promises of their definition, and the one of the kind cpu predicts."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

import histpred
from support.command_line import ROOT, tables
from support.command_line import histpred as run_histpred
from support.containers import REVISION, built_image, pins, pip_settings, podman

CONTAINERS = ROOT / "containers"
DOCKERFILE = CONTAINERS / "Dockerfile"
TEXTS = [DOCKERFILE, CONTAINERS / "apptainer.def", CONTAINERS / "README.md"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

every_text = pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)


class Instruction(NamedTuple):
    """One instruction of a Dockerfile, its lines joined."""

    name: str
    text: str


def instructions() -> list[Instruction]:
    lines = [
        line
        for line in DOCKERFILE.read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines()]


def final_stage() -> list[Instruction]:
    found = instructions()
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


def test_runs_as_a_numbered_user_who_is_not_root() -> None:
    (user,) = texts(final_stage(), "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


def test_doctor_as_that_user_is_the_last_thing_done() -> None:
    found = final_stage()
    names = [one.name for one in found]
    after = found[names.index("USER") :]
    assert texts(after, "RUN") == ["histpred doctor"]
    assert names.index("ENV") < names.index("USER")


def test_commands_are_run_as_they_are() -> None:
    found = instructions()
    assert not texts(found, "ENTRYPOINT")  # Nextflow runs bash
    assert [json.loads(text) for text in texts(found, "CMD")] == [["histpred", "--help"]]
    (environment,) = texts(final_stage(), "ENV")
    assert "PATH=/opt/histpred/bin:$PATH" in environment.split()


def test_every_pip_install_checks_hashes_or_takes_no_dependency() -> None:
    commands = [
        command
        for text in texts(instructions(), "RUN")
        for command in text.split("&&")
        if re.search(r"\bpip\b.*\b(install|wheel)\b", command)
    ]
    assert len(commands) == 4
    for command in commands:
        assert ("--require-hashes" in command) != ("--no-deps" in command)
        assert "--no-cache-dir" in command
    (wheel,) = [command for command in commands if "pip wheel" in command]
    assert "--no-build-isolation" in wheel


def test_nextflow_finds_ps() -> None:
    (install,) = [text for text in texts(final_stage(), "RUN") if "apt-get install" in text]
    assert {"procps", "python3"} <= set(install.split())


def test_one_base_with_its_digest_and_no_other_host() -> None:
    found = instructions()
    assert texts(found, "FROM") == ["${BASE} AS build", "${BASE}"]
    name, text = found[0]
    assert name == "ARG"
    assert re.fullmatch(r"BASE=docker\.io/library/debian@sha256:[0-9a-f]{64}", text)
    everything = " ".join(one.text for one in found)
    hosts = re.findall(r"\b[\w-]+(?:\.[\w-]+)*\.(?:io|org|com|net|dev|ai)\b", everything)
    assert set(hosts) == {"docker.io"}
    assert "://" not in everything


def test_caches_do_not_need_a_home() -> None:
    (environment,) = texts(final_stage(), "ENV")
    values = dict(word.split("=", 1) for word in environment.split())
    for name in ("HOME", "HF_HOME", "MPLCONFIGDIR", "XDG_CACHE_HOME"):
        assert Path(values[name]).is_relative_to("/tmp")
    assert values["PYTHONNOUSERSITE"] == values["PYTHONDONTWRITEBYTECODE"] == "1"


def test_context_has_what_makes_the_package_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    project = PROJECT["project"]
    included = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    hook = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["custom"]["path"]
    needed = {"README.md", hook, *project["license-files"], *included}
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == {
        "containers/locks",
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


def test_labels_say_what_the_image_is() -> None:
    found = final_stage()
    assert f"VERSION={histpred.__version__}" in texts(found, "ARG")
    (labels,) = texts(found, "LABEL")
    for name in ("version", "revision", "source"):
        assert f'org.opencontainers.image.{name}="${{{name.upper()}}}"' in labels
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
    labels = settings["Labels"]
    assert labels["org.opencontainers.image.version"] == histpred.__version__
    assert labels["org.opencontainers.image.revision"] == REVISION
    assert not [value for value in settings["Env"] if value.startswith("PIP_")]

    check = (
        "command -v histpred; histpred --version; ps -o pid= -p 1; ls -A /tmp;"
        "find /opt/histpred -name test -o -name tests; find /opt/histpred -user 1000"
    )
    done = podman("run", "--rm", "--network=none", image, "bash", "-c", check)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "/opt/histpred/bin/histpred",
        *run_histpred("--version").out.split(),
        "1",
    ]


@pytest.mark.slow
@pytest.mark.podman
@pytest.mark.timeout(1500)
def test_list_of_packages_is_that_of_the_lock() -> None:
    image = built_image()
    done = podman("run", "--rm", "--network=none", image, "cat", "/opt/histpred/sbom.cdx.json")
    assert done.returncode == 0, done.stderr
    listed = {
        part["purl"].removeprefix("pkg:pypi/").replace("@", "==")
        for part in json.loads(done.stdout)["components"]
        if part["name"] != "histpred"
    }
    assert listed == {f"{name}=={version}" for name, version in pins("cpu").items()}
