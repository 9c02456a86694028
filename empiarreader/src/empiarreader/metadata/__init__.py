"""What EMPIAR says of an entry, as typed values."""
