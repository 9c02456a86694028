"""Settings of the property tests of this folder."""

from __future__ import annotations

from hypothesis import settings

# A busy machine makes single examples slow without anything being wrong.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
