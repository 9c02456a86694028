"""How long a server is waited for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empiarreader.network.patience import ATTEMPTS, AnswerTimes, parse_retry_after, pause_before_retry


def _times(*seconds: float) -> AnswerTimes:
    times = AnswerTimes()
    for value in seconds:
        times.add(value)
    return times


def test_without_experience_the_longest_silence_is_allowed() -> None:
    assert _times().stall_limit(0, longest=30) == 30
    assert _times(0.1, 0.1, 0.1).stall_limit(0, longest=30) == 30


def test_the_limit_follows_what_answers_have_taken() -> None:
    assert _times(*[0.5] * 20).stall_limit(0, longest=30) == 2.0
    assert _times(*[0.001] * 20).stall_limit(0, longest=30) == 1.0
    assert _times(*[0.5] * 19, 20.0).stall_limit(0, longest=30) == 2.0  # one slow answer is no rule
    assert _times(*[5.0] * 20).stall_limit(0, longest=12) == 12


def test_later_attempts_get_more_time_and_the_last_one_all_of_it() -> None:
    times = _times(*[0.5] * 20)

    assert [times.stall_limit(k, longest=30) for k in range(ATTEMPTS)] == [2, 4, 8, 16, 30]


def test_old_experience_is_forgotten() -> None:
    assert _times(*[9.0] * 50, *[0.5] * 32).stall_limit(0, longest=30) == 2.0


@given(seconds=st.lists(st.floats(0, 1000)), attempt=st.integers(0, 10), longest=st.floats(0.1, 3600))
def test_the_limit_never_exceeds_the_setting(seconds: list[float], attempt: int, longest: float) -> None:
    assert 0 < _times(*seconds).stall_limit(attempt, longest=longest) <= longest


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), (" 7 ", 7), ("soon", None), ("", None), (None, None)]
)
def test_retry_after_is_read_as_seconds(text: str, seconds: float | None) -> None:
    assert parse_retry_after(text) == seconds


def test_retry_after_is_read_as_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    earlier = format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)

    assert parse_retry_after(later) == pytest.approx(90, abs=3)
    assert parse_retry_after(earlier) == 0


@given(st.text())
def test_any_text_in_retry_after_is_seconds_or_nothing(text: str) -> None:
    seconds = parse_retry_after(text)

    assert seconds is None or seconds >= 0


def test_pauses_grow_unless_the_server_says_how_long() -> None:
    assert [0.075 * 2**k <= pause_before_retry(k, None) <= 0.125 * 2**k for k in range(4)] == [True] * 4
    assert pause_before_retry(0, 7.0) == 7.0


def test_late_is_three_times_the_usual_silence() -> None:
    times = _times(*[0.5] * 20)

    assert not times.is_late(1.4, 1.4, 1000)
    assert times.is_late(1.6, 1.6, 1000)
    assert not _times(*[0.001] * 20).is_late(0.15, 0.15, 1000)  # a pause of our own
    assert _times().is_late(1.1, 1.1, 1000)
    assert not _times(2.0).is_late(7.9, 7.9, 1000)


def test_late_is_also_three_times_what_the_length_explains() -> None:
    times = AnswerTimes()
    for _ in range(8):
        times.add(0.1, seconds=1.0, length=1_000_000)

    assert not times.is_late(0.05, 3.2, 1_000_000)
    assert times.is_late(0.05, 3.4, 1_000_000)
    assert not times.is_late(0.05, 3.4, 2_000_000)


def test_near_is_a_host_that_answers_at_once_and_fast() -> None:
    assert not _times().is_near()
    assert _times(0.5, 0.001).is_near()
    assert not _times(0.001, 0.05).is_near()
    slow = _times(0.001)
    slow.add(0.001, seconds=0.1, length=2**20)
    assert not slow.is_near()


def test_next_door_is_a_host_whose_quickest_answer_took_next_to_no_time() -> None:
    assert not _times().is_next_door()
    assert _times(0.0005, 0.05).is_next_door()  # this machine was busy for a moment
    assert not _times(0.002, 0.003).is_next_door()  # many small files at once hide two milliseconds
    slow = _times(0.0005)
    slow.add(0.0005, seconds=1.0, length=1_000_000)
    assert not slow.is_next_door()
