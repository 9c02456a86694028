"""What is kept on a local disk of what came over the network: whole files, small facts, pages of text.

The cache is one folder (``EMPIARREADER_CACHE_DIR``) that any number of processes and machines may share. An
item appears whole or not at all: it is written beside its place and renamed, so nobody needs a lock to be
right. It is checked when it is read, and it is bounded (``EMPIARREADER_CACHE_SIZE``): what was used longest
ago goes first.
"""
