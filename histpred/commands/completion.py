"""histpred completion: the script that completes commands, options, files and names in a shell."""

from __future__ import annotations

import click

from histpred.commands.help_pages import verb
from histpred.core.text import say

ZSH = """\
_histpred_completion() {
    local type value about
    local -a names described
    compset -P 1 '--*='
    for type value about in "${(@f)$(env _HISTPRED_COMPLETE=zsh_complete \\
            COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT - 1)) histpred)}"; do
        case $type in
            dir) _path_files -/ ;;
            file) _path_files ;;
            plain) [[ $about == _ ]] && names+=($value) || described+=("$value:$about") ;;
        esac
    done
    (( $#described )) && _describe -V histpred described
    (( $#names )) && compadd -V names -M 'm:{a-zA-Z}={A-Za-z}' -a names
    (( compstate[nmatches] ))
}
compdef _histpred_completion histpred
"""
"""The script for zsh. That of click shows no names beside files, and drops --option= of a value."""
FISH = """\
function _histpred_completion
    set -l word (commandline -t)
    set -l option (string match -r -- '^--[^=]+=' $word)
    for found in (env _HISTPRED_COMPLETE=fish_complete COMP_WORDS=(commandline -cp) \\
            COMP_CWORD=$word histpred)
        set -l parts (string split -m 1 , -- $found)
        switch $parts[1]
            case dir
                printf "$option%s\\n" (__fish_complete_directories $parts[2])
            case file
                printf "$option%s\\n" (__fish_complete_path $parts[2])
            case plain
                echo "$option$parts[2]"
        end
    end
end
complete --no-files --command histpred --arguments "(_histpred_completion)"
"""
"""The script for fish. That of click cuts values at commas, and completes no --option=value."""


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
    from click.shell_completion import BashComplete

    if shell == "bash":
        root = context.find_root().command
        say(BashComplete(root, {}, "histpred", "_HISTPRED_COMPLETE").source())
    else:
        say(ZSH if shell == "zsh" else FISH)
