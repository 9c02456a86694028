"""The command line, where code for profet 1 calls it from."""

from profet.cli import main

__all__ = ["main"]
