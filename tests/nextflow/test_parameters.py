"""The pipeline's parameters: made from the command line's options, checked and used by Nextflow.

Most cases run together in one Nextflow, in a small script that calls the functions of
parameters.nf; both of Nextflow's parsers read it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

from histpred.cli import histpred
from histpred.commands.options import widths
from histpred.core.errors import UsageError
from histpred.encoders.chunks import parse_chunks
from histpred.genome.windows import parse_window
from support.command_line import ROOT
from support.nextflow import needs_nextflow, run_nextflow
from support.once import made_once
from support.scripts import load_script

FOLDER = ROOT / "nextflow" / "schema"
SCHEMA: dict[str, Any] = json.loads((FOLDER / "nextflow_schema.json").read_text(encoding="utf-8"))
PROPERTIES: dict[str, dict[str, Any]] = {
    name: says for group in SCHEMA["$defs"].values() for name, says in group["properties"].items()
}
DEFAULTS = {name: says.get("default") for name, says in PROPERTIES.items()}
VERBS = ("scatter", "predict", "embed", "train", "evaluate", "experiment", "variants")
ARGUMENTS = {"labels": __file__}  # must exist; other files are not read while options are parsed


def module() -> ModuleType:
    """Import nextflow/schema/make.py."""
    return load_script("nextflow/schema/make.py")


def verb_command(verb: str) -> click.Command:
    found = histpred.get_command(click.Context(histpred), verb)
    assert found is not None
    return found


def options(verb: str) -> dict[str, click.Option]:
    """Return the options of a verb by their long flag."""
    found = [option for option in verb_command(verb).params if isinstance(option, click.Option)]
    return {flag: option for option in found for flag in option.opts if flag.startswith("--")}


def parsed(verb: str, flags: list[str]) -> dict[str, Any]:
    """Return the values that click parses from flags, by long flag."""
    words = [
        ARGUMENTS.get(argument.name or "", "a")
        for argument in verb_command(verb).params
        if isinstance(argument, click.Argument)
    ]
    needed = [
        word
        for flag, option in options(verb).items()
        if option.required
        for word in (flag, "somewhere")
    ]
    # A command keeps the first --help that it makes. With the parent, it is the usual one.
    parent = click.Context(histpred, **histpred.context_settings)
    command = verb_command(verb)
    context = command.make_context(verb, [*words, *needed, *flags], parent=parent)
    return {flag: context.params[option.name] for flag, option in options(verb).items()}


# The output of make.py.


def test_schema_and_config_are_those_of_the_command_line_now() -> None:
    for path, text in module().texts().items():
        assert path.read_text(encoding="utf-8") == text, f"run {FOLDER / 'make.py'}"


def test_options_of_one_name_say_the_same_in_all_verbs() -> None:
    assert module().collect()[1] == []


def test_check_shows_what_would_change(tmp_path: Path) -> None:
    copy = tmp_path / "nextflow" / "schema"
    copy.mkdir(parents=True)
    (tmp_path / "nextflow" / "conf").mkdir()
    for name in ("make.py", "groups.py"):
        (copy / name).write_text((FOLDER / name).read_text())
    command = [sys.executable, copy / "make.py"]
    run = {"capture_output": True, "text": True, "cwd": ROOT, "env": {"PYTHONPATH": str(ROOT)}}
    subprocess.run(command, check=True, **run)
    assert subprocess.run([*command, "--check"], check=False, **run).returncode == 0

    schema = copy / "nextflow_schema.json"
    schema.write_text(schema.read_text().replace('"default": 64', '"default": 65'))
    done = subprocess.run([*command, "--check"], check=False, **run)
    assert done.returncode == 1
    assert '"default": 65' in done.stderr
    assert '"default": 64' in done.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_a_parameter_or_left_out_for_a_reason(verb: str) -> None:
    made = module()
    flags = {
        says["x-histpred"][verb]
        for says in PROPERTIES.values()
        if verb in says.get("x-histpred", {})
    }
    left_out = {f"--{name.replace('_', '-')}" for name in made.LEFT_OUT} | {
        f"--{name}" for name, only in made.ONLY_OF.items() if verb not in only
    }
    assert flags <= options(verb).keys()
    assert not flags & left_out
    assert options(verb).keys() <= flags | left_out | {"--help"}


def test_what_is_left_out_is_there() -> None:
    made = module()
    every = {flag[2:].replace("-", "_") for verb in VERBS for flag in options(verb)}
    assert {*made.LEFT_OUT, *made.KNOWN, *made.ONLY_OF} <= every


@pytest.mark.parametrize("verb", VERBS)
def test_parameters_are_called_as_their_flags(verb: str) -> None:
    named = {
        name: says["x-histpred"][verb]
        for name, says in PROPERTIES.items()
        if verb in says.get("x-histpred", {})
    }
    assert named
    assert {f"--{name.replace('_', '-')}" for name in named} == set(named.values())


@pytest.mark.parametrize("verb", VERBS)
def test_defaults_and_bounds_are_those_of_click(verb: str) -> None:
    standard = parsed(verb, [])
    for name, says in PROPERTIES.items():
        flag = says.get("x-histpred", {}).get(verb)
        if flag is None:
            continue
        assert (standard[flag] or None) == (says.get("default") or None), name
        for word in says.get("enum", ()):
            assert parsed(verb, [flag, word])[flag] == word
        least = says.get("minimum", says.get("exclusiveMinimum"))
        most = says.get("maximum", says.get("exclusiveMaximum"))
        for bound, fits, beyond in ((least, "minimum", -1), (most, "maximum", 1)):
            if bound is None:
                continue
            with pytest.raises(click.BadParameter):
                parsed(verb, [flag, str(bound + beyond)])
            if fits in says:
                assert parsed(verb, [flag, str(bound)])[flag] == bound
            else:
                with pytest.raises(click.BadParameter):
                    parsed(verb, [flag, str(bound)])
        if least is None and most is None and says["type"] in ("integer", "number"):
            assert parsed(verb, [flag, "-7"])[flag] == -7


def test_the_schema_is_in_nf_cores_form() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["allOf"] == [{"$ref": f"#/$defs/{group}"} for group in SCHEMA["$defs"]]
    for group in SCHEMA["$defs"].values():
        assert group.keys() == {"title", "type", "description", "properties"}
    for name, says in PROPERTIES.items():
        assert re.fullmatch("[a-z]+(_[a-z]+)*", name)
        assert says["type"] in ("string", "integer", "number", "boolean")
        assert says["description"].endswith(".")
        assert "[default" not in says["description"]
    assert sum(len(group["properties"]) for group in SCHEMA["$defs"].values()) == len(PROPERTIES)


# The work of parameters.nf: all cases in one Nextflow for each parser.

DRIVER = """
include { check   } from 'PARAMETERS'
include { flags   } from 'PARAMETERS'
include { given   } from 'PARAMETERS'
include { help    } from 'PARAMETERS'
include { samples } from 'PARAMETERS'

def outcome_of(parameters, schema, verbs) {
    try {
        def warnings = check(parameters, schema)
        def found = samples(parameters).collect { sample ->
            sample.collectEntries { name, value ->
                [name, value instanceof Path ? ['path', value.toString()] : value]
            }
        }
        return [
            warnings: warnings,
            samples: found,
            flags: verbs.collectEntries { verb -> [verb, flags(parameters, schema, verb)] },
            given: verbs.collectEntries { verb ->
                [verb, given(parameters, schema, verb)*.toString()]
            },
        ]
    }
    catch (Exception fault) {
        return [error: fault.message ?: fault.cause.message]
    }
}

workflow {
    def schema = new groovy.json.JsonSlurper().parse(file('SCHEMA'))
    if (file('cases.json').exists()) {
        def cases = new groovy.json.JsonSlurper().parse(file('cases.json'))
        def verbs = ['scatter', 'predict', 'embed', 'train', 'evaluate', 'variants']
        def outcomes = cases.collectEntries { name, one ->
            [name, outcome_of(params + one, schema, verbs)]
        }
        file('outcomes.json').text = groovy.json.JsonOutput.toJson(
            [help: help(schema), params: params + [:], outcomes: outcomes]
        )
    }
    else {
        check(params, schema).each { warning -> println(warning) }
    }
}
"""

Outcome = dict[str, Any]


def driver(folder: Path) -> None:
    """main.nf and nextflow.config in a folder."""
    script = DRIVER.replace("PARAMETERS", str(FOLDER / "parameters"))
    (folder / "main.nf").write_text(script.replace("SCHEMA", str(FOLDER / "nextflow_schema.json")))
    config = FOLDER.parent / "conf" / "params.config"
    (folder / "nextflow.config").write_text(f"includeConfig '{config}'\n")


def files(folder: Path) -> None:
    """What the cases name: inputs here, others below 'däta one', samplesheets beside them."""
    below = folder / "däta one"
    for parent in (folder, below, folder / "other"):
        (parent / "my bundle").mkdir(parents=True)
        for name in (
            "genes.gtf.gz",
            "genome.fa",
            "labels.tsv",
            "split.tsv",
            "it's.bed",
            "random",
            VCF,
        ):
            (parent / name).write_text("x")
    for name in ("gene s.gtf", "odd calls.vcf"):
        (folder / name).write_text("x")
    (folder / "odd").mkdir()
    for name in ODD:
        (folder / "odd" / f"{name}.bed").write_text("x")
    for name, sheet in EXPERIMENTS.items():
        (below / f"{name}.yaml").write_text(sheet.replace("FOLDER", str(folder)))
    for name, sheet in SHEETS.items():
        (below / f"{name}.csv").write_bytes(sheet if isinstance(sheet, bytes) else sheet.encode())


VCF = "calls.vcf.gz"
HEADER = "sample,annotation,fasta\n"
ROW = "one,genes.gtf.gz,genome.fa\n"
LABELLED = "sample,labels,bundle,annotation,fasta\n"
SHEETS: dict[str, str | bytes] = {
    "plain": HEADER + ROW,
    "bom-crlf-blank": f"\ufeff{HEADER}\n{ROW}\n  \ntwo,../genes.gtf.gz,genome.fa".replace(
        "\n", "\r\n"
    ),
    "quotes": '"sample", annotation ,fasta,bundle\n'
    '"a.b+c_d-9" , "it\'s.bed","genome.fa",my bundle\n',
    "labelled": LABELLED + "one,labels.tsv,my bundle,genes.gtf.gz,genome.fa\n"
    "two,labels.tsv,,genes.gtf.gz,genome.fa\n",
    "empty": "",
    "header-only": HEADER,
    "no-header": ROW + ROW,
    "semicolons": (HEADER + ROW).replace(",", ";"),
    "missing-column": "sample,annotation\none,genes.gtf.gz\n",
    "duplicate-column": "sample,annotation,fasta,fasta\none,genes.gtf.gz,genome.fa,genome.fa\n",
    "utf-16": (HEADER + ROW).encode("utf-16"),
    "latin-1": (HEADER + "one,g\xe8nes.gtf,genome.fa\n").encode("latin-1"),
    "header-quote": 'sample,"annotation,fasta\n' + ROW,
    "odd": HEADER + "one,../odd/a$b.bed,genome.fa\n",
    "many": HEADER
    + ROW
    + "one,genes.gtf.gz,genome.fa\n"  # 3: there already
    + "bad name,genes.gtf.gz,genome.fa\n"  # 4
    + "-x,genes.gtf.gz,genome.fa\n"  # 5
    + ",genes.gtf.gz,genome.fa\n"  # 6
    + "six,,genome.fa\n"  # 7
    + "seven,nowhere.gtf,my bundle\n"  # 8: not there; a folder
    + "eight,genes.gtf.gz\n"  # 9
    + "nine,genes.gtf.gz,genome.fa,\n"  # 10
    + 'ten,"genes.gtf.gz,genome.fa\n'  # 11
    + "..,genes.gtf.gz,genome.fa\n",  # 12
    "bundles": "sample,annotation,fasta,bundle\n"
    "one,genes.gtf.gz,genome.fa,no/such\n"
    "two,genes.gtf.gz,genome.fa,rm -rf\n"
    "three,genes.gtf.gz,genome.fa,human-promoter\n",
    "stated": "sample,labels,annotation,fasta,species,taxon_id\n"
    "one,labels.tsv,genes.gtf.gz,genome.fa,Homo sapiens,9606\n",
    "calls": "sample,annotation,fasta,vcf\none,genes.gtf.gz,genome.fa,../calls.vcf.gz\n",
    "named": "name,annotation,fasta,labels\none,genes.gtf.gz,genome.fa,labels.tsv\n",
    "long": HEADER + f'one,"{"x" * 100_000}",genome.fa\n',
}
EXPERIMENTS = {
    "experiment": "transcripts: [genome.fa]\ndefaults: {weights: my bundle}\nconfigurations:\n"
    "  - {name: a, weights: nowhere}\n  - {name: b, weights: my bundle/genome.fa}\n",
    "elsewhere": "transcripts: [../genome.fa]\n"
    "configurations: [{name: a, weights: FOLDER/odd/a$b.bed}]\n",
}

SINGLE = {"annotation": "genes.gtf.gz", "fasta": "genome.fa"}
TRAIN = {**SINGLE, "mode": "train", "labels": "labels.tsv"}
EVALUATE = {**TRAIN, "mode": "evaluate", "bundle": "human-promoter"}
VARIANTS = {**SINGLE, "mode": "variants", "vcf": VCF}
NASTY = 'it\'s $HOME `date` "x" \\ ; \n two é'

# Valid parameters: (parameters, the beginnings of the warnings).
GOOD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "single": (SINGLE, []),
    "some genes": ({**SINGLE, "genes": "XIST,MALAT1"}, []),
    "genes in a file": ({**SINGLE, "genes": "random"}, []),
    "a gene called as a folder": ({**SINGLE, "genes": "other"}, []),
    "regions": ({"fasta": "genome.fa", "regions": "chr22:20,100,000-20,104,000 22:5-9:-"}, []),
    "sequences": ({"fasta": "genome.fa", "sequences": True}, []),
    "whole contigs": ({"fasta": "genome.fa", "tile": 200}, []),
    "genes to train": ({**TRAIN, "genes": "XIST"}, ["--genes"]),
    "named": ({**SINGLE, "sample": "H1-K562.v2+", "bundle": "my bundle"}, []),
    "number as a name": ({**SINGLE, "sample": 7}, []),
    "train": (
        {
            **TRAIN,
            "biotype": "lncRNA,miRNA",
            "by": "gene",
            "chunks": "window:500",
            "window": "promoter:2000:500",
            "unstranded": "true",
            "strict": "false",
            "batch": "128",
            "epochs": 50,
            "dropout": "0.20",
            "learning_rate": "1e-3",
            "test_chromosomes": 21,
            "summary": NASTY,
            "split": "random",
            "loss": "nnpu",
            "prior": 0.1,
            "rows": "all",
            "seed": 0,
        },
        [],
    ),
    "files": (
        {**TRAIN, "split": "it's.bed", "loss": "nnpu", "prior": "däta one/split.tsv"}
        | {"weights": "my bundle"},
        [],
    ),
    "evaluate": ({**EVALUATE, "precision": "fp16", "seed": 3}, ["--precision has no effect"]),
    "no effect": (
        {
            **SINGLE,
            "epochs": 3,
            "labels": "labels.tsv",
            "chunks": "grid:100",
            "strict": True,
            "encoder": "kmer",
            "shard_bases": 5,
        },
        ["--labels", "--encoder", "--chunks", "--epochs"],
    ),
    "default given": ({**SINGLE, "epochs": "50", "learning_rate": "0.00020"}, []),
    **{
        f"sheet {name}": ({"input": f"däta one/{name}.csv"}, [])
        for name in ("plain", "bom-crlf-blank", "quotes")
    },
    "sheet labelled": (
        {"input": "däta one/labelled.csv", "mode": "evaluate", "bundle": "./my bundle"},
        [],
    ),
    "sheet to train": ({"input": "däta one/labelled.csv", "mode": "train"}, []),
    "transcripts": (
        {**TRAIN, "window": "spliced", "transcripts": "genome.fa, däta one/it's.bed"},
        [],
    ),
    "from a folder": ({**TRAIN, "from": "my bundle"}, []),
    "from a shipped bundle": ({**TRAIN, "from": "yeast", "model": "spectra"}, []),
    "from in another mode": ({**SINGLE, "from": "yeast"}, ["--from"]),
    "an experiment": ({**TRAIN, "mode": "experiment", "sheet": "däta one/experiment.yaml"}, []),
    "variants": (
        {
            **VARIANTS,
            "background": "5",
            "anyway": True,
            "marks": "H3K4me3",
            "genes": "random",
            "by": "transcript",
            "window": "body",
            "strict": True,
            "shard_alleles": 5,
        },
        [],
    ),
    "variants of a sheet": ({"input": "däta one/calls.csv", "mode": "variants"}, []),
    "variants in regions": (
        {"mode": "variants", "vcf": VCF, "fasta": "genome.fa", "regions": "chr22:5-9"},
        [],
    ),
    "variants without effect": (
        {**VARIANTS, "tile": 200, "sequences": "false", "shard_bases": 5, "epochs": 3},
        ["--tile", "--shard_bases", "--epochs"],
    ),
    "a VCF in another mode": (
        {**SINGLE, "vcf": VCF, "background": 5, "anyway": True},
        ["--vcf", "--background", "--anyway"],
    ),
    "sheet of genomes": ({"input": "däta one/named.csv", "mode": "train", "pool": "both"}, []),
    "pooled sheet": ({"input": "däta one/stated.csv", "mode": "train", "pool": "both"}, []),
}

# Names of files that bash would read in Nextflow's own script, and what a message says of them.
ODD = {"a$b": "'$'", "a*": "'*'", "a?": "'?'", "{a,b}": "'{'", "a\tb": "a control character"}

# Invalid parameters: texts in the lines of the message, in any order.
BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing": ({}, ["--annotation and --fasta are needed, or --input"]),
    "mode": ({**SINGLE, "mode": "score"}, ["--mode: 'score' is none of predict, train, evaluate"]),
    **{
        f"character {number}": (
            {**SINGLE, "annotation": f"odd/{name}.bed", "sample": "odd"},
            [f"/odd/{name}.bed has {said} in its path"],
        )
        for number, (name, said) in enumerate(ODD.items())
    },
    "character in a sheet": (
        {"input": "däta one/odd.csv"},
        ["a$b.bed has '$' in its path, which tasks cannot read; rename it"],
    ),
    "character in the store": ({**SINGLE, "store": "a$b"}, ["/a$b has '$' in its path"]),
    "a store on the web": (
        {**SINGLE, "store": "http://127.0.0.1:9/store"},
        ["--store: tasks share no folder where http://127.0.0.1:9/store is; omit --store"],
    ),
    "windows": ({**SINGLE, "window": "abc"}, ["--window: 'abc' is not KIND[:UP[:DOWN]]"]),
    "no tiles": ({**SINGLE, "window": "body", "tile": 200}, ["--tile: not together with --window"]),
    "formats": (
        {
            **TRAIN,
            "chunks": "500",
            "hidden": "64,x",
            "device": "gpu",
            "marks": ",",
            "biotype": ", ",
        },
        [
            "--chunks: '500' is not window:BP|grid:BP; see --help",
            "--hidden: '64,x' is not WIDTH[,WIDTH...]",
            "--device: 'gpu' is not auto|cpu|cuda|cuda:N|mps",
            "--marks: ',' is not NAME[,NAME...]",
            "--biotype: ', ' is not NAME[,NAME...]",
        ],
    ),
    "two kinds of rows": (
        {**SINGLE, "regions": "chr22:1-9", "sequences": True, "tile": 200},
        [
            "--regions: not together with --sequences",
            "--tile: not together with --sequences",
            "--annotation: not together with --regions",
        ],
    ),
    "regions to train": (
        {**TRAIN, "annotation": None, "regions": "chr22:1-9"},
        ["--annotation: needed with --mode train"],
    ),
    "a prior alone": ({**TRAIN, "prior": 0.5}, ["--prior: only with --loss nnpu"]),
    "no prior": ({**TRAIN, "loss": "nnpu"}, ["--prior: needed with --loss nnpu"]),
    "no share": ({**TRAIN, "loss": "nnpu", "prior": 5}, ["--prior: 5 is not a share above 0"]),
    "one large network": (
        {**TRAIN, "model": "deephistone", "members": 3, "mark_dimension": 4},
        ["--members: not together with --model deephistone", "--mark_dimension: not together"],
    ),
    "variants without a VCF": (
        {**SINGLE, "mode": "variants", "background": -1},
        ["--vcf: needed with --mode variants", "--background: -1 is less than 0, the least"],
    ),
    "a VCF alone": (
        {"mode": "variants", "vcf": VCF},
        ["--annotation and --fasta are needed, or --input"],
    ),
    "variants of a sheet without a column for them": (
        {"input": "däta one/plain.csv", "mode": "variants"},
        ["däta one/plain.csv:2: vcf: needed with --mode variants"],
    ),
    "a VCF that is not there": ({**VARIANTS, "vcf": "no.vcf"}, ["--vcf: there is no /"]),
    "a name from a VCF": (
        {**VARIANTS, "vcf": "odd calls.vcf"},
        ["with a letter or digit first (the name of --vcf): give --sample"],
    ),
    "half": ({"fasta": "genome.fa"}, ["--annotation: needed with --mode predict"]),
    "train without labels": ({**SINGLE, "mode": "train"}, ["--labels: needed with --mode train"]),
    "evaluate without all": (
        {**SINGLE, "mode": "evaluate"},
        ["--labels: needed with --mode evaluate", "--bundle: needed with --mode evaluate"],
    ),
    "two encoders": (
        {**TRAIN, "bundle": "human-promoter", "encoder": "kmer"},
        ["--bundle: not together with --encoder"],
    ),
    "sheet and files": (
        {**TRAIN, "input": "däta one/labelled.csv", "sample": "x", "vcf": VCF},
        [
            f"--{name}: not together with --input"
            for name in ("annotation", "fasta", "labels", "vcf", "sample")
        ],
    ),
    "not there": (
        {
            **TRAIN,
            "annotation": "a/b.gtf",
            "fasta": "my bundle",
            "labels": "*.tsv",
            "weights": "w",
            "split": "no/split.tsv",
            "bundle": "no/bundle",
        },
        [
            "--annotation: there is no /",
            "--fasta: /",
            "--labels: there is no /",
            "--weights: there is no /",
            "--split: there is no /",
            "--bundle: there is no /",
        ],
    ),
    "a bundle's name": ({**SINGLE, "bundle": "a b"}, ["--bundle: 'a b' is not of letters"]),
    "no such bundle": (
        {**SINGLE, "bundle": "human-promter"},
        ["--bundle: 'human-promter' is none of human-promoter, yeast; did you mean human-promoter"],
    ),
    "no such parent": (
        {**TRAIN, "from": "no/bundle", "encoder": "kmer", "chunks": "grid:5", "window": "body"},
        ["--from: there is no /"]
        + [
            f"--{n}: not together with --from, whose bundle"
            for n in ("encoder", "chunks", "window")
        ],
    ),
    "a parent that is not shipped": (
        {**TRAIN, "from": "yaest", "bundle": "yeast"},
        ["--from: 'yaest' is none of human-promoter, yeast", "--bundle: not together with --from"],
    ),
    "a parent and bundles": (
        {"input": "däta one/labelled.csv", "mode": "train", "from": "yeast"},
        ["labelled.csv:2: bundle: not together with --from"],
    ),
    "transcripts not there": (
        {**SINGLE, "transcripts": "genome.fa,no.fa"},
        ["--transcripts: there is no /"],
    ),
    "transcripts in a folder": ({**SINGLE, "transcripts": "other"}, ["is a folder, not a file"]),
    "two transcripts of one name": (
        {**SINGLE, "transcripts": "genome.fa,other/genome.fa"},
        ["files beside each other cannot all be called genome.fa"],
    ),
    "no transcripts": ({**SINGLE, "transcripts": ","}, ["--transcripts: no value is given"]),
    "an experiment with files elsewhere": (
        {**TRAIN, "mode": "experiment", "sheet": "däta one/elsewhere.yaml"},
        [
            "elsewhere.yaml names ../genome.fa, which is outside its folder: give an absolute path",
            "/odd/a$b.bed has '$' in its path",
        ],
    ),
    "no such encoder": ({**TRAIN, "encoder": "dnbert2"}, ["did you mean dnabert2?"]),
    "a bundle that is a file": ({**SINGLE, "bundle": "./genome.fa"}, ["--bundle: /"]),
    "sheet not there": ({"input": "no.csv"}, ["--input: there is no /"]),
    "sheet is a folder": ({"input": "my bundle"}, ["--input: /"]),
    "a scheme that is unknown": (
        {**SINGLE, "annotation": "nowhere://x/y.gtf"},
        ["--annotation: 'nowhere://x/y.gtf' cannot be read"],
    ),
    "types": (
        {
            **SINGLE,
            "batch": "ten",
            "epochs": 1.5,
            "seed": "1e3",
            "dropout": "a lot",
            "learning_rate": "nan",
            "block": "",
            "gpus": True,
            "hidden": False,
            "unstranded": "yes",
            "strict": 1,
            "marks": ["a", "b"],
            "device": {"cuda": 0},
            "by": "exon",
            "sample": "a b",
        },
        [
            "--batch: 'ten' is not a whole number",
            "--epochs: '1.5' is not a whole number",
            "--seed: '1e3' is not a whole number",
            "--dropout: 'a lot' is not a number",
            "--learning_rate: 'nan' is not a number",
            "--block: no value is given",
            "--gpus: no value is given",
            "--hidden: no value is given",
            "--unstranded: 'yes' is neither true nor false",
            "--strict: '1' is neither true nor false",
            "--marks: '[a, b]' is not one value",
            "--device: '{cuda=0}' is not one value",
            "--by: 'exon' is none of gene, transcript",
            "--sample: 'a b' is not of letters",
        ],
    ),
    "ranges": (
        {
            **SINGLE,
            "batch": 0,
            "dropout": "1",
            "learning_rate": 0,
            "seed": -1,
            "shard_bases": "-99999999999999999999",
        },
        [
            "--batch: 0 is less than 1, the least",
            "--dropout: 1 is not less than 1",
            "--learning_rate: 0 is not more than 0",
            "--seed: -1 is less than 0, the least",
            "--shard_bases: -99999999999999999999 is less than 1, the least",
        ],
    ),
    "names": (
        {
            **SINGLE,
            "shardBases": 5,
            "shard-bases": 5,
            "Annotation": "x",
            "epcohs": 3,
            "learning": 3,
            "x": 1,
            "fooBar": 1,
            "foo_bar": 1,
        },
        [
            "--shard-bases: write --shard_bases",
            "--Annotation: write --annotation",
            "--epcohs: no such parameter; did you mean --epochs?",
            "--learning: no such parameter; did you mean --learning_rate?",
            "--x: no such parameter; --help lists them all",
            "--foo-bar: no such parameter",
            "--foo_bar: no such parameter",
        ],
    ),
    "one name for two files": (
        {**TRAIN, "split": "split.tsv", "loss": "nnpu", "prior": "other/split.tsv"},
        ["files beside each other cannot all be called split.tsv"],
    ),
    "a pool without a sheet": ({**TRAIN, "pool": "both"}, ["--pool: needs --input"]),
    "a pool of several bundles": (
        {"input": "däta one/labelled.csv", "mode": "train", "pool": "both"},
        ["--pool: the samples have different bundles"],
    ),
    "a name from a file": (
        {**SINGLE, "annotation": "gene s.gtf"},
        ["with a letter or digit first (the name of --annotation): give --sample"],
    ),
}
SHEET_FAULTS: dict[str, list[str]] = {
    "empty": [": the column sample is missing", ": the column annotation is missing",
              ": the column fasta is missing", ": no samples"],
    "header-only": [":1: no samples"],
    "no-header": [":1: no such column: one | genes.gtf.gz | genome.fa;"],
    "semicolons": [":1: no such column: sample;annotation;fasta;"],
    "missing-column": [":1: the column fasta is missing"],
    "duplicate-column": [":1: the column fasta is there 2 times"],
    "utf-16": [":1: not text in UTF-8"],
    "latin-1": [":1: not text in UTF-8"],
    "header-quote": [":1: a quote is not closed"],
    "stated": [":1: no such column: species | taxon_id;"],
    "many": [
        ":3: sample: 'one' is that of ", ":4: sample: 'bad name' is not of letters",
        ":5: sample: '-x' is not of letters", ":6: sample: needed", ":7: annotation: needed",
        ":8: annotation: there is no /", ":8: fasta: /", ":9: 2 cells under 3 columns",
        ":10: 4 cells under 3 columns", ":11: a quote is not closed",
        ":12: sample: '..' is not of letters",
    ],
    "bundles": [":2: bundle: there is no /", ":3: bundle: 'rm -rf' is not of letters"],
    "long": [":2: annotation: "],
    "plain": [":2: labels: needed with --mode train"],
}  # fmt: skip
for name, lines in SHEET_FAULTS.items():
    path = f"däta one/{name}.csv"
    mode = "train" if name == "plain" else "predict"
    BAD[f"sheet {name}"] = ({"input": path, "mode": mode}, [path + line for line in lines])


@pytest.fixture(scope="module", params=["v1", "v2"])
def done(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """The folder of the cases, and the driver's output for them, once for all workers of xdist."""

    def run(folder: Path) -> None:
        driver(folder)
        files(folder)
        cases = {f"good {name}": case for name, (case, _) in GOOD.items()}
        cases |= {f"bad {name}": case for name, (case, _) in BAD.items()}
        (folder / "cases.json").write_text(json.dumps(cases))
        ran = run_nextflow(["run", "main.nf"], folder, {"NXF_SYNTAX_PARSER": request.param})
        assert ran.returncode == 0, ran.stdout + ran.stderr

    folder = made_once(tmp_path_factory, f"parameters-{request.param}", run)
    return folder, json.loads((folder / "outcomes.json").read_text())


def starts_nextflow(function: Any) -> Any:
    """Mark a test that starts a Java machine."""
    return pytest.mark.slow(pytest.mark.nextflow(needs_nextflow(function)))


@starts_nextflow
def test_nextflow_reads_the_schemas_defaults(done: tuple[Path, dict[str, Any]]) -> None:
    assert done[1]["params"] == DEFAULTS


@starts_nextflow
def test_what_is_wrong_is_all_said_at_once(done: tuple[Path, dict[str, Any]]) -> None:
    for name, (_, expected) in BAD.items():
        outcome = done[1]["outcomes"][f"bad {name}"]
        assert outcome.keys() == {"error"}, (name, outcome)
        first, *lines = outcome["error"].split("\n")
        assert first == f"{len(lines)} problem{'' if len(lines) == 1 else 's'} with the parameters:"
        assert len(lines) == len(expected), (name, lines)
        for said in expected:
            assert any(line.startswith("  ") and said in line for line in lines), (
                name,
                said,
                lines,
            )


GIVEN = ["", "abc", "context", "body:5", "context:5", "context:x", "promoter:1:2", "promoter:0:00"]
GIVEN += ["promoter:1", "interval:0:1", "interval", "spliced:1", "context:0", "context:123456789"]
GIVEN += ["context:10000000", "interval:10000001:1", "interval:1:10000001", "promoter:0010:2"]
CHUNKS = ["window:500", "grid:0", "grid:1", "500", "window:", "grid:-1", "grid:5000"]
WIDTHS = ["64", " 64, 32 ", "64,", "0", "064", "65536", "x", "64;32", "99999"]


@pytest.mark.parametrize(
    ("name", "texts", "parse"),
    [("window", GIVEN, parse_window), ("chunks", CHUNKS, parse_chunks), ("hidden", WIDTHS, widths)],
)
def test_a_pattern_takes_what_the_command_line_takes(
    name: str, texts: list[str], parse: Callable[[str], object]
) -> None:
    for text in texts:
        try:
            parse(text)
            taken = True
        except (UsageError, click.UsageError):
            taken = False
        matched = re.fullmatch(PROPERTIES[name]["pattern"], text) is not None
        assert matched or not taken, text  # what is right passes
        assert taken or not matched or text in ("65536", "99999"), text


@starts_nextflow
def test_what_is_in_order_passes(done: tuple[Path, dict[str, Any]]) -> None:
    for name, (case, warnings) in GOOD.items():
        outcome = done[1]["outcomes"][f"good {name}"]
        assert "error" not in outcome, (name, outcome)
        assert len(outcome["warnings"]) == len(warnings), (name, outcome["warnings"])
        for warning, start in zip(outcome["warnings"], warnings, strict=True):
            assert warning.startswith(f"{start} "), name
            assert warning.endswith(f"has no effect with --mode {case.get('mode', 'predict')}")


@starts_nextflow
def test_samples_are_paths_and_names(done: tuple[Path, dict[str, Any]]) -> None:
    folder, found = done
    below = folder / "däta one"

    def samples(name: str) -> list[dict[str, Any]]:
        return found["outcomes"][f"good {name}"]["samples"]

    def path(at: Path) -> list[str]:
        return ["path", str(at)]

    inputs = {"annotation": path(folder / "genes.gtf.gz"), "fasta": path(folder / "genome.fa")}
    there = {"annotation": path(below / "genes.gtf.gz"), "fasta": path(below / "genome.fa")}
    no = {"labels": None, "vcf": None, "bundle": None}
    assert samples("single") == [{"id": "genes", **inputs, **no}]
    assert samples("named") == [
        {"id": "H1-K562.v2+", **inputs, **no, "bundle": path(folder / "my bundle")}
    ]
    assert samples("number as a name")[0]["id"] == "7"
    assert samples("evaluate") == [
        {
            "id": "genes",
            **inputs,
            "labels": path(folder / "labels.tsv"),
            "vcf": None,
            "bundle": "human-promoter",
        }
    ]
    assert samples("sheet plain") == [{"id": "one", **there, **no}]
    assert samples("sheet bom-crlf-blank") == [
        {"id": "one", **there, **no},
        {"id": "two", **there, "annotation": inputs["annotation"], **no},
    ]
    assert samples("sheet quotes") == [
        {
            "id": "a.b+c_d-9",
            "annotation": path(below / "it's.bed"),
            "fasta": there["fasta"],
            "labels": None,
            "vcf": None,
            "bundle": path(below / "my bundle"),
        }
    ]
    labels = path(below / "labels.tsv")
    assert samples("from a folder")[0]["bundle"] == path(folder / "my bundle")
    assert samples("from a shipped bundle")[0]["bundle"] == "yeast"
    one = {"id": "one", **there, **no, "labels": labels, "bundle": path(below / "my bundle")}
    assert samples("sheet labelled") == [
        one,
        {**one, "id": "two", "bundle": path(folder / "my bundle")},  # --bundle, from here
    ]
    assert samples("sheet to train") == [one, {**one, "id": "two", "bundle": None}]
    calls = {"id": "calls", **inputs, **no, "vcf": path(folder / VCF)}
    assert samples("variants") == [calls]
    assert samples("variants in regions") == [{**calls, "annotation": None}]
    assert samples("variants of a sheet") == [{**calls, "id": "one", **there}]


def words(flags: str) -> list[str]:
    """Return flags as bash splits them."""
    ran = subprocess.run(
        ["bash", "-c", f"for word in {flags}; do printf '%s\\0' \"$word\"; done"],
        capture_output=True,
        check=True,
    )
    return ran.stdout.decode().split("\0")[:-1]


@starts_nextflow
def test_flags_are_what_differs_and_what_bash_passes_on(done: tuple[Path, dict[str, Any]]) -> None:
    def flags(name: str) -> dict[str, str]:
        return done[1]["outcomes"][f"good {name}"]["flags"]

    assert set(flags("single").values()) == {""}
    assert set(flags("default given").values()) == {""}
    rows = ["--biotype", "lncRNA,miRNA", "--by", "gene"]
    window = ["--window", "promoter:2000:500", "--unstranded"]
    train = flags("train")
    assert words(train["scatter"]) == ["--chunks", "window:500", *rows, *window]
    assert words(train["embed"]) == words(train["scatter"])
    assert words(train["predict"]) == [*rows, *window]
    assert words(train["evaluate"]) == [*rows, *window, "--rows", "all"]
    assert words(train["train"]) == [
        *("--chunks", "window:500", *rows, *window, "--test-chromosomes", "21"),
        *("--loss", "nnpu", "--prior", "0.1"),
        *("--batch", "128", "--learning-rate", "1e-3", "--summary", NASTY),
    ]
    assert words(flags("evaluate")["evaluate"]) == ["--seed", "3"]
    assert words(flags("variants")["variants"]) == [
        *("--marks", "H3K4me3", "--by", "transcript", "--window", "body"),
        *("--strict", "--background", "5", "--anyway"),
    ]
    assert words(flags("variants")["scatter"]) == [
        *("--by", "transcript", "--window", "body", "--genes", "given/random"),
        *("--strict", "--shard-alleles", "5"),
    ]
    assert words(flags("variants without effect")["variants"]) == []
    assert words(flags("evaluate")["embed"]) == []  # or it would embed what evaluate does not read
    assert words(flags("no effect")["scatter"]) == ["--strict", "--shard-bases", "5"]
    assert words(flags("no effect")["predict"]) == []


@starts_nextflow
def test_histpred_takes_the_flags(done: tuple[Path, dict[str, Any]]) -> None:
    took = parsed("train", words(done[1]["outcomes"]["good train"]["flags"]["train"]))
    assert took["--summary"] == NASTY
    assert took["--biotype"] == ("lncRNA", "miRNA")
    assert took["--learning-rate"] == 1e-3
    assert took["--test-chromosomes"] == ("21",)
    assert took["--unstranded"] is True
    for name in GOOD:
        for verb, flags in done[1]["outcomes"][f"good {name}"]["flags"].items():
            there = flags.replace("'given/my bundle'", "/")  # must exist
            parsed(verb, words(there.replace("given/random", str(done[0] / "random"))))


@starts_nextflow
def test_files_that_flags_name_are_staged(done: tuple[Path, dict[str, Any]]) -> None:
    folder, found = done
    outcome = found["outcomes"]["good files"]
    assert outcome["given"]["train"] == [
        str(folder / name) for name in ("my bundle", "it's.bed", "däta one/split.tsv")
    ]
    assert words(outcome["flags"]["train"]) == [
        *("--weights", "given/my bundle", "--split", "given/it's.bed"),
        *("--loss", "nnpu", "--prior", "given/split.tsv"),
    ]
    for verb in ("scatter", "embed", "evaluate"):
        assert outcome["given"][verb] == [str(folder / "my bundle")]
        assert words(outcome["flags"][verb]) == ["--weights", "given/my bundle"]
    outcome = found["outcomes"]["good transcripts"]
    for verb in ("scatter", "embed", "train", "evaluate"):
        assert outcome["given"][verb] == [
            str(folder / name) for name in ("genome.fa", "däta one/it's.bed")
        ]
        assert words(outcome["flags"][verb]) == [
            *("--window", "spliced", "--transcripts", "given/genome.fa"),
            *("--transcripts", "given/it's.bed"),
        ]
    # A file called 'random' is not what --split random means.
    assert found["outcomes"]["good train"]["given"]["train"] == []
    outcome = found["outcomes"]["good genes in a file"]
    assert outcome["given"].pop("scatter") == [str(folder / "random")]
    assert not any(outcome["given"].values())
    assert outcome["flags"]["scatter"] == "--genes given/random"
    outcome = found["outcomes"]["good a gene called as a folder"]
    assert (outcome["given"]["scatter"], outcome["flags"]["scatter"]) == ([], "--genes other")


@starts_nextflow
def test_only_scatter_chooses_rows(done: tuple[Path, dict[str, Any]]) -> None:
    for name, flag in (("some genes", "--genes XIST,MALAT1"), ("sequences", "--sequences")):
        flags = done[1]["outcomes"][f"good {name}"]["flags"]
        others = [verb for verb in VERBS[1:] if verb != "experiment"]
        assert flags == {"scatter": flag} | dict.fromkeys(others, "")
    assert done[1]["outcomes"]["good genes to train"]["flags"]["scatter"] == ""
    for name in ("regions", "sequences", "whole contigs"):
        (sample,) = done[1]["outcomes"][f"good {name}"]["samples"]
        assert (sample["id"], sample["annotation"]) == ("genome", None)


@starts_nextflow
def test_help_has_all_and_fits(done: tuple[Path, dict[str, Any]]) -> None:
    lines = done[1]["help"].split("\n")
    assert max(map(len, lines)) <= 100
    assert [line for line in lines if line != line.rstrip()] == []
    text = " ".join(done[1]["help"].split())
    for name, says in PROPERTIES.items():
        assert sum(line.startswith(f"  --{name} ") or line == f"  --{name}" for line in lines) == 1
        assert " ".join(says["description"].split()) in text
        if says.get("default"):
            assert f"[default: {says['default']}" in text
        if "enum" in says:
            assert f"--{name} {'|'.join(says['enum'])} " in text
    for group in SCHEMA["$defs"].values():
        assert f"{group['title']}: {group['description']}" in lines
    for mode in (
        "--mode train",
        "--mode evaluate",
        "--mode variants",
        "--input samples.csv",
        "sample,annotation,fasta",
    ):
        assert mode in text


@starts_nextflow
def test_from_the_command_line_with_a_params_file(tmp_path: Path) -> None:
    driver(tmp_path)
    (tmp_path / "genes.gtf").write_text("x")
    (tmp_path / "given.yml").write_text("strict: yes\nbatch: 1.5\nmarks: [a, b]\n")
    typed = ["--annotation", "genes.gtf", "--fasta=no.fa", "--shard-bases", "5", "--epochs"]
    typed += ["--dropout", "1e0", "--learning_rate", "0", "--unstranded=maybe", "--epoch", "3"]
    ran = run_nextflow(["run", "main.nf", "-params-file", "given.yml", *typed], tmp_path)
    assert ran.returncode == 1
    said = ran.stdout + ran.stderr
    for line in (
        "9 problems with the parameters:",
        "--shard-bases: write --shard_bases",
        "--epoch: no such parameter; did you mean --epochs?",
        f"--fasta: there is no {tmp_path}/no.fa",
        "--unstranded: 'maybe' is neither true nor false",
        "--marks: '[a, b]' is not one value",
        "--dropout: 1 is not less than 1",
        "--batch: '1.5' is not a whole number",
        "--learning_rate: 0 is not more than 0",
    ):
        assert line in said
