"""A producer's records in flight: bounded, watched, and every failure told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from earshot.log.contract import PublishFailed
from earshot.log.kafka.in_flight import InFlight


@dataclass
class Answer:
    """The promise of an acknowledgement, kept when the test says so."""

    is_done: bool = False
    exception: BaseException | None = None


class Moment:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps = 0
        self.on_sleep: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 0.5)
        self.sleeps += 1
        self.on_sleep()


def in_flight(moment: Moment, records: int = 3, size: int = 100) -> InFlight:
    return InFlight("k:1", records, size, 20.0, clock=lambda: moment.now, sleep=moment.sleep)


def test_a_sender_waits_while_too_many_records_are_unanswered() -> None:
    moment, answers = Moment(), [Answer() for _ in range(3)]
    flight = in_flight(moment)
    for answer in answers:
        flight.room()
        flight.add(1, 1, answer)
    assert moment.sleeps == 0
    moment.on_sleep = lambda: setattr(answers[1], "is_done", moment.sleeps == 4)
    flight.room()
    assert moment.sleeps == 4
    assert flight.bytes == 2


def test_a_sender_waits_while_too_many_bytes_are_unanswered() -> None:
    moment, large = Moment(), Answer()
    flight = in_flight(moment)
    flight.add(1, 100, large)
    moment.on_sleep = lambda: setattr(large, "is_done", True)
    flight.room()
    assert (moment.sleeps, flight.bytes) == (1, 0)


def test_a_sender_does_not_wait_for_ever_for_room() -> None:
    moment = Moment()
    flight = in_flight(moment, records=1)
    flight.add(1, 1, Answer())
    with pytest.raises(PublishFailed, match=r"none of 1 records .* k:1 for 2. s"):
        flight.room()


def test_a_sender_waits_on_while_answers_come() -> None:
    moment, answers = Moment(), [Answer() for _ in range(5)]
    flight = in_flight(moment, records=1)
    for answer in answers:
        flight.add(1, 1, answer)

    def one_more_answer() -> None:
        if moment.sleeps % 30 == 0:  # each 15 s
            answers[moment.sleeps // 30 - 1].is_done = True

    moment.on_sleep = one_more_answer
    flight.room()
    assert moment.now >= 75


def test_the_oldest_record_without_an_answer_is_known_until_a_flush_succeeds() -> None:
    moment, first, second = Moment(), Answer(), Answer()
    flight = in_flight(moment)
    assert flight.oldest_s() == 0
    flight.add(1, 1, first)
    moment.now = 10
    flight.add(1, 1, second)
    assert flight.oldest_s() == 10
    first.is_done = True
    moment.now = 15
    assert flight.oldest_s() == 5
    with pytest.raises(PublishFailed):
        flight.settle()
    moment.now = 20
    assert flight.oldest_s() == 10  # given up, and not forgotten
    flight.settle()
    assert flight.oldest_s() == 0


def test_settling_tells_of_failed_records_once_with_the_reason() -> None:
    flight = in_flight(Moment())
    flight.add(1, 1, Answer(is_done=True))
    flight.add(1, 1, Answer(is_done=True, exception=ValueError("too large")))
    with pytest.raises(PublishFailed, match=r"1 records .* ValueError: too large"):
        flight.settle()
    flight.settle()
    assert flight.bytes == 0


def test_a_failure_found_while_waiting_for_room_is_not_forgotten() -> None:
    flight = in_flight(Moment(), records=1)
    flight.add(1, 1, Answer(is_done=True, exception=OSError()))
    flight.room()
    with pytest.raises(PublishFailed, match="OSError"):
        flight.settle()


def test_a_record_without_an_answer_is_not_durable() -> None:
    flight = in_flight(Moment())
    flight.add(1, 1, Answer())
    with pytest.raises(PublishFailed, match="1 records got no answer"):
        flight.settle()
