"""A group of subcommands that also takes what profet took before it had any."""

from __future__ import annotations

import difflib
from typing import Any

import click

from profet.errors import InvalidIdError
from profet.ids import parse_id


class OldFormGroup(click.Group):
    """A group that, where no subcommand is named, does what profet has always done: fetch the ids given.

    Parameters
    ----------
    default
        The command that runs then; its options are shown as those of the group.
    """

    def __init__(self, *args: Any, default: click.Command, **options: Any) -> None:
        super().__init__(*args, **options)
        self._default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default subcommand in front where none is named."""
        if ctx.resilient_parsing and not args:
            return super().parse_args(ctx, args)  # the shell asks what could stand here
        own = {name for param in self.get_params(ctx) for name in param.opts}
        if not args or (args[0] not in own and args[0] not in self.commands):
            if args:
                self._refuse_misspelt(args[0])
            args = [str(self._default.name), *args]
        return super().parse_args(ctx, args)

    def _refuse_misspelt(self, word: str) -> None:
        """Refuse what can be no id and nearly is the name of a subcommand."""
        names = [name for name, command in self.commands.items() if not command.hidden]
        near = difflib.get_close_matches(word.lower(), names, n=1)
        if near and not _is_id(word):
            raise click.UsageError(f"there is no command {word!a}; did you mean {near[0]!a}?")

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the usage of the old form and of the subcommands."""
        formatter.write_usage(ctx.command_path, "ID... [OPTIONS]")
        if len(self.commands) > 1:
            formatter.write_usage(ctx.command_path, "COMMAND [OPTIONS] ...", prefix="       ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the options of the old form with the group's own, then the subcommands."""
        params = (*self._default.get_params(ctx), *self.get_params(ctx))
        options = (param for param in params if isinstance(param, click.Option))
        records = [record for option in options if (record := option.get_help_record(ctx)) is not None]
        with formatter.section("Options"):
            formatter.write_dl(list(dict(records).items()))
        self.format_commands(ctx, formatter)


def _is_id(word: str) -> bool:
    try:
        parse_id(word)
    except InvalidIdError:
        return False
    return True


class _OldFormContext(click.Context):
    """Context that goes by the name of the program: nobody has typed the name of a subcommand."""

    @property
    def command_path(self) -> str:
        """Name of the program."""
        return self.find_root().info_name or "profet"


class OldForm(click.Command):
    """What runs where no subcommand is named."""

    context_class = _OldFormContext
