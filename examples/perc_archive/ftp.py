"""Starts the FTP server. pyftpdlib is imported late, in a thread, while the first client already waits."""

from __future__ import annotations

import logging
import socket
import threading
import warnings

from perc_archive.exchange import State


def listen(state: State, port: int) -> int:
    """Serve anonymous FTP on loopback; returns the port."""
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    threading.Thread(target=_serve, args=(state, listener), daemon=True).start()
    return int(listener.getsockname()[1])


def _serve(state: State, listener: socket.socket) -> None:
    with warnings.catch_warnings():
        # pyftpdlib still builds on asyncore and asynchat, which Python 3.11 calls deprecated.
        warnings.filterwarnings("ignore", r"The async(ore|hat) module is deprecated", DeprecationWarning)
        from perc_archive import ftp_handlers
    logging.getLogger("pyftpdlib").setLevel(logging.ERROR)
    ftp_handlers.serve(state, listener)
