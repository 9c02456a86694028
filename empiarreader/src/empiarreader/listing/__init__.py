"""Which files an entry has, and which of them are meant."""
