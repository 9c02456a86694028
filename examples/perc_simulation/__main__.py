"""Write the content of the examples: ``python -m perc_simulation FOLDER``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from .content import make_content


def main(arguments: list[str]) -> int:
    """Copy the content into the folder that the only argument names."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("Example:\n  python -m perc_simulation ~/perc-content\n")
        return 0 if arguments in (["-h"], ["--help"]) else 2
    folder = Path(arguments[0]).expanduser()
    if folder.exists() and any(folder.iterdir()):
        sys.stderr.write(f"{folder} is not empty; name a new folder.\n")
        return 2
    made = make_content(progress=_report)
    shutil.copytree(made, folder, dirs_exist_ok=True)
    sys.stdout.write(f"{folder}\n")
    return 0


def _report(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
