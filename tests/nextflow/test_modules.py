"""The pipeline's files as text: each process has its parts, and each command exists.

Facts that are in two places must agree.
"""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from histpred import __version__
from histpred.cli import histpred
from support.command_line import ROOT

MODULES = sorted((ROOT / "nextflow" / "modules").glob("*.nf"))
OTHERS = ("workflows", "functions", "schema")
SCRIPTS = [ROOT / "main.nf", *MODULES]
SCRIPTS += sorted(path for room in OTHERS for path in (ROOT / "nextflow" / room).glob("*.nf"))
CONFIG = (ROOT / "nextflow.config").read_text(encoding="utf-8")
CONTAINERS = {"docker", "podman", "singularity", "apptainer"}
CLOUDS = {"awsbatch", "googlebatch", "kubernetes"}
PROFILES = (
    {"standard", "conda", "slurm", "gpu", "offline", "test"} | CONTAINERS | CLOUDS
)  # as in docs/pipeline.md
CALL = re.compile(r"^ *(?:.*[{\"] *)?histpred (\w+)([^\n]*)", re.MULTILINE)
LONGEST_MODULE, LONGEST_MAIN = 60, 150


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_main_is_short() -> None:
    assert len(read(ROOT / "main.nf").splitlines()) <= LONGEST_MAIN


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_is_one_process_with_all_its_parts(path: Path) -> None:
    text = read(path)
    assert len(text.splitlines()) <= LONGEST_MODULE
    assert re.findall(r"^process (\w+)", text, re.MULTILINE) == [path.stem.upper()]
    for part in ("label", "container", "input:", "output:", "script:", "stub:"):
        assert re.search(rf"^    {part}", text, re.MULTILINE), part
    program = "multiqc" if path.stem == "multiqc" else "histpred"
    assert f"eval('{program} --version'), topic: versions" in text
    assert re.search(
        r"^    container .(histpred:\$\{workflow.manifest.version\}|multiqc/multiqc:v\d)",
        text,
        re.M,
    )
    assert "params" not in text  # a task gets its settings as inputs


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_container_is_known_without_a_sample(path: Path) -> None:
    """`nextflow inspect` lists the images before there is a sample."""
    (container,) = re.findall(r"^    container (.+)$", read(path), re.MULTILINE)
    assert "meta." not in container


def commands() -> list[tuple[str, str, str]]:
    """Return module, verb and rest of the line of each call of histpred in a script."""
    found = []
    for path in MODULES:
        text = read(path).replace("\\\\\n", " ")
        for verb, rest in re.findall(
            r"^ *(?:.*[{\"] *)?histpred (\w+)([^\n]*)", text, re.MULTILINE
        ):
            found.append((path.stem, verb, rest))
    return found


@pytest.mark.parametrize(
    "verb", ["predict", "embed", "train", "evaluate", "experiment", "variants", "gather"]
)
def test_a_task_starts_as_many_threads_as_it_has_cores(verb: str) -> None:
    calls = [rest for _, found, rest in commands() if found == verb and "--help" not in rest]
    assert calls
    assert [rest for rest in calls if " -t ${task.cpus} " not in rest] == []


def test_every_label_is_one_that_gets_something() -> None:
    known = set(re.findall(r"withLabel: (\w+)", read(ROOT / "nextflow" / "conf" / "base.config")))
    used = {label for path in MODULES for label in re.findall(r"label '(\w+)'", read(path))}
    assert used == known


def test_what_needs_torch_gets_the_image_with_it() -> None:
    with_torch = {path.stem for path in MODULES if "-train" in read(path)}
    of_experiments = {"plan", "configuration", "experiment"}
    assert with_torch == {"predict", "variants", "embed", "train", "evaluate"} | of_experiments


def test_every_module_calls_histpred() -> None:
    assert {module for module, _, _ in commands()} == {path.stem for path in MODULES} - {"multiqc"}


@pytest.mark.parametrize(("module", "verb", "rest"), commands())
def test_every_command_and_option_exists(module: str, verb: str, rest: str) -> None:
    context = click.Context(histpred)
    command = histpred.get_command(context, verb)
    assert command is not None, verb
    if isinstance(command, click.Group):
        command = command.get_command(context, rest.split()[0])
        assert command is not None, rest
    known = {name for option in command.params for name in option.opts}
    used = set(re.findall(r"(?<!\S)(--[a-z-]+|-\w)(?= )", rest.partition('"')[0]))
    text = read(ROOT / "nextflow" / "modules" / f"{module}.nf")
    used |= set(re.findall(r"(--[a-z-]+)", text)) - {"--version"}
    if "${meta.source}" in text:
        assert "--bundle" in known
    elif module in ("bundle", "evaluate"):  # there the bundle is an argument
        used -= {"--bundle"}
    assert used <= known


def test_what_main_says_of_bundles_and_encoders_exists() -> None:
    text = read(ROOT / "main.nf")
    body = text[text.index("def source_of") : text.index("def origin")]
    said = set(re.findall(r"(--[a-z-]+) ", body))
    assert said == {"--bundle", "--encoder"}
    for verb in ("scatter", "embed", "train"):
        known = {
            n for o in histpred.get_command(click.Context(histpred), verb).params for n in o.opts
        }
        assert said <= known


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_every_include_exists(path: Path) -> None:
    for name, source in re.findall(r"include \{ (\w+) +\} from '([^']+)'", read(path)):
        target = (path.parent / source).with_suffix(".nf")
        assert re.search(rf"^(process|workflow|def) {name}\b", read(target), re.MULTILINE), name


def test_a_file_of_functions_that_several_scripts_include_includes_none() -> None:
    """Nextflow 25.04 runs it once for each under the strict parser, and then finds names twice."""
    users: dict[Path, set[Path]] = {}
    for path in SCRIPTS:
        for source in re.findall(r"^include \{.*\} from '([^']+)'", read(path), re.MULTILINE):
            users.setdefault((path.parent / source).with_suffix(".nf").resolve(), set()).add(path)
    shared = [path for path, some in users.items() if len(some) > 1 and path not in MODULES]
    assert shared
    assert [path.name for path in shared if "\ninclude {" in "\n" + read(path)] == []


# Object stores lack these, or answer otherwise than a file system: for local paths only.
POSIX_ONLY = "toFile|new File|toRealPath|isWritable|isReadable|setLastModifiedTime|Posix|Link"
LOCAL_ONLY = {"kept_in", "place_fault", "made_fault"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_file_in_an_object_store_is_treated_as_a_local_one(path: Path) -> None:
    functions = re.split(r"^def (\w+)", re.sub(r"//.*", "", read(path)), flags=re.MULTILINE)
    for name, body in zip(functions[1::2], functions[2::2], strict=True):
        if re.search(POSIX_ONLY, body):
            assert name in LOCAL_ONLY
            assert name == "kept_in" or "is_local(" in body
    assert not re.search(POSIX_ONLY, functions[0])


def test_the_store_is_made_in_a_local_folder_only() -> None:
    assert "is_local(workflow.workDir) ? kept_in(store) : []" in read(ROOT / "main.nf")


def test_every_configuration_exists() -> None:
    named = set(re.findall(r"includeConfig '([^']+)'", CONFIG))
    there = {f"nextflow/conf/{path.name}" for path in (ROOT / "nextflow" / "conf").iterdir()}
    assert named == there


def test_the_profiles_are_those_we_tell_of() -> None:
    block = CONFIG[CONFIG.index("profiles {") :]
    assert set(re.findall(r"^    (\w+) +\{", block, re.MULTILINE)) == PROFILES
    page = read(ROOT / "docs" / "pipeline.md")
    assert all(f"`{profile}`" in page for profile in PROFILES)


def test_the_version_is_the_package_s() -> None:
    assert re.search(r"version +=\s*'([^']+)'", CONFIG)[1] == __version__


def test_nothing_is_fetched_from_a_plugin_registry() -> None:
    assert not any("plugins" in read(path) for path in [ROOT / "nextflow.config", *SCRIPTS])
