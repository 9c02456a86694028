"""How fast services are asked: so many at a time, so many a second, and pauses that hold for all."""

from __future__ import annotations

import threading
import time

import pytest

from perc_archive import Archive
from profet.http import Answer, Client
from profet.limits import Gate, Limit, gate_for
from profet.retry import retry_after_seconds

HOST = "files.rcsb.org"


def in_threads(number: int, work: object) -> None:
    threads = [threading.Thread(target=work) for _ in range(number)]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_no_more_than_so_many_hold_a_connection_at_a_time() -> None:
    gate, lock, inside, most = Gate(Limit(connections=3)), threading.Lock(), 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(5):
            with gate.turn():
                with lock:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.001)
                with lock:
                    inside -= 1

    in_threads(10, work)
    assert (most, inside) == (3, 0)


@pytest.mark.parametrize("per_second", [100.0])
def test_in_no_second_are_there_more_than_twice_the_rate_and_the_rate_holds(per_second: float) -> None:
    gate, moments = Gate(Limit(per_second=per_second)), list[float]()
    total = int(2 * per_second) + 20

    def work() -> None:
        for _ in range(total // 10):
            with gate.turn():
                moments.append(time.monotonic())

    in_threads(10, work)
    moments.sort()
    # One second's worth may come at once; after that they come at the even rate.
    assert len(moments) == total
    assert moments[-1] - moments[0] >= (total - 1 - per_second) / per_second - 0.05
    later = [moment for moment in moments if moment > moments[0] + 0.1]
    assert len(later) > per_second
    for start in later:
        assert sum(start <= moment < start + 0.5 for moment in later) <= per_second / 2 + 3


def test_limits_are_of_the_public_services_and_shared_by_all_who_ask() -> None:
    search = gate_for("https://search.rcsb.org/rcsbsearch/v2/query")

    assert search is gate_for("https://search.rcsb.org/other")
    assert gate_for("https://alphafold.ebi.ac.uk/api/prediction/P1") is not gate_for(
        "https://alphafold.ebi.ac.uk/files/x.cif"
    )
    assert gate_for("https://alphafold.ebi.ac.uk/files/x.cif") is gate_for("https://alphafold.ebi.ac.uk/apis")
    assert gate_for("http://mirror:1/a") is not gate_for("http://mirror:2/a")


def test_a_pause_that_a_service_asks_for_holds_for_everybody(archive: Archive) -> None:
    archive.add_file(HOST, "some/file", b"body")
    url = archive.url(HOST, "some/file")
    archive.add_fault("status", status=429, retry_after="1", times=1)
    moments: list[float] = []
    begin = time.monotonic()

    def body(answer: Answer) -> bytes:
        moments.append(time.monotonic() - begin)
        return answer.body

    first = threading.Thread(target=Client().fetch, args=(url, body))
    first.start()
    while not archive.requests():
        time.sleep(0.01)
    time.sleep(0.1)
    assert Client().fetch(url, body) == b"body"  # was told nothing, and waits too
    first.join()
    assert min(moments) >= 1.0


def test_a_date_to_come_back_at_is_understood_and_nonsense_is_not() -> None:
    assert retry_after_seconds("Thu, 01 Jan 1970 00:00:00 GMT") == 0.0
    assert (retry_after_seconds("Fri, 31 Dec 2100 23:59:59 GMT") or 0.0) > 3600
    for text in ("", "soon", "-", "1e400", None):
        assert retry_after_seconds(text) is None
