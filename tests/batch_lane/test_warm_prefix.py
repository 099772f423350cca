"""When a shard may be marked: only while the prefix is warm, and only as long as shards read it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from batchdrop.batch_lane.warm_prefix import PrefixFacts, WarmPrefix
from tests.admission_fakes import FakeSharedStates
from tests.fakes import START, FakeClock

MINUTE = timedelta(minutes=1)
PRIMED = PrefixFacts().after(requests=1, read=0, written=1_024, ended_at=START)


def test_nothing_is_primed_before_the_primer_has_ended() -> None:
    """Nor after a primer that wrote nothing: its prefix is too short for the model."""
    assert not PrefixFacts().is_primed(START)
    assert not PrefixFacts().after(requests=1, read=0, written=0, ended_at=START).is_primed(START)


def test_a_primed_prefix_is_warm_once_a_probe_has_read_it() -> None:
    """Until then, only the probe is marked."""
    assert not PRIMED.is_warm(START)
    assert PRIMED.after(requests=20, read=95, written=5, ended_at=START).is_warm(START)


@pytest.mark.parametrize(("minutes", "is_warm"), [(0, True), (50, True), (51, False)])
def test_a_primer_warms_for_fifty_minutes(minutes: int, is_warm: bool) -> None:  # noqa: FBT001 - a table column
    """An entry lives for an hour; the rest is for the queue."""
    assert PRIMED.is_primed(START + minutes * MINUTE) == is_warm


def test_a_message_batch_that_read_warms_again() -> None:
    """Its reads have renewed the entry."""
    later = START + 45 * MINUTE
    facts = PRIMED.after(requests=9, read=9_000, written=100, ended_at=later)
    assert facts.is_warm(START + 90 * MINUTE)
    assert not facts.is_warm(START + 96 * MINUTE)


@pytest.mark.parametrize(("read", "written", "is_warm"), [(61, 39, True), (59, 41, False), (0, 100, False)])
def test_a_marked_shard_that_hardly_reads_is_the_last_one(read: int, written: int, is_warm: bool) -> None:  # noqa: FBT001 - a table column
    """Below 60 % read, no later shard is marked."""
    facts = PRIMED.after(requests=100, read=read, written=written, ended_at=START + MINUTE)
    assert facts.is_warm(START + 2 * MINUTE) == is_warm
    again = facts.after(requests=100, read=100, written=0, ended_at=START + 3 * MINUTE)
    assert again.is_warm(START + 4 * MINUTE) == is_warm


def test_an_unmarked_shard_says_nothing() -> None:
    """It neither reads nor writes."""
    assert PRIMED.after(requests=100, read=0, written=0, ended_at=START + MINUTE) == PRIMED


def test_facts_are_kept_in_the_ledger() -> None:
    """A second note of the same round changes nothing."""
    prefix = WarmPrefix("job", FakeSharedStates(), FakeClock())
    assert prefix.facts() == PrefixFacts()
    for _ in range(2):
        prefix.note(requests=1, read=0, written=1_024, ended_at=START)
        assert prefix.facts() == PRIMED
