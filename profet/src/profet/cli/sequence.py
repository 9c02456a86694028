"""``profet sequence ID...``: sequences in FASTA format."""

from __future__ import annotations

import json
from pathlib import Path

import click

from profet import settings
from profet.cli.asked import asked_ids, ids_arguments
from profet.cli.terminal import going_on, leave, log_to_stderr, speaking_options
from profet.errors import ProfetError
from profet.whole_files import write_whole

_HELP = """\b
$ profet sequence P05067 --cleave-signal
$ profet sequence 1jk9 P05067-2 --output both.fasta

Print sequences in FASTA format: one of a protein or isoform, one for each chain of a PDB entry.
"""


@click.command("sequence", help=_HELP, short_help="Print sequences in FASTA format.")
@ids_arguments
@click.option("--cleave-signal", is_flag=True, help="Leave out signal peptides, by UniProt.")
@click.option("--output", "-o", metavar="FILE", default=None, help="Write to a file instead of printing.")
@speaking_options
def sequence(
    ids: tuple[str, ...],
    from_file: str | None,
    cleave_signal: bool,
    output: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Print sequences."""
    from profet.access import Access
    from profet.sequences import Sequences, to_fasta, to_record

    log_to_stderr(quiet=quiet, verbose=verbose)
    wanted = asked_ids(ids, from_file)
    sequences = Sequences(Access())
    sequences.prepare(wanted)  # one wrong id, and nothing is asked
    errors: list[ProfetError | None] = []
    text = ""
    for typed in wanted:
        with going_on(errors):
            records = sequences.all_of(typed, cleave_signal=cleave_signal)
            if as_json:
                text += "".join(f"{json.dumps(to_record(record))}\n" for record in records)
            else:
                text += to_fasta(records)
    if output is None:
        click.echo(text, nl=False)
    elif text:
        write_whole(settings.absolute(Path(output)), text.encode())
    leave(errors)
