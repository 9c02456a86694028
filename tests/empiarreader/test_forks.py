"""A process that is forked, as workers of data loaders are, waits for no thread that only its parent has."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from empiarreader import EmpiarEntry, EmpiarReaderError
from empiarreader.tables.star import parse_star
from perc_archive import Archive

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
TABLE = b"data_p\n\nloop_\n_rlnVoltage #1\n_rlnImageName #2\n" + b"300 1@a.mrcs\n" * 5000


def _exit_code_in_a_fork(work: Callable[[], object]) -> int:
    process = os.fork()
    if process == 0:
        signal.alarm(10)  # ends it where it hangs
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def test_a_table_is_parsed_in_a_fork_while_a_thread_parses_another() -> None:
    parse_star(TABLE, "first")  # Python itself gives no fork what a thread is importing just now
    ended = threading.Event()

    def parse_on_and_on() -> None:
        while not ended.is_set():
            parse_star(TABLE, "another")

    thread = threading.Thread(target=parse_on_and_on)
    thread.start()
    try:
        time.sleep(0.1)
        codes = [_exit_code_in_a_fork(lambda: parse_star(TABLE[:100], "a")) for _ in range(5)]
    finally:
        ended.set()
        thread.join()

    assert codes == [0] * 5


def test_an_entry_is_asked_about_while_the_question_of_another_is_not_answered(archive: Archive) -> None:
    for entry_id in (10934, 10935):
        archive.add_entry(entry_id, {"data/a.mrc": b"a"})
    archive.add_fault("stall", match="*10934*", times=None)

    def ask_in_vain() -> None:
        with contextlib.suppress(EmpiarReaderError):
            EmpiarEntry(10934).record  # noqa: B018

    waiting = threading.Thread(target=ask_in_vain, daemon=True)
    waiting.start()
    while not archive.requests("*10934*"):
        assert waiting.is_alive()

    assert _exit_code_in_a_fork(lambda: EmpiarEntry(10935).title) == 0
    assert EmpiarEntry(10935).title
    assert waiting.is_alive()
    archive.clear()  # lets it go
    waiting.join()
