"""The subcommands of ``empiarreader``, one module each."""
