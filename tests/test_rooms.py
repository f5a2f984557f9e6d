"""The shape of the code: tests mirror the rooms, and files and functions stay small.

The tables below hold what is not there yet, each with its reason. An entry that is no longer needed
fails a test too, so that the tables only get shorter.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from support.command_line import ROOT

MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 60
MOST_PARAMETERS = 8

SOURCES = ("histpred", "training", "benchmarks", "docs", "nextflow", "release", "test-data", "bin")
FOLDERS_BESIDE_THE_ROOMS = {
    "benchmarks": "of the scripts in benchmarks/",
    "browsers": "tracks and reports in genome browsers",
    "containers": "images",
    "docs": "of the scripts in docs/",
    "fuzz": "random inputs",
    "golden": "outputs of the demo, to the byte",
    "malformed": "broken inputs",
    "nextflow": "the pipeline",
    "property": "windows against bedtools",
    "release": "of the scripts in release/, and what a release is made of",
    "support": "what several tests share",
}

# Modules of a room without a test module of their own, and the test that runs them.
TESTED_ELSEWHERE = {
    "bundle/encoding": "tests/commands/test_embed.py",
    "bundle/figures": "tests/bundle/test_publish.py",
    "commands/bundle": "tests/bundle/test_folder.py",
    "commands/demo": "tests/golden/test_demo.py",
    "commands/evaluate": "tests/reports/test_evaluation.py",
    "commands/experiment": "tests/experiments/test_run.py",
    "commands/explain": "tests/scoring/test_explain.py",
    "commands/gather": "tests/scoring/test_gather.py",
    "commands/predict": "tests/scoring/test_predict.py",
    "commands/windows": "tests/genome/test_extract.py",
    "core/columns": "tests/test_new_column.py",
    "core/execution": "tests/scoring/test_predict.py",
    "core/log": "tests/test_cli.py",
    "core/runtime": "tests/encoders/test_devices.py",
    "core/shipped": "tests/test_package.py",
    "core/version": "tests/test_package.py",
    "encoders/dnabert2_network": "tests/encoders/test_dnabert2.py",
    "evaluation/result": "tests/reports/test_evaluation.py",
    "evaluation/rows": "tests/reports/test_evaluation.py",
    "experiments/figures": "tests/experiments/test_report.py",
    "experiments/page_tables": "tests/experiments/test_report.py",
    "experiments/paper": "tests/experiments/test_tables.py",
    "experiments/results": "tests/experiments/test_tables.py",
    "experiments/tasks": "tests/experiments/test_run.py",
    "genome/faidx": "tests/genome/test_fasta.py",
    "genome/misfits": "tests/genome/test_plan.py",
    "genome/request": "tests/genome/test_plan.py",
    "genome/sources": "tests/commands/test_inputs.py",
    "genome/transcript_headers": "tests/genome/test_transcripts.py",
    "genome/vcf_note": "tests/scoring/test_scatter_variants.py",
    "genome/vcf_shards": "tests/scoring/test_scatter_variants.py",
    "labels/examples": "tests/commands/test_train.py",
    "labels/peak_regions": "tests/labels/test_peaks.py",
    "labels/rnainter_genomes": "tests/labels/test_rnainter.py",
    "labels/rnainter_table": "tests/labels/test_rnainter.py",
    "reports/browser": "tests/commands/test_report.py",
    "reports/evaluate": "tests/reports/test_evaluation.py",
    "reports/explained": "tests/reports/test_explanation.py",
    "reports/explained_shapes": "tests/reports/test_explanation.py",
    "reports/figures": "tests/reports/test_evaluation_figures.py",
    "reports/label_figures": "tests/reports/test_evaluation_figures.py",
    "reports/marks_table": "tests/commands/test_report.py",
    "reports/model_figures": "tests/reports/test_evaluation_figures.py",
    "reports/multiqc": "tests/reports/test_summary.py",
    "reports/multiqc_layout": "tests/reports/test_summary.py",
    "reports/multiqc_variants": "tests/reports/test_summary.py",
    "reports/page": "tests/commands/test_report.py",
    "reports/prediction": "tests/commands/test_report.py",
    "reports/vectors": "tests/reports/test_convert.py",
    "scoring/derived": "tests/tracks/test_hub.py",
    "scoring/explain_frames": "tests/test_api.py",
    "scoring/explain_record": "tests/scoring/test_explain.py",
    "scoring/explain_tables": "tests/scoring/test_explain.py",
    "scoring/profile": "tests/scoring/test_explain.py",
    "scoring/scatter_variants_record": "tests/scoring/test_scatter_variants.py",
    "scoring/shard_parts": "tests/scoring/test_gather.py",
    "scoring/sorted_table": "tests/scoring/test_explain.py",
    "scoring/substitutions": "tests/scoring/test_explain.py",
    "scoring/embed": "tests/commands/test_embed.py",
    "scoring/frames": "tests/test_api.py",
    "scoring/variants_shard": "tests/scoring/test_gather_variants.py",
    "tracks/about": "tests/tracks/test_hub.py",
    "tracks/explained": "tests/tracks/test_contributions.py",
    "tracks/hub_folder": "tests/tracks/test_hub.py",
    "tracks/validate": "tests/tracks/test_binary.py",
    "training/data": "tests/commands/test_train.py",
    "training/members": "tests/commands/test_train.py",
    "training/onnx_graph": "tests/training/test_export.py",
    "training/onnx_scorer": "tests/training/test_export.py",
    "training/onnx_spectra": "tests/training/test_spectra.py",
    "training/settings": "tests/commands/test_train.py",
    "training/describe": "tests/commands/test_train.py",
    "training/recipe": "tests/commands/test_train.py",
    "training/train": "tests/commands/test_train.py",
}

# Files and functions beyond the limits, as path or path:function, and why.
ALLOWED: dict[str, str] = {
    "histpred/api.py": "every function spells out the options of its verb",
    "benchmarks/encoders.py": "one section for each measurement, run together",
    "test-data/make.py": "one script that runs alone; a sixth of it is the README that it writes",
}


class Function(NamedTuple):
    """A function of the sources, with what its limits depend on."""

    name: str  # path:function
    lines: int
    parameters: int
    is_command: bool
    docstring: str


def sources() -> Iterator[tuple[str, str]]:
    """Path and text of every Python file that is not a test."""
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def functions() -> Iterator[Function]:
    for path, text in sources():
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            given = node.args
            yield Function(
                name=f"{path}:{node.name}",
                lines=(node.end_lineno or node.lineno) - node.lineno + 1,
                parameters=len(given.posonlyargs + given.args + given.kwonlyargs),
                is_command=any(
                    re.search("command|verb", ast.unparse(part)) for part in node.decorator_list
                ),
                docstring=ast.get_docstring(node) or "",
            )


def rooms() -> dict[str, list[Path]]:
    """The modules of each room."""
    return {
        folder.name: [path for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]
        for folder in sorted((ROOT / "histpred").iterdir())
        if folder.is_dir() and (folder / "__init__.py").exists()
    }


def long_files() -> dict[str, str]:
    found = {path: len(text.splitlines()) for path, text in sources()}
    return {path: f"{lines} lines" for path, lines in found.items() if lines > MOST_LINES}


def large_functions() -> dict[str, str]:
    """Functions beyond a limit, unless the docstring says why ('... because ...').

    Click passes an option a parameter, and histpred/api.py mirrors the options: there, only lines
    count.
    """
    found = {}
    for function in functions():
        if "because" in function.docstring:
            continue
        counted = not function.is_command and not function.name.startswith("histpred/api.py:")
        if counted and function.parameters > MOST_PARAMETERS:
            found[function.name] = f"{function.parameters} parameters"
        if counted and function.lines > MOST_LINES_OF_A_FUNCTION:
            found[function.name] = f"{function.lines} lines"
    return found


def test_a_test_folder_is_called_as_its_room() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if any(path.glob("*.py"))}
    assert folders - rooms().keys() - FOLDERS_BESIDE_THE_ROOMS.keys() == set()


def test_every_module_has_a_test_module_of_its_name() -> None:
    without = {
        f"{room}/{module.stem}"
        for room, modules in rooms().items()
        for module in modules
        if not (ROOT / "tests" / room / f"test_{module.name}").exists()
    }
    assert without - TESTED_ELSEWHERE.keys() == set(), "write a test, or say which test runs it"
    assert TESTED_ELSEWHERE.keys() - without == set(), "take these out of TESTED_ELSEWHERE"


def test_tests_that_stand_in_for_others_exist() -> None:
    assert [path for path in TESTED_ELSEWHERE.values() if not (ROOT / path).exists()] == []


def test_files_and_functions_are_small() -> None:
    large = long_files() | large_functions()
    assert {name: size for name, size in large.items() if name not in ALLOWED} == {}
    assert ALLOWED.keys() - large.keys() == set(), "take these out of ALLOWED"


def test_text_is_read_and_written_as_utf8_in_any_locale() -> None:
    """A name such as 'é' could not be written where the locale has no such letter."""
    silent = []
    for path in sorted((ROOT / "histpred").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            stated = {keyword.arg for keyword in node.keywords} | {
                part.value for part in node.args if isinstance(part, ast.Constant)
            }
            named = stated & {"encoding", "utf-8", "direct_url.json"}  # the last: of importlib
            if node.func.attr in ("read_text", "write_text") and not named:
                silent.append(str(path.relative_to(ROOT)))
    assert silent == ["histpred/commands/help_pages.py"]  # click's formatter
