"""``empiarreader browse``: a local page to look around in an entry."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser

import click

from empiarreader.commands.terminal import say, speaking_options
from empiarreader.entry import EmpiarEntry
from empiarreader.errors import LocalFileError

_BROWSE_HELP = """\
\b
$ empiarreader browse 10943 --open
$ empiarreader browse 10943 --port 8765 --save_search found.txt

Browse an entry in a web browser: directories, sizes, pictures of images, and a selection to download.

The page is served on this machine alone, at an address that nobody can guess; Ctrl-C ends it. From another
machine, reach it through SSH: ssh -L 8765:127.0.0.1:8765 HOST. What is ticked is saved as a list of addresses
for `empiarreader download --download`, by the browser or in the file of --save_search.
"""


@click.command("browse", help=_BROWSE_HELP, short_help="Browse an entry in a web browser.")
@click.argument("entry")
@click.option(
    "--port", default=0, type=click.IntRange(0, 65535), help="Port to listen on; default a free one."
)
@click.option("--open", "open_browser", is_flag=True, help="Open the page in a browser.")
@click.option("--save_search", type=click.Path(dir_okay=False), help="Save what is selected in this file.")
@click.option("--overwrite", is_flag=True, help="Replace that file if it is there already.")
@speaking_options
def browse_command(
    entry: str, port: int, open_browser: bool, save_search: str | None, overwrite: bool, quiet: bool
) -> None:
    """Serve the page of an entry until interrupted."""
    from empiarreader.browsing.server import ADDRESS, EntryServer

    found = EmpiarEntry(entry)
    found.list_directory()  # an entry that is not there is an error now, not on the page
    try:
        server = EntryServer(found, port=port, save_search=save_search, overwrite=overwrite)
    except OSError as error:
        if isinstance(error, LocalFileError):
            raise
        raise LocalFileError(
            f"cannot listen on {ADDRESS}:{port}: {error.strerror}; try another --port"
        ) from error
    click.echo(server.url)
    say("Ctrl-C ends it.", quiet=quiet)
    if open_browser:
        webbrowser.open(server.url)
    try:
        server.serve()
    except KeyboardInterrupt:
        server.close()
        if not quiet:
            click.echo("\nended", err=True)  # below the ^C that the terminal shows
        if threading.active_count() > 1:
            # Answers under way would be waited for, and nobody is there to see them.
            sys.stdout.flush()
            os._exit(0)
