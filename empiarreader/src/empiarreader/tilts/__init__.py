"""Tilt series: their files, what is said of each image, and one lazy array."""
