"""The pipeline, run by a real Nextflow, writes what the command line writes."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from histpred import __version__
from support.command_line import ROOT, contents, histpred, tables
from support.containers import built_image, podman
from support.crates import problems
from support.nextflow import needs_nextflow, run_nextflow
from support.pipeline import (
    DATA,
    INPUTS,
    PREDICTIONS,
    assert_published,
    assert_same,
    failed_samples,
    launch,
    said_last,
    succeed,
    tasks,
    wrapper,
)

pytestmark = [pytest.mark.slow, pytest.mark.nextflow, pytest.mark.timeout(600), needs_nextflow]

LABELS = DATA / "labels.tsv"
TWO_SHARDS = ("--shard_bases", "500000")


def trace_of(folder: Path) -> list[dict[str, str]]:
    newest = max((folder / "results" / "pipeline_info").glob("trace_*.txt"))
    with open(newest, encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def assert_report(found: Path, expected: Path, shards: int) -> None:
    """Compare reports: they differ only in what launched the run, and when and where it ran."""
    piped, plain = (page.read_text().splitlines() for page in (found, expected))
    (launched,) = [line for line in piped if line.startswith("<dt>pipeline</dt>")]
    assert f"histpred {__version__}, " in launched
    piped.remove(launched)
    differing = [pair for pair in zip(plain, piped, strict=True) if pair[0] != pair[1]]
    assert len(differing) == 1
    assert f"joined from {shards} shards" in differing[0][1]


def test_the_test_profile_writes_what_predict_writes(tmp_path: Path, plain: Path) -> None:
    said = succeed(tmp_path, "--tracks")
    assert tasks(said) == ["BUNDLE", "GATHER", *["PREDICT"] * 7, "SCATTER", "SUMMARY", "TRACKS"]
    assert_same(tmp_path / PREDICTIONS, plain)
    assert not (tmp_path / PREDICTIONS / "scores.tsv.gz").is_symlink()
    assert_report(tmp_path / PREDICTIONS / "report.html", plain / "report.html", shards=7)
    done = histpred("tracks", plain, INPUTS[1], "-o", tmp_path / "hub")
    assert done.code == 0, done.err
    assert contents(tmp_path / "results" / "tracks" / "chr22-20M") == contents(tmp_path / "hub")

    record = json.loads((tmp_path / PREDICTIONS / "run.json").read_text())
    assert [record[one]["path"] for one in ("annotation", "fasta")] == [*map(str, INPUTS)]

    launch = record["launch"]
    assert (launch["version"], launch["profile"]) == (__version__, "test")
    assert launch["parameters"]["tracks"] is True
    assert launch["parameters"]["annotation"] == str(INPUTS[0])  # not what the task read

    # The folder is a prediction like any other.
    again = histpred("predict", *INPUTS, "-o", tmp_path / PREDICTIONS)
    assert "nothing to do" in again.err

    results = tmp_path / "results"
    general = json.loads((results / "multiqc" / "histpred_general_mqc.json").read_text())
    assert general["data"]["chr22-20M"]["scored"] == 28
    versions = (results / "pipeline_info" / "versions.yml").read_text()
    assert re.fullmatch(rf"Nextflow: [\d.]+\nhistpred: {__version__}\n", versions)
    for name in ("report", "timeline", "dag"):
        assert list((results / "pipeline_info").glob(f"{name}_*.html"))
    assert_published(tmp_path, "predict")
    trace = trace_of(tmp_path)
    assert {row["status"] for row in trace} == {"COMPLETED"}
    assert all(row["peak_rss"] not in ("-", "") for row in trace)  # its metrics are whole


def entities_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the entities of a crate by @id; all that they refer to is there."""
    graph = json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]
    found = {entity["@id"]: entity for entity in graph}
    assert len(found) == len(graph)
    for entity in graph:
        for value in entity.values():
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, dict) and not one["@id"].startswith("https://w3id.org/ro/"):
                    assert one["@id"] in found
    return found


def run_of(entities: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return next(entity for entity in entities.values() if entity["@type"] == "CreateAction")


def assert_research_object(folder: Path) -> None:
    """Check the crate of a run of which only the sample `good` was finished, with tracks."""
    results = folder / "results"
    entities = entities_of(results)
    run = run_of(entities)
    used = [one["@id"] for one in run["object"]]
    licence = entities[entities["./"]["license"]["@id"]]
    assert licence["name"] == "not stated"
    assert "damaged (MIT)" in licence["description"]
    assert entities["#bundle-human-promoter"]["license"] == "MIT"
    bundle = f"{(folder / 'damaged').as_uri()}/"
    assert {*(path.as_uri() for path in INPUTS), bundle} <= {*used}
    parameters = {entities[one]["name"]: entities[one]["value"] for one in used if "#param" in one}
    given = {"shard_bases": "600000", "tracks": True, "skip_failed": True}
    assert parameters.items() >= given.items()
    made = [one["@id"] for one in run["result"]]
    assert made == ["predictions/good/", "tracks/good/", "multiqc/", "pipeline_info/"]
    assert all((results / one).is_dir() for one in made)
    assert run["error"] == "3 of 4 samples failed"
    pipeline = entities[run["instrument"]["@id"]]
    assert pipeline["softwareVersion"].startswith(__version__)
    assert entities[pipeline["softwareRequirements"]["@id"]]["name"] == "Nextflow"


def test_tiles_and_some_marks_in_shards_are_what_predict_writes(tmp_path: Path) -> None:
    """A shard holds runs of tiles; its work is that of all its tiles. Here are more than nine."""
    options = ("--tile", "200", "--marks", "H3K27ac,H3K4me3")
    done = histpred("predict", *INPUTS, "-o", tmp_path / "plain", *options)
    assert done.code == 0, done.err
    said = succeed(tmp_path, *options, "--shard_bases", "40000")
    assert_same(tmp_path / PREDICTIONS, tmp_path / "plain")
    lines = (tmp_path / PREDICTIONS / "ledger.tsv").read_text().splitlines()
    record = json.loads((tmp_path / PREDICTIONS / "run.json").read_text())
    assert record["identity"]["marks"] == ["H3K27ac", "H3K4me3"]
    assert len(lines) < record["result"]["scored"]  # one for each run of tiles
    names = " ".join(row["name"] for row in trace_of(tmp_path))
    sizes = [int(bases) for bases in re.findall(r":PREDICT \([^)]* (\d+) bp\)", names)]
    assert 9 < len(sizes) == tasks(said).count("PREDICT")
    assert max(sizes) <= 40_200


# What goes in, and how histpred predict is told the same.
ROWS: dict[str, tuple[list[str | Path], list[str | Path]]] = {
    "regions": (
        ["--regions", "chr22:20,100,000-20,104,000 chr22:20,300,001-20,300,200:-"],
        ["chr22:20,100,000-20,104,000", "chr22:20,300,001-20,300,200:-", INPUTS[1]],
    ),
    "all contigs": (["--tile", "2000"], [INPUTS[1], "--tile", "2000"]),
}


@pytest.mark.parametrize("kind", ROWS)
def test_other_rows_are_what_predict_writes(kind: str, tmp_path: Path) -> None:
    given, words = ROWS[kind]
    done = histpred("predict", *words, "-o", tmp_path / "plain")
    assert done.code == 0, done.err
    more = ["--fasta", INPUTS[1], "--sample", "some"]
    more += ["--shard_bases", "500000" if "--tile" in given else "40000"]
    # The test profile has an annotation of its own.
    said = succeed(tmp_path, *given, *more, profile="standard")
    assert tasks(said).count("PREDICT") > 1
    folder = tmp_path / "results" / "predictions" / "some"
    assert_same(folder, tmp_path / "plain")
    again = histpred("predict", *words, "-o", folder)
    assert "nothing to do" in again.err
    assert_same_inputs(folder, tmp_path / "plain")


def assert_same_inputs(found: Path, expected: Path) -> None:
    records = [json.loads((one / "run.json").read_text()) for one in (found, expected)]
    for name in ("annotation", "fasta", "marks"):
        assert records[0][name] == records[1][name]


def test_sequences_are_what_predict_writes(tmp_path: Path) -> None:
    fasta, sheet = tmp_path / "rna.fa", tmp_path / "samples.csv"
    fasta.write_text("".join(f">t{i}\n{'ACGUUGCA' * 90 * i}\n" for i in range(1, 9)))
    bundles = ("human-promoter", "yeast")
    rows = "".join(f"{bundle},,rna.fa,{bundle}\n" for bundle in bundles)
    sheet.write_text(f"sample,annotation,fasta,bundle\n{rows}")
    given = ("--input", sheet, "--sequences", "--shard_bases", "50000")
    said = succeed(tmp_path, *given, profile="standard")
    for bundle in bundles:
        words = (fasta, "--sequences", "--bundle", bundle)
        assert histpred("predict", *words, "-o", tmp_path / bundle).code == 0
        assert len(re.findall(rf"PREDICT \({bundle} ", said)) > 1
        folder = tmp_path / "results" / "predictions" / bundle
        assert_same(folder, tmp_path / bundle)
        assert "nothing to do" in histpred("predict", *words, "-o", folder).err


def transcripts_of(folder: Path) -> tuple[Path, Path]:
    """Two FASTA files with sequences that the genome does not have, each of some transcripts."""
    spliced = folder / "spliced.fa"
    assert histpred("windows", *INPUTS, "--window", "spliced", "-o", spliced).code == 0
    lines = spliced.read_text().splitlines()
    records = dict(zip((line[1:].split("::")[0] for line in lines[::2]), lines[1::2], strict=True))
    files = folder / "cdna.fa", folder / "ncrna.fa"
    for path, kind in zip(files, ("NM_", "NR_"), strict=True):
        own = {name: bases for name, bases in records.items() if name.startswith(kind)}
        # The complement is as long, and another sequence.
        swapped = {
            name: bases.translate(str.maketrans("ACGT", "TGCA")) for name, bases in own.items()
        }
        path.write_text("".join(f">{name} cdna\n{bases}\n" for name, bases in swapped.items()))
    return files


@pytest.mark.parametrize(
    ("options", "shard_bases"),
    [
        (["--by", "transcript"], "20000"),
        (["--by", "gene", "--genes", "MED15,MIR185,LINC00896"], "1000"),
    ],
    ids=["transcripts", "some genes"],
)
def test_sequences_of_transcripts_are_what_predict_reads(
    tmp_path: Path, options: list[str], shard_bases: str
) -> None:
    cdna, ncrna = transcripts_of(tmp_path)
    options = ["--window", "spliced", *options]
    words = [*INPUTS, *options, "--transcripts", cdna, "--transcripts", ncrna]
    out, joined = tmp_path / "out", tmp_path / "joined"
    assert histpred("predict", *words, "-o", out).code == 0
    assert histpred("predict", *INPUTS, *options, "-o", joined).code == 0
    assert tables(out) != tables(joined)
    given = [*options, "--transcripts", f"{cdna},{ncrna}", "--shard_bases", shard_bases]
    said = succeed(tmp_path, *given)
    assert tasks(said).count("PREDICT") > 1
    assert_same(tmp_path / PREDICTIONS, out)
    again = histpred("predict", *words, "-o", tmp_path / PREDICTIONS)
    assert "nothing to do" in again.err
    assert_same_inputs(tmp_path / PREDICTIONS, out)


def test_a_wrong_parameter_ends_the_run_before_any_task(tmp_path: Path) -> None:
    odd = tmp_path / "a $HOME; b.gtf.gz"
    shutil.copy(INPUTS[0], odd)
    wrong = ("--window", "abc", "--annotation", odd, "--mode", "train", "--batch", "ten")
    done = launch(tmp_path, *wrong)
    assert done.returncode != 0
    assert "--labels" in done.stdout
    assert "--batch: 'ten' is not a whole number" in done.stdout
    assert "--window: 'abc' is not KIND[:UP[:DOWN]]; see --help" in done.stdout + done.stderr
    assert f"{odd} has '$' in its path, which tasks cannot read" in done.stdout + done.stderr
    assert tasks(done.stdout) == []


def test_any_names_of_files_are_recorded_as_given(tmp_path: Path, plain: Path) -> None:
    """In one shard, under the strict parser.

    The paths need quotes. The names could collide with outputs, with one another or with other
    files of a task.
    """
    folder = tmp_path / 'it\'s a; "folder" & #1 [x]'
    annotation, fasta = (folder / name / "scatter" for name in "ab")
    for path, source in zip((annotation, fasta), INPUTS, strict=True):
        path.parent.mkdir(parents=True)
        shutil.copy(source, path)
    given = ("--annotation", annotation, "--fasta", fasta, "--shard_bases", str(10**9))
    said = succeed(tmp_path, *given, NXF_SYNTAX_PARSER="v2")
    assert tasks(said).count("PREDICT") == 1
    assert_same(tmp_path / PREDICTIONS, plain)
    record = json.loads((tmp_path / PREDICTIONS / "run.json").read_text())
    assert [record[one]["path"] for one in ("annotation", "fasta")] == [str(annotation), str(fasta)]


@pytest.mark.skipif(shutil.which("multiqc") is None, reason="needs multiqc on PATH")
def test_multiqc_makes_a_page_of_all_samples(tmp_path: Path) -> None:
    said = succeed(tmp_path, "--multiqc", *TWO_SHARDS)
    assert "MULTIQC" in tasks(said)
    page = (tmp_path / "results" / "multiqc" / "multiqc_report.html").read_text()
    assert "chr22-20M" in page
    found = tmp_path / "results" / "multiqc" / "multiqc_data" / "multiqc_general_stats.txt"
    assert "chr22-20M\t28" in found.read_text()
    assert "MultiQC: 1" in (tmp_path / "results/pipeline_info/versions.yml").read_text()


def test_stubs_run_under_the_strict_parser(tmp_path: Path) -> None:
    said = succeed(
        tmp_path, "-stub-run", "--mode", "train", "--labels", LABELS, NXF_SYNTAX_PARSER="v2"
    )
    assert tasks(said) == ["BUNDLE", "EMBED", "EMBED", "EVALUATE", "SCATTER", "SUMMARY", "TRAIN"]


def test_it_runs_from_the_address_of_a_repository(tmp_path: Path) -> None:
    repository = tmp_path / "histpred.git"
    cloned = subprocess.run(["git", "clone", "-q", "--bare", ROOT, repository], check=False)
    if cloned.returncode:
        pytest.skip("needs a checkout with its history")
    git = ["git", "-C", repository]
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    subprocess.run([*git, "update-ref", "refs/heads/main", commit.strip()], check=True)
    subprocess.run([*git, "symbolic-ref", "HEAD", "refs/heads/main"], check=True)

    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = run_nextflow(
        ["run", repository.as_uri(), "-profile", "test", "-stub-run"],
        cwd=tmp_path,
        env={"NXF_OFFLINE": "false", "PATH": path, "NXF_HOME": str(tmp_path / "home")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUMMARY" in tasks(done.stdout)
    crate = (tmp_path / "results" / "ro-crate-metadata.json").read_text()
    assert commit.strip() in crate


def test_stubs_of_an_experiment_run_under_the_strict_parser(tmp_path: Path) -> None:
    more = ["--labels", LABELS, "--sheet", DATA / "smoke.yaml"]
    said = succeed(tmp_path, "-stub-run", "--mode", "experiment", *more, NXF_SYNTAX_PARSER="v2")
    assert tasks(said) == ["CONFIGURATION", "EXPERIMENT", "PLAN"]


def test_an_experiment_is_what_the_command_writes(tmp_path: Path) -> None:
    """Weights, transcripts and priors lie beside the sheet, or elsewhere under an absolute path.

    Two configurations fail, since they have no weights: the report says so in both.
    """
    pytest.importorskip("torch", reason="needs the extra train")
    from support.rnafm import random_state, write_official

    folder, elsewhere = tmp_path / "my sheet", tmp_path / "elsewhere"
    for path in (folder / "weights", elsewhere):
        path.mkdir(parents=True)
        write_official(path, random_state())
    transcripts_of(folder)
    sheet, genomes = folder / "sheet.yaml", tmp_path / "genomes.csv"
    sheet.write_text(
        "transcripts: [cdna.fa, ./ncrna.fa]\n"
        "defaults: {encoder: rnafm, weights: weights, chunks: window:1000, window: spliced,"
        " epochs: 1, hidden: [4], by: gene}\n"
        f"configurations:\n  - {{name: a}}\n  - {{name: b, weights: {elsewhere}}}\n"
        "  - {name: c, encoder: kmer, weights: null, chunks: null, mark_dimension: 2}\n"
        "  - {name: lost, weights: weights/nowhere}\n"
        "  - {name: d, loss: nnpu, prior: p/priors.tsv}\n"
        f"  - {{name: gone, weights: {tmp_path}/nowhere}}\n"
    )
    (folder / "p").mkdir()
    (folder / "p" / "priors.tsv").write_text("mark\tprior\nH3K4me3\t0.99\nH3K27me3\t0.99\n")
    genomes.write_text(
        f"name,annotation,fasta,labels\nchr22-20M,{','.join(map(str, [*INPUTS, LABELS]))}\n"
    )
    succeed(tmp_path, "--mode", "experiment", "--labels", LABELS, "--sheet", sheet)
    out = tmp_path / "plain"
    command = [sys.executable, "-m", "histpred", "experiment", sheet, genomes, "-o", out]
    done = subprocess.run([*command, "-t", "2"], check=False, capture_output=True, cwd=ROOT)
    assert done.returncode == 1
    record = json.loads((out / "experiment.json").read_text())
    assert record["missing"] == {
        "lost": "no weights at weights/nowhere, which the sheet names",
        "gone": f"no weights at {tmp_path}/nowhere, which the sheet names",
    }
    shutil.rmtree(out / "kept", ignore_errors=True)
    assert contents(tmp_path / "results" / "experiment") == contents(out)
    assert {path.name for path in folder.iterdir()} <= {
        *(
            "weights",
            "p",
            "cdna.fa",
            "ncrna.fa",
            "spliced.fa",
            "spliced.fa.ledger.tsv",
            "sheet.yaml",
        )
    }


def test_the_report_shows_what_speaks_for_a_call_wherever_the_genome_is(
    tmp_path: Path, plain: Path
) -> None:
    genome = tmp_path / "genome.fa.gz"
    shutil.copy(INPUTS[1], genome)
    tomorrow = time.time() + 86_400
    os.utime(genome, (tomorrow, tomorrow))  # newer than the prediction: not what it read
    out = tmp_path / PREDICTIONS
    given = ("--fasta", genome, *TWO_SHARDS)
    assert "GATHER" in tasks(succeed(tmp_path, *given))
    strips = re.findall(r'<div class="strip">.*', (plain / "report.html").read_text())
    assert re.findall(r'<div class="strip">.*', (out / "report.html").read_text()) == strips != []
    assert_same(out, plain)
    assert histpred("report", out, "-o", tmp_path / "page.html").code == 0
    assert '<div class="strip">' not in (tmp_path / "page.html").read_text()
    assert tasks(succeed(tmp_path, *given, "-resume")) == ["BUNDLE"]


def test_after_a_killed_task_resume_goes_on(tmp_path: Path, plain: Path) -> None:
    # Shard 3 is killed each time, retries and all.
    bin_folder = wrapper(
        tmp_path / "killed", '[[ "$*" != "predict shard/0003.tsv"* ]] || kill -9 $$'
    )
    done = launch(tmp_path, first=str(bin_folder))
    assert done.returncode != 0
    assert "exit status (137)" in done.stdout
    assert not (tmp_path / "results" / "predictions").exists()
    assert sum(row["status"] == "FAILED" for row in trace_of(tmp_path)) == 3

    said = succeed(tmp_path, "-resume")
    assert tasks(said) == ["BUNDLE", "GATHER", "PREDICT", "SUMMARY"]
    assert tasks(said, "Cached") == [*["PREDICT"] * 6, "SCATTER"]
    assert_same(tmp_path / PREDICTIONS, plain)

    shutil.rmtree(tmp_path / "work" / "histpred")  # the store, which no finished task needs
    said = succeed(tmp_path, "-resume")
    assert tasks(said) == ["BUNDLE"]
    assert_same(tmp_path / PREDICTIONS, plain)


def test_after_a_killed_launcher_resume_goes_on(tmp_path: Path, plain: Path) -> None:
    to_java = (
        "pid=$$\n"
        'until [ "$(ps -o comm= -p $pid)" = java ]; do\n'
        "    pid=$(ps -o ppid= -p $pid | tr -d ' ')\n"
        "    [ $pid -gt 1 ] || exit 1\n"
        "done\n"
    )
    third = f'if [[ "$*" = "predict shard/0003.tsv"* ]]; then\n{to_java}kill -9 $pid\nfi'
    done = launch(tmp_path, first=str(wrapper(tmp_path / "killing", third)))
    assert done.returncode in (-9, 137)
    assert not (tmp_path / "results" / "predictions").exists()

    said = succeed(tmp_path, "-resume")
    assert "SCATTER" in tasks(said, "Cached")
    assert_same(tmp_path / PREDICTIONS, plain)


def test_another_histpred_than_the_pipeline_s_is_refused(tmp_path: Path) -> None:
    old = wrapper(tmp_path / "old", 'if [ "$1" = --version ]; then echo histpred 0.0.9; exit; fi')
    done = launch(tmp_path, first=str(old))
    assert done.returncode != 0
    assert f"this is the pipeline of histpred {__version__}, the tasks have" in done.stdout


def test_inputs_may_be_on_a_web_server_and_a_task_without_memory_is_tried_again(
    tmp_path: Path, plain: Path
) -> None:
    """A web server is a file system that is not POSIX, as object stores are."""
    second = '[[ "$*" = "predict shard/0002.tsv"* ]]'
    once = f"if {second} && mkdir {tmp_path}/once 2>/dev/null; then exit 75; fi"
    short = wrapper(tmp_path / "short", once)
    handler = partial(SimpleHTTPRequestHandler, directory=str(DATA))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        annotation, fasta = (f"{address}/{path.name}" for path in INPUTS)
        try:
            given = ("--annotation", annotation, "--fasta", fasta, *TWO_SHARDS)
            said = succeed(tmp_path, *given, first=str(short))
        finally:
            server.shutdown()
    assert "Execution is retried (1)" in said
    assert_same(tmp_path / PREDICTIONS, plain)
    record = json.loads((tmp_path / PREDICTIONS / "run.json").read_text())
    assert [record[one]["path"] for one in ("annotation", "fasta")] == [annotation, fasta]
    used = run_of(entities_of(tmp_path / "results"))["object"]
    assert {annotation, fasta} <= {one["@id"] for one in used}


@pytest.mark.parametrize("mode", ["predict", "train"])
def test_without_a_shared_folder_each_task_works_alone(
    tmp_path: Path, plain: Path, mode: str
) -> None:
    """As with a work folder in an object store, which needs a network."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("nextflow", "nextflow.config", "test-data"):
        (project / name).symlink_to(ROOT / name)
    text = (ROOT / "main.nf").read_text(encoding="utf-8")
    decision = "is_local(workflow.workDir) ? kept_in(store) : []"
    assert decision in text
    (project / "main.nf").write_text(text.replace(decision, "[]"), encoding="utf-8")
    options = ["-stub-run", "--mode", "train", "--labels", LABELS] if mode == "train" else []
    said = succeed(tmp_path, *options, *TWO_SHARDS, main=project / "main.nf")
    if mode == "predict":
        assert_same(tmp_path / PREDICTIONS, plain)
    else:  # in a stub, the encoder is a slow one
        assert tasks(said) == ["BUNDLE", "EVALUATE", "SCATTER", "SUMMARY", "TRAIN"]
    assert not (tmp_path / "work" / "histpred").exists()


def test_nextflow_s_linter_finds_nothing(tmp_path: Path) -> None:
    linted = [ROOT / name for name in ("main.nf", "nextflow.config", "nextflow")]
    done = run_nextflow(["lint", *linted], cwd=tmp_path)
    assert done.returncode == 0
    assert re.search(r"\d+ files had no errors", done.stdout)
    assert re.findall(r"(?:nf|config):\d+:\d+: .*", done.stdout) == []  # warnings


# The strict parser would fetch the plugins. The linter is that parser and reads these files too.
def test_profiles_of_clouds_are_read(tmp_path: Path) -> None:
    config = run_nextflow(["config", ROOT, "-show-profiles", "-flat"], cwd=tmp_path)
    assert config.returncode == 0, config.stdout + config.stderr
    executors = {"awsbatch": "awsbatch", "googlebatch": "google-batch", "kubernetes": "k8s"}
    for profile, executor in executors.items():
        assert f"profiles.{profile}.process.executor = '{executor}'" in config.stdout


@pytest.mark.parametrize("parser", ["v1", "v2"])
def test_what_a_gpu_task_gets(tmp_path: Path, parser: str) -> None:
    config = run_nextflow(
        ["config", ROOT, "-profile", "slurm,docker,gpu", "-flat"],
        cwd=tmp_path,
        env={"NXF_SYNTAX_PARSER": parser},
    ).stdout
    for setting in (
        "process.'withLabel:process_gpu'.time = { 12.h * task.attempt }",
        "process.'withLabel:process_gpu'.memory = { 16.GB * task.attempt }",
        "process.'withLabel:process_high'.memory = { 32.GB * task.attempt }",
        "params.shard_bases = 400000000",
        "process.executor = 'slurm'",
        "process.'withLabel:process_gpu'.accelerator = 1",
    ):
        assert setting in config, config


def test_what_the_strict_parser_would_ignore_is_refused(tmp_path: Path) -> None:
    """Predictions went to `results`, and tasks to the default queue, whatever was given."""
    given = ("--outdir", "elsewhere", "--queue", "long", "--tile", "200")
    done = launch(tmp_path, *given, NXF_SYNTAX_PARSER="v2")
    assert done.returncode != 0
    assert "ignores --outdir, --queue under NXF_SYNTAX_PARSER=v2" in done.stdout + done.stderr
    assert tasks(done.stdout) == []


def test_inspect_lists_the_images_and_no_failure(tmp_path: Path) -> None:
    done = run_nextflow(["inspect", ROOT / "main.nf", "-profile", "test,docker"], cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    listed = json.loads(done.stdout)["processes"]
    images = {one["name"]: one["container"] for one in listed}
    assert {path.stem.upper() for path in (ROOT / "nextflow" / "modules").iterdir()} == {*images}
    assert images["PREDICT"] == images["BUNDLE"] == f"histpred:{__version__}"
    assert images["EMBED"] == f"histpred:{__version__}-train"
    assert not (tmp_path / "results" / "pipeline_info" / "failed_samples.tsv").exists()


def test_another_bundle_is_not_served_from_the_cache(tmp_path: Path) -> None:
    """With some genes, called at another precision."""
    bundle = tmp_path / "my bundle"
    shutil.copytree(ROOT / "histpred" / "bundle" / "shipped" / "human-promoter", bundle)
    chosen = ("--bundle", bundle, "--genes", "MED15,MIR185,LINC00896")
    given = (*chosen, "--call_precision", "0.9", "--shard_bases", "40000")
    out = tmp_path / "plain"
    assert histpred("predict", *INPUTS, *chosen, "--call-precision", "0.9", "-o", out).code == 0
    assert tasks(succeed(tmp_path, *given)).count("PREDICT") == 3
    assert_same(tmp_path / PREDICTIONS, out)
    assert_same_inputs(tmp_path / PREDICTIONS, out)
    before = os.stat(bundle)
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["marks"][0]["threshold"] = 0.0
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    os.utime(bundle, ns=(before.st_atime_ns, before.st_mtime_ns))  # as a folder, it is as it was

    said = succeed(tmp_path, *given, "-resume")
    assert tasks(said).count("PREDICT") == 3


def test_wrong_inputs_end_the_run_with_their_message(tmp_path: Path) -> None:
    bed = tmp_path / "genes.bed"
    bed.write_text("chr1\t100\t200\ta\t0\t+\n")
    done = launch(tmp_path, "--annotation", bed)
    assert done.returncode != 0
    assert "none of its contigs is in genome/genome.fa.gz: chr1 here, chr22 there" in done.stdout
    assert "Run the same command with -resume" in done.stdout
    assert not (tmp_path / "results" / "predictions").exists()


# One good sample, one whose annotation is of another assembly, and one whose bundle is damaged.
def three_samples(folder: Path) -> Path:
    (folder / "bad.bed").write_text("chr1\t100\t200\ta\t0\t+\n")
    shutil.copytree(ROOT / "histpred" / "bundle" / "shipped" / "human-promoter", folder / "damaged")
    with open(folder / "damaged" / "scorer.onnx", "ab") as scorer:
        scorer.write(b"x")
    sheet = folder / "samples.csv"
    sheet.write_text(
        "sample,annotation,fasta,bundle\n"
        f"bad,bad.bed,{INPUTS[1]},\n"
        f"good,{INPUTS[0]},{INPUTS[1]},\n"
        f"damaged,{INPUTS[0]},{INPUTS[1]},damaged\n"
    )
    return sheet


def assert_only_good(folder: Path, plain: Path, said: str, bad: tuple[str, ...]) -> list[str]:
    """Check results and last words of a run of which only the sample `good` was finished.

    Return the lines on the others.
    """
    assert_same(folder / "results" / "predictions" / "good", plain)
    assert [path.name for path in (folder / "results" / "predictions").iterdir()] == ["good"]
    first, *lines, others, again = said_last(said)
    table = failed_samples(folder)
    assert first.startswith(f"{len(bad)} of {len(bad) + 1} samples failed")
    assert tuple(table) == bad
    assert lines == [f"  {row['sample']}: {row['message']}" for row in table.values()]
    assert others == "The results of the other samples are in results."
    assert "-resume" in again
    assert "Results are in" not in said
    return lines


def assert_told_why(folder: Path, lines: list[str]) -> None:
    """Check what is said of the samples of `three_samples`, from the folders of their tasks."""
    said = "\n".join(lines)
    assert f"{folder}/bad.bed: none of its contigs is in {INPUTS[1]}: chr1 here" in said
    assert f"{folder}/damaged/scorer.onnx: altered or damaged" in said
    table = failed_samples(folder)
    assert (Path(table["bad"]["folder"]) / ".command.err").exists()
    assert (table["bad"]["task"], table["damaged"]["task"]) == ("SCATTER", "BUNDLE")


def test_bad_samples_do_not_cost_the_others(tmp_path: Path, plain: Path) -> None:
    """Beside those of `three_samples`, one of which a task is killed each time."""
    sheet = three_samples(tmp_path)
    shutil.copy(INPUTS[1], tmp_path / "killed.fa.gz")
    with sheet.open("a") as rows:
        rows.write(f"killed,{INPUTS[0]},killed.fa.gz,\n")
    body = '[[ "$*" != "predict shard/0002.tsv genome/killed"* ]] || kill -9 $$'
    options = ["--skip_failed", "--tracks", "--shard_bases", "600000"]
    done = launch(
        tmp_path, "--input", sheet, *options,
        profile="standard", first=str(wrapper(tmp_path / "killing", body)),
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    lines = assert_only_good(tmp_path, plain, done.stdout, ("bad", "damaged", "killed"))
    assert_told_why(tmp_path, lines)
    assert lines[2] == "  killed: killed by signal 9, most often for memory"
    names = [row["name"] for row in trace_of(tmp_path) if "killed" in row["name"]]
    assert len(names) == 5  # SCATTER, two shards, and two retries
    assert_research_object(tmp_path)
    # The last: it skips the test if no registry has the validator.
    results = tmp_path / "results"
    assert problems(results) == []
    crate = results / "ro-crate-metadata.json"
    crate.write_text(crate.read_text().replace('"license": {', '"licence": {'))
    assert "license" in " ".join(problems(results))


@pytest.mark.parametrize(
    ("options", "site", "code"),
    [
        ([], "process { withName: 'SCATTER|BUNDLE' { errorStrategy = 'ignore' } }", 1),
        (["--skip_failed"], "workflow.failOnIgnore = false\ntrace.enabled = false", 0),
    ],
)
def test_a_site_decides_what_bad_samples_are(
    tmp_path: Path, plain: Path, options: list[str], site: str, code: int
) -> None:
    sheet = three_samples(tmp_path)
    (tmp_path / "site.config").write_text(site)
    options = [*options, "-c", "site.config", "--shard_bases", "600000"]
    done = launch(tmp_path, "--input", sheet, *options, profile="standard")
    assert done.returncode == code, done.stdout
    lines = assert_only_good(tmp_path, plain, done.stdout, ("bad", "damaged"))
    if "trace" not in site:  # it names the folders with the messages
        assert_told_why(tmp_path, lines)


def test_a_failed_sample_that_was_corrected_leaves_no_table(tmp_path: Path, plain: Path) -> None:
    """The corrected sheet has two samples, one of them in a folder whose name needs quotes."""
    sheet = three_samples(tmp_path)
    options = ["--input", sheet, "--shard_bases", "600000"]
    done = launch(tmp_path, *options, profile="standard")
    assert done.returncode == 1
    assert "Failed: see the error above." in done.stdout
    assert failed_samples(tmp_path)
    genes = tmp_path / "my files" / "a gene's.bed"
    genes.parent.mkdir()
    shutil.copy(DATA / "genes.bed", genes)
    sheet.write_text(
        "sample,annotation,fasta,bundle\n"
        f"good,{INPUTS[0]},{INPUTS[1]},\n"
        f'transcripts,"my files/{genes.name}",{INPUTS[1]},human-promoter\n'
    )
    done = launch(tmp_path, *options, "-resume", profile="standard")
    assert done.stdout.splitlines()[-1] == "Results are in results."
    assert not (tmp_path / "results" / "pipeline_info" / "failed_samples.tsv").exists()
    out = tmp_path / "plain"
    assert histpred("predict", genes, INPUTS[1], "-o", out).code == 0
    for sample, expected in (("good", plain), ("transcripts", out)):
        assert_same(tmp_path / "results" / "predictions" / sample, expected)


def test_training_makes_the_bundle_that_train_makes_and_goes_on_from_it(tmp_path: Path) -> None:
    """With sequences of transcripts, so that all tasks read them."""
    pytest.importorskip("torch", reason="needs the extra train")
    files = transcripts_of(tmp_path)
    given = [word for path in files for word in ("--transcripts", path)]
    piped = ["--labels", LABELS, "--transcripts", ",".join(map(str, files))]
    trained = tmp_path / "results" / "bundles" / "chr22-20M"

    def train(out: Path, *options: str | Path) -> bytes:
        """The scorer that the command makes, with as many threads as the task has.

        They decide on the last digits.
        """
        command = [sys.executable, "-m", "histpred", "train", *INPUTS, LABELS, "-o", out, *given]
        subprocess.run([*command, "-t", "2", *options], check=True, capture_output=True, cwd=ROOT)
        return (out / "scorer.onnx").read_bytes()

    options = ["--hidden", "16", "--epochs", "2", "--window", "spliced", "--by", "gene"]
    said = succeed(tmp_path, "--mode", "train", *piped, *options)
    assert tasks(said) == ["BUNDLE", "EVALUATE", "SCATTER", "SUMMARY", "TRAIN"]
    assert histpred("bundle", "verify", trained).code == 0
    assert_published(tmp_path, "train")
    assert (trained / "scorer.onnx").read_bytes() == train(tmp_path / "chr22-20M", *options)

    parent = tmp_path / "parent"
    shutil.copytree(trained, parent)
    options = ["--epochs", "2", "--by", "gene", "--seed", "1", "--from", parent]
    said = succeed(tmp_path, "--mode", "train", *piped, *options)
    assert tasks(said) == ["BUNDLE", "EVALUATE", "SCATTER", "SUMMARY", "TRAIN"]
    manifest = json.loads((trained / "bundle.json").read_text())
    assert manifest["training"]["parent"]["name"] == "chr22-20M"
    assert (trained / "scorer.onnx").read_bytes() == train(tmp_path / "on/chr22-20M", *options)

    said = succeed(
        tmp_path, "--mode", "evaluate", *piped, "--bundle", parent, NXF_SYNTAX_PARSER="v2"
    )
    assert tasks(said) == ["BUNDLE", "EVALUATE", "SCATTER", "SUMMARY"]


def test_a_pool_is_the_bundle_that_train_makes_of_the_sheet(tmp_path: Path) -> None:
    """The genomes have the same contigs, genes and names of files."""
    pytest.importorskip("torch", reason="needs the extra train")
    sheet = tmp_path / "genomes.csv"
    files = ",".join(map(str, (*INPUTS, LABELS)))
    sheet.write_text(
        "sample,annotation,fasta,labels,species\n"
        f"one,{files},Homo sapiens\n"
        f'"two",{files},"Mus, musculus"\n'
    )
    options = ["--hidden", "16", "--epochs", "2", "--window", "promoter"]
    given = ["--mode", "train", "--input", sheet, "--pool", "both", *options]
    done = launch(tmp_path, *given, profile="standard")
    assert done.returncode == 0, done.stdout + done.stderr
    assert tasks(done.stdout) == ["BUNDLE", "EVALUATE", "SCATTER", "SCATTER", "SUMMARY", "TRAIN"]
    (script,) = [
        text
        for path in (tmp_path / "work").glob("*/*/.command.sh")
        if "histpred train" in (text := path.read_text())
    ]
    threads = re.findall(r"-t \d+", script)[0].split()  # they decide on the last digits
    results = tmp_path / "results"
    for verb, folder, arguments in (
        ("train", "bundles", [sheet, *options]),
        ("evaluate", "evaluations", [results / "bundles/both", sheet]),
    ):
        out = tmp_path / folder / "both"
        command = [sys.executable, "-m", "histpred", verb, *arguments, "-o", out, *threads]
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        assert contents(results / folder / "both") == contents(out)


def test_a_large_encoder_embeds_once(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the extra encoders")
    from histpred.encoders.chunks import ChunkPolicy
    from support.dnabert2 import write_dnabert2
    from support.random_bundle import random_bundle

    weights = tmp_path / "weights"
    write_dnabert2(weights)
    names = [path.name for path in sorted(weights.iterdir())]
    window = {"kind": "promoter", "upstream": 1000, "downstream": 1000, "max_n_fraction": 0.5}
    bundle = tmp_path / "bundle"
    random_bundle(
        bundle, "dnabert2", weights, names, chunks=ChunkPolicy("grid", 500), window=window
    )
    options = ["--bundle", bundle, "--weights", weights]

    plain = tmp_path / "plain"
    assert histpred("predict", *INPUTS, "-o", plain, *options).code == 0
    options += ["--store", tmp_path / "kept", *TWO_SHARDS]
    reused = []
    for _ in range(2):
        said = succeed(tmp_path, *options)
        assert "PREDICT" in tasks(said)
        assert_same(tmp_path / PREDICTIONS, plain)
        result = json.loads((tmp_path / PREDICTIONS / "run.json").read_text())["result"]
        reused.append((result["embedded"] > 0, result["reused"] > 0))
    assert reused[0][0]
    assert reused[1] == (False, True)


@pytest.mark.slurm
@pytest.mark.skipif(
    shutil.which("sinfo") is None or subprocess.run(["sinfo"], capture_output=True).returncode != 0,
    reason="no Slurm answers here",
)
def test_on_slurm(tmp_path: Path, plain: Path) -> None:
    said = succeed(tmp_path, *TWO_SHARDS, profile="test,slurm")
    assert tasks(said).count("PREDICT") == 2
    assert "slurm" in (tmp_path / ".nextflow.log").read_text()
    assert_same(tmp_path / PREDICTIONS, plain)


@pytest.mark.podman
def test_in_containers_without_network(tmp_path: Path, plain: Path) -> None:
    image = built_image()
    succeed(tmp_path, *TWO_SHARDS, profile="test,podman,offline")
    assert_same(tmp_path / PREDICTIONS, plain)
    listed = json.loads(podman("images", "--format", "json").stdout)
    (digest,) = [one["Digest"] for one in listed if f"localhost/{image}" in one.get("Names", [])]
    assert re.fullmatch("sha256:[0-9a-f]{64}", digest)
    record = json.loads((tmp_path / PREDICTIONS / "run.json").read_text())["launch"]
    assert (record["container"], record["container_digest"]) == (image, digest)
    entities = entities_of(tmp_path / "results")
    used = entities[run_of(entities)["containerImage"]["@id"]]
    assert (used["name"], used["sha256"]) == (image, digest.removeprefix("sha256:"))
    (run,) = tmp_path.glob("work/*/*/predictions/../.command.run")
    assert re.search(r"podman run .*--network none .*histpred:", run.read_text())


@pytest.mark.podman
def test_images_come_from_the_registry_that_is_named(tmp_path: Path) -> None:
    """Without network, that of the first task is not found."""
    built_image()
    registry = "registry.example.org:5000/lab"
    done = launch(tmp_path, "--registry", registry, profile="test,podman,offline")
    assert done.returncode != 0
    assert tasks(done.stdout) == ["BUNDLE"]
    assert f"{registry}/histpred:{__version__}: image not known" in done.stdout
