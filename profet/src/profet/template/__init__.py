"""Worked examples to copy from."""
