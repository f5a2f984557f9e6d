"""The page of an experiment: it reads like the paper, and loads nothing."""

from __future__ import annotations

import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


class Words(HTMLParser):
    """The text of a page, without its style, scripts and figures."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = 0
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in ("style", "script", "svg")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("style", "script", "svg")

    def handle_data(self, data):
        if not self.hidden:
            self.text.append(data)


def words(path: Path) -> str:
    parser = Words()
    parser.feed(path.read_text())
    return " ".join(" ".join(parser.text).split())


def test_the_page_has_the_papers_tables_and_figures_for_each_split(experiment):
    page = words(experiment.out / "report.html")
    assert page.count("The paper's Table 1:") == page.count("The paper's Table 2:") == 2
    for figure in (
        "Fig. 2",
        "Extended Data Fig. 3",
        "Extended Data Fig. 4",
        "Extended Data Fig. 5",
    ):
        assert page.count(f"(the paper's {figure})") == 2
    assert page.count("(the paper's Extended Data Fig. 1)") == 1


def test_the_page_shows_what_the_paper_prints(experiment):
    page = words(experiment.out / "report.html")
    for number in ("0.7425", "0.9379", "0.5298", "0.49", "0.94", "+0.0047", "0.4001", "51.1%"):
        assert number in page


def test_the_page_says_first_what_was_found(experiment):
    page = words(experiment.out / "report.html")
    assert re.search(
        r"one-hot has a micro-averaged AUROC of 0\.\d{3} in the split 'random' and 0\.\d{3} in the "
        r"split 'chromosome'\. The paper prints 0\.95 for DNABERT2\.",
        page,
    )


def test_the_page_says_that_a_training_was_shortened(experiment):
    page = words(experiment.out / "report.html")
    assert "fewer epochs than the paper's 50: one-hot (6), body (6), vectors (6)" in page


def test_the_page_names_both_readings(experiment):
    page = words(experiment.out / "report.html")
    assert page.count("the paper's rule") > 10
    assert "The paper's reading, by its appendix F" in page


def test_the_page_loads_nothing(experiment):
    page = (experiment.out / "report.html").read_text()
    loaded = re.findall(r'(?:src|href)="(?!#|data:)([^"]*)"', page)
    assert loaded == []


def test_an_id_stands_once(experiment):
    page = (experiment.out / "report.html").read_text()
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))


def test_the_record_has_the_digest_of_each_file(experiment):
    record = json.loads((experiment.out / "experiment.json").read_text())
    assert record["missing"] == {}
    for name, digest in record["outputs"].items():
        assert hashlib.sha256((experiment.out / name).read_bytes()).hexdigest() == digest
