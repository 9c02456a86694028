"""A local page to browse an entry with: its tree, pictures of its images, and a selection to download."""
