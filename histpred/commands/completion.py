"""histpred completion: the script that completes commands, options, files and names in a shell."""

from __future__ import annotations

import click

from histpred.commands.help_pages import verb
from histpred.core.text import say

PROGRAM, VARIABLE = "histpred", "_HISTPRED_COMPLETE"


@verb(
    examples=[
        ("bash, in ~/.bashrc", 'eval "$(histpred completion bash)"'),
        ("zsh, in ~/.zshrc, after compinit", 'eval "$(histpred completion zsh)"'),
        (
            "fish, once",
            "histpred completion fish > ~/.config/fish/completions/histpred.fish",
        ),
    ]
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes histpred's commands in SHELL (bash, zsh or fish).

    TAB completes commands, options, files, bundles, marks, biotypes and encoders.
    """
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    assert script is not None
    say(script(context.find_root().command, {}, PROGRAM, VARIABLE).source())
