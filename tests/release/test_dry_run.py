"""release/dry_run.py: what it refuses. .ci/run runs all of it."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from support.command_line import ROOT
from support.scripts import load_script


@pytest.fixture
def dry_run() -> ModuleType:
    return load_script("release/dry_run.py")


def test_the_changelog_of_this_checkout(dry_run: ModuleType) -> None:
    assert dry_run.changelog().endswith("and what is unreleased")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# Changelog\n\n## 1.0.0 - 2026-12-31\n", "does not begin with '## Unreleased'"),
        ("## Unreleased\n\n## 1.0 - 2026-12-31\n", "is not '## 1.2.3 - 2026-12-31'"),
        ("## Unreleased\n\n## 1.0.0 - 31.12.2026\n", "is not '## 1.2.3 - 2026-12-31'"),
        ("## Unreleased\n\n## 0.9.0 - 2026-12-31\n\n## 0.10.0 - 2026-12-30\n", "do not descend"),
        ("## Unreleased\n\n## 0.9.0 - 2026-12-31\n\n## 0.9.0 - 2026-12-30\n", "do not descend"),
        (
            "## Unreleased\n\n### Speed\n\n- Fast.\n",
            "Unreleased: Speed is not one of Added, Changed",
        ),
        (
            "## Unreleased\n\n### Fixed\n\n### Added\n",
            "Unreleased: Fixed, Added are not in the order",
        ),
        (
            "## Unreleased\n\n### Added\n\n### Added\n",
            "Unreleased: Added, Added are not in the order",
        ),
        ("## Unreleased\n\n- Fast.\n\n### Fixed\n", "Unreleased: an item before the first group"),
    ],
)
def test_a_changelog_out_of_form_fails(
    dry_run: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    message: str,
) -> None:
    (tmp_path / "CHANGELOG.md").write_text(text)
    monkeypatch.setattr(dry_run, "ROOT", tmp_path)
    with pytest.raises(dry_run.Failure, match=message):
        dry_run.changelog()


def test_a_version_that_differs_fails(dry_run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry_run.version, "different", lambda: ["CITATION.cff: 0.0.9"])
    with pytest.raises(dry_run.Failure, match=r"but CITATION\.cff: 0\.0\.9"):
        dry_run.versions()


def test_a_command_that_fails_shows_its_output(dry_run: ModuleType) -> None:
    code = "import sys; print('out'); sys.exit('err')"
    with pytest.raises(dry_run.Failure, match=r"(?s)python -c .*\nout\nerr"):
        dry_run.run("python", "-c", code)


def test_a_failed_check_is_shown_and_sets_the_exit_code(
    dry_run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*rest: object) -> str:
        raise dry_run.Failure("all wrong")

    for name in ("versions", "metadata", "recipe", "packages", "installed", "documentation"):
        monkeypatch.setattr(dry_run, name, lambda *rest: "fine")
    monkeypatch.setattr(dry_run, "build", lambda folder: "fine")
    assert dry_run.main([]) == 0
    monkeypatch.setattr(dry_run, "packages", fail)
    assert dry_run.main([]) == 1
    assert "FAILED  packages        all wrong" in capsys.readouterr().out
    monkeypatch.setattr(dry_run, "build", fail)
    assert dry_run.main([]) == 1
    assert "installed" not in capsys.readouterr().out.split("Before a release")[0]


def test_a_stable_version_is_not_classified_as_beta(
    dry_run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    beta = "pyproject.toml: the classifier Development Status is not 5"
    monkeypatch.setattr(dry_run.version, "current", lambda: "0.9.0")
    assert beta not in dry_run.open_points()
    monkeypatch.setattr(dry_run.version, "current", lambda: "1.0.0")
    text = (ROOT / "pyproject.toml").read_text()
    assert (beta in dry_run.open_points()) == ("4 - Beta" in text)


@pytest.mark.parametrize("host", ["example.org", "github.com"])
def test_an_address_at_example_org_is_an_open_point(
    dry_run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    text = (ROOT / "pyproject.toml").read_text()
    address = re.search(r'^address = "(.+)"$', text, re.MULTILINE)[1]
    (tmp_path / "pyproject.toml").write_text(text.replace(address, f"https://{host}/histpred"))
    (tmp_path / "CHANGELOG.md").write_text("")
    monkeypatch.setattr(dry_run, "ROOT", tmp_path)
    monkeypatch.setattr(dry_run, "run", lambda *rest: "")
    assert any(host in point for point in dry_run.open_points()) == (host == "example.org")


def test_relative_links_in_the_readme_of_a_wheel_are_found(
    dry_run: ModuleType, tmp_path: Path
) -> None:
    wheel = tmp_path / "histpred-1.0.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        text = "Name: histpred\n\n[a](docs/a.md) [b](https://c.d/e) ![f](g.png) [h](#i)\n"
        archive.writestr("histpred-1.0.0.dist-info/METADATA", text)
    assert dry_run.relative_links(wheel) == ["docs/a.md", "g.png"]


def test_the_plan_has_the_images_that_the_pipeline_expects(dry_run: ModuleType) -> None:
    pushed = [line.split(":")[-1] for line in dry_run.plan() if line.startswith("docker push")]
    version = dry_run.version.current()
    assert pushed == [version, f"{version}-train", f"{version}-gpu"]
