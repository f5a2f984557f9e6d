"""How help looks: options in sections, examples at the end, and what an unknown verb may mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from histpred.core.spelling import did_you_mean

Decorator = Callable[[Callable[..., object]], Callable[..., object]]
Example = tuple[str, str]
"""What a command does, and the command, in which a backslash ends all lines but the last."""

OTHER = ""  # the section of options that have none
WIDTH = 24  # of the names of options; longer ones get a line of their own


class SectionedOption(click.Option):
    """An option that the help shows in a section, with its default unless the text states it."""

    def __init__(self, *args: Any, section: str, **attributes: Any) -> None:
        flag = attributes.get("is_flag") or "flag_value" in attributes
        stated = flag or "[default: " in attributes.get("help", "")
        super().__init__(*args, **{"show_default": not stated} | attributes)
        self.section = section


def option_in(section: str) -> Callable[..., Decorator]:
    """A function like `click.option` for the options of a section."""
    return partial(click.option, cls=SectionedOption, section=section)


class Verb(click.Command):
    """A command whose help has sections and examples."""

    def __init__(self, *args: Any, examples: Sequence[Example] = (), **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.examples = tuple(examples)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of each section, in the order in which the sections begin."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record and isinstance(parameter, click.Option):
                title = parameter.section if isinstance(parameter, SectionedOption) else OTHER
                sections.setdefault(title, []).append(record)
        others = sections.pop(OTHER, [])
        sections["Other" if sections else "Options"] = others
        for title, records in sections.items():
            with formatter.section(title):
                aligned = [(names.ljust(WIDTH), text) for names, text in records]
                formatter.write_dl(aligned, col_max=WIDTH)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        write_examples(formatter, self.examples)


class VerbGroup(click.Group):
    """A group of commands, listed with uncut sentences; an unknown one is compared with them."""

    command_class = Verb

    def sections(self, ctx: click.Context) -> dict[str, dict[str, str]]:
        """Title of a section of the help -> command -> sentence."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        helps = {name: command.help or "" for name, command in commands.items() if command}
        return {"Commands": {name: text.split("\n\n")[0] for name, text in helps.items()}}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands of each section, all in the same columns."""
        sections = self.sections(ctx)
        width = max(len(name) for commands in sections.values() for name in commands)
        for title, commands in sections.items():
            with formatter.section(title):
                rows = [(name.ljust(width), sentence) for name, sentence in commands.items()]
                formatter.write_dl(rows, col_max=width + 2)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named first; UsageError with the nearest ones if there is none."""
        name = args[0]
        known = self.list_commands(ctx)
        if name in known or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        hint = did_you_mean([name], known)
        if not hint and "predict" in known and Path(name).exists():
            hint = f"it is a file: histpred predict {' '.join(args)}"
        raise click.UsageError(f"no such command: {name!r}" + (hint and f"\n  {hint}"), ctx)


def write_examples(formatter: click.HelpFormatter, examples: Sequence[Example]) -> None:
    """Write examples as they can be typed: a command is never wrapped."""
    if not examples:
        return
    with formatter.section("Examples" if len(examples) > 1 else "Example"):
        for what, command in examples:
            formatter.write_text(f"{what}:")
            indent = " " * (formatter.current_indent + 2)
            formatter.write("".join(f"{indent}{line}\n" for line in command.splitlines()))


verb = partial(click.command, cls=Verb)
"""A decorator that makes a command; `examples` are shown at the end of its help."""
