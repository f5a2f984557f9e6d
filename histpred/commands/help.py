"""histpred help: the help of a verb, as `histpred VERB --help` shows it."""

from __future__ import annotations

import click

from histpred.commands.help_pages import verb
from histpred.core.text import say


def _complete(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[click.shell_completion.CompletionItem]:
    """The verbs that begin so."""
    root = context.find_root()
    assert isinstance(root.command, click.Group)
    return root.command.shell_complete(root, incomplete)


@verb(
    examples=[
        ("Show the options of predict", "histpred help predict"),
        ("Show those of a command in a group", "histpred help labels peaks"),
    ]
)
@click.argument("words", metavar="[COMMAND]...", nargs=-1, shell_complete=_complete)
@click.pass_context
def help(context: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of COMMAND, or of histpred."""
    shown = context.find_root()
    for word in words:
        if not isinstance(shown.command, click.Group):
            raise click.UsageError(f"{shown.info_name} has no commands: {word!r}", shown)
        name, command, _ = shown.command.resolve_command(shown, [word])
        if command is None or name is None:
            raise click.UsageError(f"no such command: {word!r}", shown)
        shown = click.Context(command, info_name=name, parent=shown)
    say(shown.get_help())
