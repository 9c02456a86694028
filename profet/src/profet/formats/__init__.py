"""The file formats, read and edited as streams of lines."""
