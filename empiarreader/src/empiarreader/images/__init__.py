"""Image files of every format behind one face: how it looks is :mod:`~empiarreader.images.base`.

A format is a module of this package with a function ``open_file`` and a line in :mod:`empiarreader.formats`.
"""
