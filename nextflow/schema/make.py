"""The pipeline's parameters from the command line's options: nextflow_schema.json, params.config.

`python nextflow/schema/make.py` writes both; with `--check` it shows how they would change, and
exits 1 if they would. The schema follows nf-core's convention (JSON Schema draft 2020-12 with
groups in `$defs`, and nf-schema's `exists`). Keywords of its own:

x-histpred   the verbs that take the parameter, each with its flag
x-modes      the modes in which a parameter of the pipeline's own has a meaning; all, if not there
x-value      what a value looks like, for the help; lower-case words in it are never files
x-staged     a value that is a file or folder is staged, and the flag gives its staged name
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

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
SCHEMA = FOLDER / "nextflow_schema.json"
CONFIG = FOLDER.parent / "conf" / "params.config"

VERBS = ("scatter", "predict", "embed", "train", "evaluate")
STAGED = ("weights", "split", "prior")
SAFE_NAME = "^[A-Za-z0-9][A-Za-z0-9._+-]*$"

# Options of those verbs that are no parameters, or that the pipeline passes itself.
LEFT_OUT = {
    "out": "tasks write where the pipeline looks",
    "overwrite": "each task has a folder of its own",
    "cache": "lies beside the store",
    "quiet": "a task's output is a log",
    "tracks": "of the pipeline: made once, of what is gathered",
    "name": "a trained bundle is called what its sample is",
    "beside": "one bundle a sample; the summary shows them side by side",
    "bundle": "of the pipeline: may differ from sample to sample, and a folder is staged",
    "encoder": "of the pipeline: in place of a bundle",
    "store": "of the pipeline: all tasks share it",
}
# Only scatter sees the rows of the annotation: what it skips, nothing behind it has.
ONLY_OF = {"strict": "scatter"}
# Options that say something else in another verb, with what is said of both.
KNOWN = {"seed": "Of the split, the training and the bootstrap of the evaluation."}

Property = dict[str, Any]

# The pipeline's own parameters by group; the command line's options are added to these groups.
GROUPS: dict[str, tuple[str, str, dict[str, Property]]] = {
    "inputs": (
        "What is done, with which files",
        "One sample from parameters, or several from a samplesheet.",
        {
            "mode": {
                "type": "string",
                "default": "predict",
                "enum": ["predict", "train", "evaluate"],
                "description": "Predict histone marks, train a bundle (and evaluate it), or "
                "evaluate one.",
            },
            "input": {
                "type": "string",
                "format": "file-path",
                "exists": True,
                "mimetype": "text/csv",
                "x-value": "FILE.csv",
                "description": "Samplesheet of several samples, in place of the next four "
                "parameters: a header with the columns sample, annotation, fasta and, where "
                "needed, labels and bundle, then a row for each sample. Relative paths start at "
                "the samplesheet's folder.",
            },
            "annotation": {
                "type": "string",
                "format": "file-path",
                "exists": True,
                "x-value": "FILE",
                "description": "Genes: BED, GTF or GFF3, also compressed.",
            },
            "fasta": {
                "type": "string",
                "format": "file-path",
                "exists": True,
                "x-value": "FILE",
                "description": "The same assembly's genome, also compressed.",
            },
            "labels": {
                "type": "string",
                "format": "path",
                "exists": True,
                "x-value": "PATH",
                "x-modes": ["train", "evaluate"],
                "description": "A folder that 'histpred labels' wrote, or a TSV: an id (gene_id or "
                "name of the annotation), then a column of 0, 1 or nothing for each mark.",
            },
            "sample": {
                "type": "string",
                "pattern": SAFE_NAME,
                "x-value": "NAME",
                "description": "What the results are called.",
                "help_text": "Default: the annotation's file name up to the first dot.",
            },
            "outdir": {
                "type": "string",
                "format": "directory-path",
                "default": "results",
                "x-value": "DIR",
                "x-made": True,
                "description": "Folder for the results.",
            },
            "tracks": {
                "type": "boolean",
                "default": False,
                "x-modes": ["predict"],
                "description": "Also tracks for genome browsers, as histpred tracks writes them.",
            },
        },
    ),
    "models": (
        "Bundles and encoders",
        "What embeds and scores the windows.",
        {
            "bundle": {
                "type": "string",
                "x-value": "NAME|DIR",
                "description": "The bundle that predicts or is evaluated, or whose encoder, chunks "
                "and windows a training takes: a shipped one or a folder.",
                "help_text": "Default: human-promoter for predict; for train, the encoder.",
            },
            "encoder": {
                "type": "string",
                "pattern": SAFE_NAME,
                "x-value": "NAME",
                "x-modes": ["train"],
                "description": "For training, in place of a bundle: a published encoder (histpred "
                "encoders list) or 'kmer'.",
                "help_text": "Default: kmer.",
            },
            "store": {
                "type": "string",
                "format": "directory-path",
                "x-value": "DIR",
                "x-made": True,
                "description": "Folder of embeddings that outlives the run: what it has is not "
                "computed again.",
                "help_text": "Default: in the work directory.",
            },
        },
    ),
    "windows": ("Rows and windows", "What is read from the annotation.", {}),
    "computing": (
        "Computing",
        "How the work is shared out; profiles choose where.",
        {
            "gpus": {
                "type": "integer",
                "minimum": 1,
                "x-value": "N",
                "description": "With -profile gpu: GPU tasks at once, on a machine with few GPUs.",
                "help_text": "Default: no limit.",
            },
            "queue": {
                "type": "string",
                "x-value": "NAME",
                "description": "With -profile slurm: queue or partition.",
                "help_text": "Default: the cluster's.",
            },
            "gpu_queue": {
                "type": "string",
                "x-value": "NAME",
                "description": "With -profile slurm,gpu: queue or partition of GPU tasks.",
                "help_text": "Default: that of all tasks.",
            },
            "gres": {
                "type": "string",
                "default": "gpu:1",
                "x-value": "GRES",
                "description": "With -profile slurm,gpu: what a GPU task asks for: gpu:1, "
                "gpu:a100:1, or shard:1 where the site lets tasks share a GPU.",
            },
            "cluster_options": {
                "type": "string",
                "x-value": "OPTIONS",
                "description": "More options for the cluster's submit command, as "
                "--cluster_options='--account=NAME'.",
            },
        },
    ),
    "training": ("Training", "For --mode train.", {}),
    "evaluation": ("Evaluation", "For --mode evaluate, and what follows a training.", {}),
    "other": (
        "Other",
        "Of the pipeline itself.",
        {
            "help": {
                "type": "boolean",
                "default": False,
                "description": "Show the parameters, and do nothing.",
            }
        },
    ),
}
COMPUTING = ("shard_bases", "device", "precision", "weights")


def command(verb: str) -> click.Command:
    """The click command of a verb."""
    return getattr(importlib.import_module(f"histpred.commands.{verb}"), verb)


def parameter_name(option: click.Option) -> str:
    """The long flag in snake case: `--mark-dimension` is `mark_dimension`."""
    return max(option.opts, key=len).lstrip("-").replace("-", "_")


def default_of(option: click.Option) -> str | int | float | bool | None:
    """What click takes if nothing is given; None for nothing, and for no names."""
    value = option.get_default(click.Context(click.Command("any")))
    if option.is_flag:
        return bool(value)
    return value if isinstance(value, (str, int, float)) else None


def property_of(option: click.Option) -> Property:
    """A click option as a property of the schema, without the verbs that take it."""
    kind = option.type
    types = (
        ("integer", click.types.IntParamType),
        ("number", click.types.FloatParamType),
        ("boolean", click.types.BoolParamType),
    )
    found: Property = {"type": next((name for name, of in types if isinstance(kind, of)), "string")}
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
        found["x-value"] = shown
    name = parameter_name(option)
    if name in STAGED:
        found["x-staged"] = True

    text, default_text = re.fullmatch(
        r"(.*?)\s*(?:\[default: (.*)\])?", option.help or "", flags=re.DOTALL
    ).groups()
    found["description"] = text or name.replace("_", " ").capitalize() + "."
    if default_text:
        found["help_text"] = f"Default: {default_text}."
    return found


def collect() -> tuple[dict[str, Property], list[str]]:
    """The parameters that are options of the command line, and what is said twice differently."""
    found: dict[str, Property] = {}
    verbs: dict[str, dict[str, str]] = defaultdict(dict)
    complaints = []
    for verb in VERBS:
        for option in command(verb).params:
            if not isinstance(option, click.Option):
                continue
            name = parameter_name(option)
            if name in LEFT_OUT or ONLY_OF.get(name, verb) != verb:
                continue
            says = property_of(option)
            if name in KNOWN:
                says["description"] = KNOWN[name]
            if found.setdefault(name, says) != says:
                complaints.append(f"--{name} is another in {verb} than before: {says}")
            verbs[name][verb] = max(option.opts, key=len)
    return {name: {**says, "x-histpred": verbs[name]} for name, says in found.items()}, complaints


def group_of(name: str, verbs: dict[str, str]) -> str:
    """The group of the schema to which an option belongs."""
    if name in COMPUTING:
        return "computing"
    if "scatter" in verbs:
        return "windows"
    return "training" if "train" in verbs else "evaluation"


def schema() -> dict[str, Any]:
    """The schema, as it is written."""
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
    """A value as Nextflow's configuration has it.

    >>> literal(None), literal(True), literal("it's")
    ('null', 'true', "'it\\\\'s'")
    """
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return "null" if value is None else str(value).lower()


def config(made: dict[str, Any]) -> str:
    """params.config for a schema."""
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
    """The two files' contents."""
    made = schema()
    return {SCHEMA: json.dumps(made, indent=4, ensure_ascii=False) + "\n", CONFIG: config(made)}


def main() -> int:
    """Write or check the files; 1 if something is to be mended."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; show what is old")
    check = parser.parse_args().check

    _, faults = collect()
    for path, text in texts().items():
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if not check:
            path.write_text(text, encoding="utf-8")
        elif before != text:
            name = str(path.relative_to(ROOT))
            faults += difflib.unified_diff(
                before.splitlines(), text.splitlines(), name, f"{name} (made now)", lineterm=""
            )
    print("\n".join(faults), end="\n" if faults else "", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
