"""A release from start to end, without publishing anything and without the network.

    HISTPRED_EXTRAS="release test" bin/test --version     # makes the environment
    .venv/bin/python release/dry_run.py                   # or with a folder: --keep dist

It checks the version at each place, the changelog, what must stay stable, CITATION.cff,
.zenodo.json, the workflows and the recipe; builds the sdist and, from it, the wheel, twice, from
what is committed, and compares the bytes; checks both; runs the installed wheel; builds the
documentation; and prints the commands that a release needs (RELEASING.md explains them). Exit code
1: a check failed. What only a real release needs, such as an address, is listed and does not fail.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import version

ROOT = version.ROOT
LARGEST = 10_000_000  # bytes of a wheel or an sdist
IMAGES = ("", "-train", "-gpu")
SCHEMAS = {
    "citation-file-format": ["CITATION.cff"],
    "github-workflows": [".github/workflows/*.yml"],
    "dependabot": [".github/dependabot.yml"],
    "github-issue-forms": [".github/ISSUE_TEMPLATE/[!c]*.yml"],
    "github-issue-config": [".github/ISSUE_TEMPLATE/config.yml"],
}
"""A schema that check-jsonschema carries, and the files that must follow it."""
GROUPS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
"""The groups of a version in CHANGELOG.md, in the order of Keep a Changelog."""


class Failure(Exception):
    """A check failed; the message says what was found."""


def run(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    """Run a command in the checkout and return what it printed; Failure if it fails."""
    settings = {**os.environ, **(environment or {})}
    given = [sys.executable if part == "python" else part for part in command]
    done = subprocess.run(given, cwd=ROOT, env=settings, capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def versions() -> str:
    """Every file names the same version."""
    if wrong := version.different():
        raise Failure(f"{version.SOURCE} says {version.current()}, but " + ", ".join(wrong))
    return f"{version.current()}, at {len(list(version.named()))} places"


def changelog() -> str:
    """CHANGELOG.md has the form of Keep a Changelog: the newest version first, in groups."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    if not headings or headings[0] != "Unreleased":
        raise Failure("CHANGELOG.md does not begin with '## Unreleased'")
    pattern = r"(\d+)\.(\d+)\.(\d+) - (?:unreleased|\d{4}-\d\d-\d\d)"
    found = [re.fullmatch(pattern, heading) for heading in headings[1:]]
    if None in found:
        raise Failure("a heading of CHANGELOG.md is not '## 1.2.3 - 2026-12-31'")
    numbers = [tuple(map(int, match.groups())) for match in found if match]
    if numbers != sorted(set(numbers), reverse=True):
        raise Failure("the versions of CHANGELOG.md do not descend")
    bodies = re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]
    for heading, body in zip(headings, bodies, strict=True):
        groups_in_order(heading, body)
    return f"{len(numbers)} version{'s' * (len(numbers) != 1)}, and what is unreleased"


def groups_in_order(heading: str, body: str) -> None:
    """Every change of a version is in a group of Keep a Changelog; Failure if not."""
    groups = re.findall(r"^### (.+)$", body, re.MULTILINE)
    listed = ", ".join(groups)
    if unknown := [group for group in groups if group not in GROUPS]:
        raise Failure(f"{heading}: {unknown[0]} is not one of {', '.join(GROUPS)}")
    if groups != [group for group in GROUPS if group in groups]:
        raise Failure(f"{heading}: {listed} are not in the order {', '.join(GROUPS)}")
    if "\n- " in body.partition("### ")[0]:
        raise Failure(f"{heading}: an item before the first group")


def promises() -> str:
    """Nothing of what docs/stability.md promises has gone since the last release."""
    return run("python", "release/promises.py", environment={"PYTHONPATH": str(ROOT)}).strip()


def metadata() -> str:
    """Citation, archive, workflows and templates follow their schemas."""
    checked = 0
    for schema, patterns in SCHEMAS.items():
        files = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
        if not files:
            raise Failure(f"no file {patterns[0]}")
        run("python", "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *files)
        checked += len(files)
    archive = json.loads((ROOT / ".zenodo.json").read_text(encoding="utf-8"))
    if missing := {"title", "creators", "license", "description"} - archive.keys():
        raise Failure(f".zenodo.json lacks {', '.join(sorted(missing))}")
    return f"{checked + 1} files"


def recipe() -> str:
    """The conda recipe renders."""
    if importlib.util.find_spec("rattler_build") is None:
        return "not rendered: py-rattler-build is not installed"
    from rattler_build import Stage0Recipe

    try:
        (rendered,) = Stage0Recipe.from_file(ROOT / "recipes/recipe.yaml").render()
    except Exception as error:  # types of its own
        raise Failure(f"recipes/recipe.yaml: {error}") from error
    package = rendered.recipe.to_dict()["package"]
    return f"renders {package['name']} {package['version']}"


def build(folder: Path) -> str:
    """The sdist, and the wheel from it, have the same bytes twice.

    They are built from an export: hatchling ignores .gitignore where the checkout's own path
    matches it, as below a folder called "work".
    """
    source = folder / "source"
    source.mkdir()
    run("git", "archive", "--output", folder / "source.tar", "HEAD")
    with tarfile.open(folder / "source.tar") as archive:
        archive.extractall(source, filter="data")
    stamp = {"SOURCE_DATE_EPOCH": run("git", "log", "-1", "--format=%ct").strip()}
    for name in ("first", "dist"):
        out = folder / name
        run("python", "-m", "build", "--no-isolation", "--outdir", out, source, environment=stamp)
    first, second = (digests(folder / name) for name in ("first", "dist"))
    if first != second:
        raise Failure("two builds of the same files differ")
    sizes = ", ".join(f"{path.name} {path.stat().st_size / 1e6:.1f} MB" for path in built(folder))
    if any(path.stat().st_size > LARGEST for path in built(folder)):
        raise Failure(f"larger than {LARGEST / 1e6:.0f} MB: {sizes}")
    return sizes


def built(folder: Path) -> list[Path]:
    """The sdist and the wheel."""
    return sorted((folder / "dist").iterdir(), key=lambda path: path.suffix)


def digests(folder: Path) -> dict[str, str]:
    """The sha256 of each file."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def packages(folder: Path) -> str:
    """No tool finds a fault; the README has no relative links; the sdist is the checkout."""
    sdist, wheel = built(folder)
    run("python", "-m", "twine", "check", "--strict", sdist, wheel)
    run("python", "-m", "check_wheel_contents", wheel)
    rating = run("python", "-m", "pyroma", "--min", "10", folder / "source")
    if "Final rating: 10/10" not in rating:
        raise Failure(rating)
    if relative := relative_links(wheel):
        raise Failure(f"the README in the wheel has relative links: {', '.join(relative)}")
    with tarfile.open(sdist) as archive:
        found = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    tracked = set(run("git", "ls-tree", "-r", "--name-only", "HEAD").splitlines())
    if found - {"PKG-INFO"} != tracked:
        differ = sorted(found - {"PKG-INFO"} ^ tracked)
        raise Failure(f"the sdist and the files of git differ: {', '.join(differ[:3])}")
    return f"twine, check-wheel-contents, pyroma 10 of 10; the sdist has all {len(tracked)} files"


def relative_links(wheel: Path) -> list[str]:
    """The links in the README of a wheel that lead nowhere on a package index."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        text = archive.read(name).decode()
    return re.findall(r"\]\((?![a-z]+:|#)([^)]*)\)", text)


def installed(folder: Path) -> str:
    """The wheel works where there is no checkout."""
    target, wheel = folder / "packages", built(folder)[1]
    options = ["--quiet", "--no-deps", "--no-index", "--no-compile", "--target", target]
    run("python", "-m", "pip", "install", *options, wheel)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    command = [sys.executable, "-m", "histpred", "demo"]
    place = {**os.environ, "PYTHONPATH": str(target)}
    done = subprocess.run(command, cwd=elsewhere, env=place, capture_output=True, text=True)
    if done.returncode or not (elsewhere / "histpred-demo/report.html").exists():
        raise Failure(done.stdout + done.stderr)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    return f"{size / 1e6:.1f} MB, and histpred demo runs"


def documentation(folder: Path) -> str:
    """The site builds, with warnings as errors."""
    if not (ROOT / "mkdocs.yml").exists() or importlib.util.find_spec("mkdocs") is None:
        return "not built: mkdocs is not installed"
    command = ["python", "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir"]
    run(*command, folder / "site", environment={"NO_MKDOCS_2_WARNING": "1"})
    return f"{len(list((folder / 'site').rglob('*.html')))} pages"


def open_points() -> list[str]:
    """What a real release still needs."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    addresses = tomllib.loads(text)["tool"]["hatch"]["metadata"]["hooks"]["custom"]
    points = []
    if version.current()[0] != "0" and "Development Status :: 5" not in text:
        points.append("pyproject.toml: the classifier Development Status is not 5")
    points += [
        f"pyproject.toml: {name} is {addresses[name]}"
        for name in ("address", "email")
        if "example.org" in addresses[name]
    ]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## {re.escape(version.current())} - \d", changes, re.MULTILINE):
        points.append(f"CHANGELOG.md: {version.current()} has no date")
    if run("git", "status", "--porcelain").strip():
        points.append("the checkout has changes that are not committed")
    return points


def plan() -> list[str]:
    """The commands of a release, in order."""
    tag = f"v{version.current()}"
    commands = [f"git tag --annotate {tag} --message 'histpred {version.current()}'"]
    commands += [f"git push origin {tag}", "python -m build", "twine upload dist/*"]
    for kind in IMAGES:
        image = f"REGISTRY/histpred:{version.current()}{kind}"
        argument = f" --build-arg KIND={kind[1:]}" if kind else ""
        commands.append(f"docker build -f containers/Dockerfile -t {image}{argument} .")
        commands.append(f"docker push {image}")
    return [*commands, "mkdocs build --strict"]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", type=Path, help="folder for the wheel and the sdist")
    keep = parser.parse_args(arguments).keep
    failed = []
    with tempfile.TemporaryDirectory(prefix="histpred-release-") as name:
        folder = Path(name)
        steps: dict[str, Callable[[], str]] = {
            "version": versions,
            "changelog": changelog,
            "promises": promises,
            "metadata": metadata,
            "conda recipe": recipe,
            "build": lambda: build(folder),
            "packages": lambda: packages(folder),
            "installed": lambda: installed(folder),
            "documentation": lambda: documentation(folder),
        }
        for what, step in steps.items():
            started = time.monotonic()
            try:
                verdict, said = "ok", step()
            except Failure as failure:
                verdict, said = "FAILED", str(failure)
                failed.append(what)
            print(
                f"{verdict:6}  {what:14}  {said}  ({time.monotonic() - started:.1f} s)", flush=True
            )
            if "build" in failed:
                break
        if keep and not failed:
            shutil.copytree(folder / "dist", keep, dirs_exist_ok=True)
    print("\nBefore a release:", *(open_points() or ["nothing"]), sep="\n  ")
    print("\nA release would run:", *plan(), sep="\n  ")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
