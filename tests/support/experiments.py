"""A small experiment on generated genes, to test `histpred experiment`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from support.command_line import Done, histpred
from support.labelled import write_labelled
from support.once import made_once

SHEET = """\
title: A small experiment
genomes:
  - {{name: made-up, annotation: genes.bed, fasta: genome.fa, labels: labels.tsv}}
splits: [random, chromosome]
seed: 3
defaults:
  epochs: 6
  hidden: [16, 8]
  learning_rate: 0.01
  batch: 32
  window: promoter:100:100
  calls: youden
configurations:
{configurations}"""
CONFIGURATIONS = """\
  - {name: one-hot, paper: DNABERT2, encoder: kmer, summary: k-mers stand for DNABERT-2.}
  - {name: body, paper: RNA-FM, encoder: kmer, window: body}
  - {name: vectors, encoder: kmer, mark_dimension: 3}
"""


class Experiment(NamedTuple):
    """The folder of a finished experiment, its sheet, and how the command ended."""

    out: Path
    sheet: Path
    done: Done


def write_sheet(folder: Path, configurations: str = CONFIGURATIONS, **changes: str) -> Path:
    """Write a sheet for data in the same folder; `changes` replace text by other text."""
    text = SHEET.format(configurations=configurations)
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    path = folder / "sheet.yaml"
    path.write_text(text)
    return path


def make_experiment(folder: Path) -> None:
    """Run the experiment of `SHEET` and `CONFIGURATIONS` in a folder."""
    write_labelled(folder)
    done = histpred("experiment", write_sheet(folder), "-o", folder / "out")
    (folder / "done.json").write_text(json.dumps(done))


def finished_experiment(factory: pytest.TempPathFactory) -> Experiment:
    """Return a copy of the experiment of `make_experiment`, which runs once for all workers."""
    folder = factory.mktemp("copy") / "experiment"
    shutil.copytree(made_once(factory, "experiment", make_experiment), folder)
    done = Done(*json.loads((folder / "done.json").read_text()))
    return Experiment(folder / "out", folder / "sheet.yaml", done)
