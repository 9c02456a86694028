"""``python -m caked``."""

from caked.cli import main

main(prog_name="caked")
