"""``empiarreader completion SHELL``: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click

_HELP = """\
\b
$ empiarreader completion bash >> ~/.bashrc
$ empiarreader completion zsh >> ~/.zshrc
$ empiarreader completion fish > ~/.config/fish/completions/empiarreader.fish

Print the script that makes a shell complete commands and options.
"""


@click.command("completion", help=_HELP, short_help="Print the script for completion in a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print the script."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    program = ctx.find_root()
    name = program.info_name or "empiarreader"
    click.echo(kind(program.command, {}, name, "_EMPIARREADER_COMPLETE").source())
