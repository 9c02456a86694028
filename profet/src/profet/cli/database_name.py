"""The name of a database as a parameter of a command."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from profet.databases import check_database, names
from profet.errors import InvalidChoiceError


class DatabaseName(click.ParamType):  # type: ignore[type-arg]
    """A database that profet knows; which those are is looked up when the command runs."""

    name = "database"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Recognise the name."""
        try:
            return check_database(value)
        except InvalidChoiceError as error:
            self.fail(str(error), param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Show the names in the help."""
        return f"[{'|'.join(names())}]"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete a name that was begun."""
        return [CompletionItem(name) for name in names() if name.startswith(incomplete)]
