"""``python -m empiarreader``."""

from empiarreader.cli import main

if __name__ == "__main__":
    main(prog_name="empiarreader")
