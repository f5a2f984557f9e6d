"""Write nextflow_schema.json and params.config from the options of the command line.

`python nextflow/schema/make.py` writes both files. With `--check` it writes nothing, shows how they
would change, and exits with 1 if they would. Types, bounds, defaults and help texts come from the
click options alone. The schema follows nf-core's convention (JSON Schema draft 2020-12 with groups
in `$defs`, and nf-schema's `exists`). It adds these keywords:

x-histpred   the verbs that take the parameter, each with its flag
x-modes      the modes that use a parameter; without it, all modes, or those of its verbs
x-value      how the help shows a value; lower-case words in it are never files
x-names      all values that there are
x-made       a folder that is made if it does not exist
x-kept       tasks reach the folder through a staged file
x-staged     if the value is a file or folder, it is staged, and the flag gets its staged name;
             'if there': a value that is no file stands for itself; 'each': files, separated by
             commas, each with a flag of its own
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import click
from groups import GROUPS, Property

from histpred.commands.inputs import Genes
from histpred.commands.options import NameList
from histpred.genome.regions import CONTEXT, INTERVAL, KINDS, PROMOTER

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
SCHEMA = FOLDER / "nextflow_schema.json"
CONFIG = FOLDER.parent / "conf" / "params.config"

VERBS = ("scatter", "predict", "embed", "train", "evaluate", "experiment", "variants")
STAGED = {
    "weights": True,
    "split": True,
    "prior": True,
    "genes": "if there",
    "transcripts": "each",
}

# Options of those verbs that are not parameters, and why.
LEFT_OUT = {
    "out": "the pipeline chooses where tasks write",
    "overwrite": "each task has a folder of its own",
    "cache": "the pipeline keeps it beside the store",
    "quiet": "a task's output is a log",
    "threads": "a task gets as many as the cores that its process is given",
    "tracks": "a parameter of the pipeline: made once, from the gathered prediction",
    "no_table": "the tables of the shards are joined, and the tracks are made from them",
    "no_report": "shards have none; gather makes that of the whole prediction",
    "name": "a trained bundle has the name of its sample",
    "from": "a parameter of the pipeline: its folder is staged as that of a bundle",
    "beside": "each sample has one bundle; the summary shows them side by side",
    "bundle": "a parameter of the pipeline: samples may differ in it, and a folder is staged",
    "encoder": "a parameter of the pipeline, in place of a bundle",
    "store": "a parameter of the pipeline: all tasks share it",
    "only": "each configuration of an experiment is a task of its own",
    "plan": "so is the plan of an experiment",
    "recorded_as": "the pipeline names the sample's own files",
    "vcf_recorded_as": "so it does for the VCF",
    "vcf": "a parameter of the pipeline: each sample has its own",
}
# With shards, only scatter reads the rows of the annotation. Later tasks never see a row that it
# skipped.
ONLY_OF = {
    "strict": ("scatter", "variants"),
    "genes": ("scatter",),
    "sequences": ("scatter",),
}
# Train and evaluate read annotations.
MODES = {
    "genes": ["predict", "variants"],
    "sequences": ["predict"],
    "shard_bases": ["predict", "train", "evaluate"],
    "shard_alleles": ["variants"],
}
# Options whose help texts differ between verbs, with a text for all of them.
KNOWN = {
    "seed": "Random seed of the split, the training and the bootstrap of the evaluation.",
    "transcripts": "Take the sequences of spliced windows from these files, by transcript ID.",
    "block": "Length of the blocks of --split block, and of those by which baselines are fitted if "
    "no row trained the bundle, in bp.",
}

# What the command line parses itself, so that a wrong value ends the run before its first task.
BP, WIDTH = "0*([0-9]{1,7}|10000000)", "0*[1-9][0-9]{0,4}"
PATTERNS = {
    "window": rf"^(?!\w+:0+:0+$)({'|'.join(KINDS)}|{CONTEXT}:{BP}"
    rf"|({PROMOTER}|{INTERVAL}):{BP}:{BP})$",
    "chunks": r"^(window|grid):0*[1-9][0-9]{0,8}$",
    "hidden": rf"^\s*{WIDTH}\s*(,\s*{WIDTH}\s*)*$",
    "calls": r"^(youden|precision:(0*\.[0-9]*[1-9][0-9]*|0*1(\.0*)?))$",
    "device": r"^(auto|cpu|cuda(:[0-9]+)?|mps)$",
}
NAMES = r"^.*[^,\s].*$"

COMPUTING = ("shard_bases", "shard_alleles", "device", "precision", "weights")
MODELS = ("marks", "call_precision")


def command(verb: str) -> click.Command:
    """Return the click command of a verb."""
    return getattr(importlib.import_module(f"histpred.commands.{verb}"), verb)


def parameter_name(option: click.Option) -> str:
    """Return the long flag in snake case: `--mark-dimension` gives `mark_dimension`."""
    return max(option.opts, key=len).lstrip("-").replace("-", "_")


def default_of(option: click.Option) -> str | int | float | bool | None:
    """Return click's default, or None if there is none or it is an empty list."""
    value = option.get_default(click.Context(click.Command("any")))
    if option.is_flag:
        return bool(value)
    return value if isinstance(value, (str, int, float)) else None


def property_of(option: click.Option) -> Property:
    """Return a click option as a property of the schema, without the verbs that take it."""
    kind = option.type
    types = (
        ("integer", click.types.IntParamType),
        ("number", click.types.FloatParamType),
        ("boolean", click.types.BoolParamType),
    )
    found: Property = {
        "type": next((name for name, known in types if isinstance(kind, known)), "string")
    }
    if (default := default_of(option)) is not None:
        found["default"] = default
    if isinstance(kind, click.Choice):
        found["enum"] = list(kind.choices)
    if isinstance(kind, (click.IntRange, click.FloatRange)):
        if kind.min is not None:
            found["exclusiveMinimum" if kind.min_open else "minimum"] = kind.min
        if kind.max is not None:
            found["exclusiveMaximum" if kind.max_open else "maximum"] = kind.max
    if isinstance(kind, click.Path):
        found["format"] = {
            (True, False): "file-path",
            (False, True): "directory-path",
        }.get((kind.file_okay, kind.dir_okay), "path")
        if kind.exists:
            found["exists"] = True
    shown = option.metavar or (kind.name if "NAME" in kind.name else None)
    if shown:
        found["x-value"] = f"{shown}[,{shown}...]" if option.multiple else shown
    name = parameter_name(option)
    if pattern := NAMES if isinstance(kind, (NameList, Genes)) else PATTERNS.get(name):
        found["pattern"] = pattern
    if name in STAGED:
        found["x-staged"] = STAGED[name]
    if STAGED.get(name) == "each":
        found["format"] = "file-path"
    if name in MODES:
        found["x-modes"] = MODES[name]

    text, default_text = re.fullmatch(
        r"(.*?)\s*(?:\[default: (.*)\])?", option.help or "", flags=re.DOTALL
    ).groups()
    found["description"] = text
    if default_text:
        found["help_text"] = f"Default: {default_text}."
    return found


def collect() -> tuple[dict[str, Property], list[str]]:
    """Return the command line's parameters, and complaints where verbs disagree on one."""
    found: dict[str, Property] = {}
    verbs: dict[str, dict[str, str]] = defaultdict(dict)
    complaints = []
    for verb in VERBS:
        for option in command(verb).params:
            if not isinstance(option, click.Option):
                continue
            name = parameter_name(option)
            if name in LEFT_OUT or verb not in ONLY_OF.get(name, VERBS):
                continue
            says = property_of(option)
            if name in KNOWN:
                says["description"] = KNOWN[name]
            if found.setdefault(name, says) != says:
                complaints.append(f"--{name} of {verb} differs from that of other verbs: {says}")
            verbs[name][verb] = max(option.opts, key=len)
    return {name: {**says, "x-histpred": verbs[name]} for name, says in found.items()}, complaints


def group_of(name: str, verbs: dict[str, str]) -> str:
    """Return the group of the schema that an option belongs to."""
    if name in COMPUTING:
        return "computing"
    if name in MODELS:
        return "models"
    if verbs.keys() == {"variants"}:
        return "variants"
    if "scatter" in verbs:
        return "windows"
    return "training" if "train" in verbs else "evaluation"


def schema() -> dict[str, Any]:
    """Return the whole schema."""
    options, _ = collect()
    definitions: dict[str, Any] = {}
    for group, (title, description, own) in GROUPS.items():
        more = {
            name: says
            for name, says in options.items()
            if group_of(name, says["x-histpred"]) == group
        }
        definitions[group] = {
            "title": title,
            "type": "object",
            "description": description,
            "properties": {**own, **more},
        }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "histpred/nextflow_schema.json",
        "title": "histpred pipeline parameters",
        "description": "Predicts the histone marks of non-coding RNA genes from sequence alone",
        "type": "object",
        "$defs": definitions,
        "allOf": [{"$ref": f"#/$defs/{group}"} for group in definitions],
    }


def literal(value: str | int | float | bool | None) -> str:
    """Return a value in the syntax of Nextflow's configuration.

    >>> literal(None), literal(True), literal("it's")
    ('null', 'true', "'it\\\\'s'")
    """
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return "null" if value is None else str(value).lower()


def config(made: dict[str, Any]) -> str:
    """Return the text of params.config for a schema."""
    rows = [
        (name, literal(says.get("default")))
        for group in made["$defs"].values()
        for name, says in group["properties"].items()
    ]
    width = max(len(name) for name, _ in rows)
    body = "".join(f"    {name:<{width}} = {value}\n" for name, value in rows)
    origin = "// Made by nextflow/schema/make.py from the command line's options."
    return f"{origin}\n\nparams {{\n{body}}}\n"


def texts() -> dict[Path, str]:
    """Return the path and contents of both files."""
    made = schema()
    return {SCHEMA: json.dumps(made, indent=4, ensure_ascii=False) + "\n", CONFIG: config(made)}


def main() -> int:
    """Write or check the files. Return 1 if verbs disagree or a checked file is out of date."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; show what is out of date"
    )
    check = parser.parse_args().check

    _, faults = collect()
    for path, text in texts().items():
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if not check:
            path.write_text(text, encoding="utf-8")
        elif before != text:
            name = str(path.relative_to(ROOT))
            faults += difflib.unified_diff(
                before.splitlines(), text.splitlines(), name, f"{name} (up to date)", lineterm=""
            )
    print("\n".join(faults), end="\n" if faults else "", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
