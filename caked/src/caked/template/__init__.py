"""Parts of one's own: copy what fits and change it."""
