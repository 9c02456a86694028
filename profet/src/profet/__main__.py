"""``python -m profet``."""

from profet.cli import main

if __name__ == "__main__":
    main()
