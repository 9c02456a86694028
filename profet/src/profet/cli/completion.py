"""``profet completion SHELL``: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click

_HELP = """\b
$ profet completion bash >> ~/.bashrc
$ profet completion zsh >> ~/.zshrc
$ profet completion fish > ~/.config/fish/completions/profet.fish

Print the script that makes a shell complete commands and options. It is what
_PROFET_COMPLETE=bash_source profet prints, too.
"""


@click.command("completion", help=_HELP, short_help="Print the script for completion in a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    program = ctx.find_root()
    click.echo(kind(program.command, {}, program.info_name or "profet", "_PROFET_COMPLETE").source())
