"""Write docs/reference/ from the code: commands, exit codes, bundle schema, API, parameters.

`python docs/site/make.py` writes the pages. With `--check` it writes nothing, names the pages that
would change, and exits with 1 if there are any.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

import histpred
from histpred import cli
from histpred.bundle.manifest import SCHEMA_VERSION, Manifest
from histpred.commands.help_pages import SectionedOption
from histpred.core.errors import EXIT_CODES

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"
SCHEMA = Manifest.model_json_schema()
PARAMETERS = ROOT / "nextflow" / "schema" / "nextflow_schema.json"


def main(arguments: list[str] | None = None) -> int:
    """Write or check the pages; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args(arguments).check
    changed = {name: text for name, text in pages().items() if text != read(FOLDER / name)}
    for name, text in changed.items():
        if not check:
            (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
            (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"docs/reference/{name}")
    return int(check and bool(changed))


def read(path: Path) -> str | None:
    """Return the text of a file, None if there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else None


def pages() -> dict[str, str]:
    """Name of a page in docs/reference/ -> its text."""
    made = {f"commands/{verb}.md": command_page(verb) for verb in cli.VERBS}
    made["commands/index.md"] = commands_page()
    made["exit-codes.md"] = exit_codes_page()
    made["bundle-schema.md"] = schema_page()
    made["bundle.schema.json"] = json.dumps(SCHEMA, indent=2) + "\n"
    made["python.md"] = python_page()
    made["pipeline-parameters.md"] = parameters_page()
    return made


def commands_page() -> str:
    """All commands in their groups, with a sentence each."""
    lines = ["# Commands", "", *block("histpred [-V] [--debug] COMMAND [OPTIONS] ..."), ""]
    for section, verbs in cli.SECTIONS.items():
        lines += [f"## {section}", ""]
        lines += [f"- [`{verb}`]({verb}.md): {sentence}" for verb, sentence in verbs.items()]
        lines.append("")
    more = "How commands complete names, use threads, pipes and stop: [the command line]"
    return "\n".join([*lines, f"{more}(../../command-line.md).", ""])


def command_page(verb: str) -> str:
    """One command, with those below it if it is a group."""
    context = click.Context(cli.histpred, info_name="histpred", **cli.histpred.context_settings)
    command = cli.histpred.get_command(context, verb)
    assert command is not None
    return "\n".join(described(command, click.Context(command, context, verb), "#")) + "\n"


def described(command: click.Command, context: click.Context, level: str) -> list[str]:
    """The lines about a command: usage, text, options, examples, and the commands below it."""
    lines = [f"{level} {context.command_path}", ""]
    lines += block(" ".join([context.command_path, *command.collect_usage_pieces(context)]))
    lines += ["", *paragraphs(command.help or ""), ""]
    for title, options in sections(command, context).items():
        lines += [f"**{title}**" if title else "**Options**", "", *options, ""]
    examples = getattr(command, "examples", ())
    if examples:
        lines += ["**Examples**", ""]
    for what, text in examples:
        lines += [f"{what}:", "", *block(text), ""]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            lines += [*described(below, click.Context(below, context, name), level + "#"), ""]
    return lines[:-1]


def sections(command: click.Command, context: click.Context) -> dict[str, list[str]]:
    """Title of a section of the help -> its options, as the help shows them."""
    found: dict[str, list[str]] = {}
    for option in command.get_params(context):
        record = option.get_help_record(context)
        if record is None or not isinstance(option, click.Option) or "--help" in option.opts:
            continue
        title = option.section if isinstance(option, SectionedOption) else ""
        found.setdefault(title, []).append(f"- `{record[0]}`: {plain(record[1])}")
    if "" in found and len(found) > 1:
        found["Other"] = found.pop("")
    return found


def exit_codes_page() -> str:
    """What an exit code means."""
    lines = ["# Exit codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    return "\n".join(lines) + "\n"


def python_page() -> str:
    """The functions of the package, whose docstrings mkdocstrings renders."""
    names = [name for name in histpred.__all__ if not name.startswith("_")]
    lines = ["# Python", "", "The verbs as functions, with `import histpred`. [Outputs]"]
    lines[-1] += "(../outputs.md#from-python) has examples."
    lines.append("")
    for name in names:
        lines += [f"::: histpred.api.{name}", ""]
    return "\n".join(lines)


def parameters_page() -> str:
    """The parameters of the pipeline, from its schema."""
    schema = json.loads(PARAMETERS.read_text(encoding="utf-8"))
    start = (
        "Options of `nextflow run main.nf` ([the pipeline](../pipeline.md)). Those of the command "
        "line are in short; [its pages](commands/index.md) explain their values."
    )
    lines = ["# Parameters of the pipeline", "", start, ""]
    for group in schema["$defs"].values():
        lines += [f"## {group['title']}", "", group["description"], ""]
        for name, says in group["properties"].items():
            lines.append(f"- `{' '.join([f'--{name}', *value_of(says)])}`: {text_of(says)}")
        lines.append("")
    return "\n".join(lines)


def value_of(says: dict[str, Any]) -> list[str]:
    """How a parameter's value is written; nothing for a switch."""
    if says["type"] == "boolean":
        return []
    return ["|".join(says["enum"])] if "enum" in says else [says.get("x-value", "TEXT")]


def text_of(says: dict[str, Any]) -> str:
    """What a parameter does, its default, and the modes that use it.

    Of an option of the command line, the first sentence.
    """
    about = says["description"]
    if "x-histpred" in says:
        about = about.split(". ")[0].rstrip(".") + "."
    sentences = [plain(about), plain(says.get("help_text", ""))]
    if says.get("default") not in (None, False, ""):
        sentences.append(f"Default: {says['default']}.")
    if "x-modes" in says:
        sentences.append(f"Only in mode {' or '.join(says['x-modes'])}.")
    return " ".join(filter(None, sentences))


def schema_page() -> str:
    """The manifest of a bundle, an object at a time."""
    lines = ["# Schema of bundle.json", "", f"Version {SCHEMA_VERSION}. [Bundles](../bundles.md) "]
    lines[-1] += "says how histpred uses it. An unknown field is an error. The same for programs:"
    lines += ["[JSON Schema](bundle.schema.json).", "", *object_lines(SCHEMA)]
    for name, part in SCHEMA["$defs"].items():
        if "properties" in part:
            lines += [f"## {name}", "", *object_lines(part)]
    return "\n".join(lines)


def object_lines(part: dict[str, Any]) -> Iterator[str]:
    """The lines about one object of the schema."""
    yield from paragraphs(part.get("description", ""))
    yield from ("", "| field | type | default |", "|---|---|---|")
    for field, says in part["properties"].items():
        needed = field in part.get("required", ())
        default = "needed" if needed else f"`{json.dumps(says.get('default', {}))}`"
        yield f"| `{field}` | {type_of(says)} | {default} |"
    yield ""


def type_of(says: dict[str, Any]) -> str:
    """A type of the schema in words."""
    if "$ref" in says:
        name = says["$ref"].rsplit("/", 1)[1]
        return "any JSON" if name == "JsonValue" else link_of(name)
    if "enum" in says:
        return ", ".join(f"`{value}`" for value in says["enum"])
    if "anyOf" in says:
        return " or ".join(map(type_of, says["anyOf"]))
    if says.get("type") == "array":
        return f"list of {type_of(says['items'])}" if "items" in says else "list"
    values = says.get("additionalProperties") or next(
        iter(says.get("patternProperties", {}).values()), None
    )
    if says.get("type") == "object" and isinstance(values, dict):
        return f"object of {type_of(values)}"
    return str(says.get("type", "any JSON"))


def link_of(name: str) -> str:
    """A link to an object's table, or what a value without a table is."""
    part = SCHEMA["$defs"][name]
    if "properties" in part:
        return f"[{name}](#{name.lower()})"
    return "list of " + ", ".join(item["title"].lower() for item in part["prefixItems"])


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a text, without its line breaks."""
    joined = [plain(paragraph) for paragraph in text.replace("\b\n", "").split("\n\n")]
    return "\n\n".join(joined).split("\n")


def plain(text: str) -> str:
    """The text on one line, where Markdown reads no brackets or stars of its own."""
    return " ".join(text.split()).replace("<", "&lt;").replace("*", r"\*").replace("[", r"\[")


def block(text: str) -> list[str]:
    """The lines of a block of code."""
    return ["```text", *text.splitlines(), "```"]


if __name__ == "__main__":
    sys.exit(main())
