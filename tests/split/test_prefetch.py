"""Rows asked a few at a time: in order, in bounds, and with their errors in their own turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from batchdrop.split.prefetch import Prefetch, Room

WAIT = 10.0


def test_answers_come_in_order_though_made_together() -> None:
    """All rows are under way at the same time: each waits until the last one has started."""
    together = threading.Barrier(4)

    def ask(number: int) -> int:
        together.wait(WAIT)
        return number * 10

    assert list(Prefetch(ask, Room(), ahead=4).answers(iter(range(8)))) == [number * 10 for number in range(8)]


def test_no_more_rows_are_taken_than_may_be_under_way() -> None:
    """The file is read no further ahead."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    answers = Prefetch(str, Room(), ahead=3).answers(items())
    assert next(answers) == "0"
    assert len(taken) == 3
    assert next(answers) == "1"
    assert len(taken) == 4
    answers.close()


def test_bytes_in_flight_stay_bounded() -> None:
    """What rows have claimed, and nobody has taken yet, fits the room, but for the row that is next to be taken."""
    room, lock = Room(100), threading.Lock()
    held: dict[int, int] = {}
    most = 0

    def ask(number: int) -> int:
        nonlocal most
        size = 10 + 37 * number % 60
        room.claim(size)
        with lock:
            held[number] = size
            most = max(most, sum(held.values()))
        return number

    for number in Prefetch(ask, room, ahead=8).answers(iter(range(200))):
        with lock:
            del held[number]
    assert 60 < most <= 100 + 69


def test_the_first_row_never_waits_for_later_ones() -> None:
    """Later rows fill the room first; the one that everyone waits for gets what it claims all the same."""
    room = Room(10)
    filled = threading.Event()

    def ask(number: int) -> int:
        if number == 0:
            assert filled.wait(WAIT)
        room.claim(8)
        if number == 1:
            filled.set()
        return number

    assert list(Prefetch(ask, room, ahead=3).answers(iter(range(6)))) == list(range(6))


def test_a_row_larger_than_the_room_has_its_turn() -> None:
    """It goes alone."""
    room = Room(10)

    def ask(number: int) -> int:
        room.claim(1_000)
        room.claim(1_000)
        return number

    assert list(Prefetch(ask, room, ahead=4).answers(iter(range(5)))) == list(range(5))


def test_what_fails_fails_in_its_turn() -> None:
    """Rows before it are answered."""

    def ask(number: int) -> int:
        if number == 2:
            raise ValueError(number)
        return number

    answers = Prefetch(ask, Room(), ahead=8).answers(iter(range(9)))
    assert [next(answers), next(answers)] == [0, 1]
    with pytest.raises(ValueError, match="2"):
        next(answers)


def test_a_broken_file_is_reported_after_the_rows_before_it() -> None:
    """As without looking ahead."""

    def items() -> Iterator[int]:
        yield from range(3)
        raise EOFError

    seen: list[int] = []
    with pytest.raises(EOFError):
        seen.extend(Prefetch(int, Room(), ahead=8).answers(items()))
    assert seen == [0, 1, 2]


def test_closing_frees_a_waiting_row() -> None:
    """Out of time in the middle: no thread hangs, none goes on."""
    room = Room(10)
    begun = threading.Barrier(3)

    def ask(number: int) -> int:
        if number < 3:
            begun.wait(WAIT)
        room.claim(10)
        return number

    before = threading.active_count()
    answers = Prefetch(ask, room, ahead=3).answers(iter(range(50)))
    assert next(answers) == 0
    answers.close()
    assert threading.active_count() == before


def test_without_a_row_under_way_nothing_waits() -> None:
    """Somebody who attaches outside of a look-ahead is not held."""
    room = Room(1)
    room.claim(1_000)
    room.claim(1_000)
