"""Files of the archive onto a disk: where they go, how they get there, what is written down of them."""
