"""Commands as empiarreader 0.0.17 had them, whose options may be cut short: ``--sel`` means ``--select``."""

from __future__ import annotations

import click


class PublishedCommand(click.Command):
    """A command whose published options are recognised by their beginnings.

    Only those that were published: a new option must be written out, and takes no meaning from them.
    """

    published: tuple[str, ...] = ()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Write out what is cut short, and read the arguments."""
        known = {name for param in self.get_params(ctx) for name in param.opts}
        return super().parse_args(ctx, [self._written_out(word, known) for word in args])

    def _written_out(self, word: str, known: set[str]) -> str:
        name, equals, value = word.partition("=")
        if not name.startswith("--") or len(name) == len("--") or name in known:
            return word
        meant = [option for option in self.published if option.startswith(name)]
        return f"{meant[0]}{equals}{value}" if len(meant) == 1 else word


class PublishedSearch(PublishedCommand):
    """``empiarreader search``."""

    published = ("--entry", "--dir", "--select", "--regexp", "--save_search", "--verbose", "--keep_all")


class PublishedDownload(PublishedCommand):
    """``empiarreader download``."""

    published = ("--download", "--save_dir", "--verbose")
