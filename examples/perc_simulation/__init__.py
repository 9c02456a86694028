"""Synthetic molecules, and cryoEM images simulated from any structure file, for the examples."""
