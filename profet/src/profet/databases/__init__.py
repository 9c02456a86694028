"""The databases that structures come from."""
