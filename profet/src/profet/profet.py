"""The main class, where code for profet 1 imports it from."""

from profet.fetcher import Fetcher

__all__ = ["Fetcher"]
