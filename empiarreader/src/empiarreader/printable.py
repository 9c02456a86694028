"""Make text that came over the network safe to show on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return ``text`` with control characters and broken bytes written as escapes.

    Letters of any script stay as they are. Escape sequences that would move the cursor, hide text or
    reverse its direction do not reach the terminal.

    Examples
    --------
    >>> print(printable("a\x1b[2Jb.mrc"))
    a\x1b[2Jb.mrc
    >>> printable("Polκ_µm.tif")
    'Polκ_µm.tif'
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == "\n" else _escape(character)
        for character in text
    )


def one_line(text: str) -> str:
    r"""Return ``text`` as :func:`printable` does, and on one line, so that no name can look like two.

    Examples
    --------
    >>> print(one_line("a.mrc\nb.mrc"))
    a.mrc\nb.mrc
    """
    return printable(text).replace("\n", "\\n")


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
