"""The whole archive at hand: a local catalogue of all entries, and how it is searched."""
