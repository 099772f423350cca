"""The state that Step Functions carries for a shard: small, and each step changes what is its own."""

import json

import msgspec
import pytest

from batchdrop.job.polling import MOST_LOOKS, MOST_LOOKS_IN_ALL, POLL_FIRST_WAIT, SETTLE_FIRST_WAIT, settle_seconds
from batchdrop.job.shard_state import ShardState, as_state

FRESH = ShardState("20261122T120000-0123456789", 0, 1, 5, 1_800_000_000)
BATCH = "msgbatch_" + "x" * 24


def test_a_state_is_small_plain_json() -> None:
    """Step Functions carries it between all steps: a few hundred bytes, and it comes back as it was."""
    state = ShardState("20261122T120000-0123456789", 99_999, 100_000, 100_000, 1_800_000_000, resumes=99)
    later = state.submitted(BATCH, is_collected=False, wait_seconds=20).polled(ended=True, wait_seconds=0)
    assert len(json.dumps(as_state(later))) < 480
    assert (later.polls, later.ended, later.batch_id) == (1, True, BATCH)
    assert msgspec.convert(json.loads(json.dumps(as_state(later))), ShardState) == later


def test_a_submission_counts_its_polls_anew() -> None:
    """A submission starts the wait policy from its beginning."""
    state = msgspec.structs.replace(FRESH, polls=9, ended=True)
    submitted = state.submitted("b", is_collected=False, wait_seconds=20)
    assert (submitted.polls, submitted.ended, submitted.wait_seconds) == (0, False, 20)


def test_what_is_collected_is_not_polled() -> None:
    """A resumed job goes from the submission straight to the kept answers."""
    assert FRESH.submitted("b", is_collected=True, wait_seconds=20).ended


def test_open_looks_are_counted_and_come_later_and_later() -> None:
    """As long as nothing is known, the waits between two looks grow."""
    state, waits = FRESH, []
    for look in range(8):
        state = state.looked("open", batch_id="")
        assert (state.settled, state.looks) == ("open", look + 1)
        waits.append(state.wait_seconds)
    assert waits == [settle_seconds(look) for look in range(8)] == sorted(waits)


def test_an_adopted_message_batch_is_polled_from_the_beginning() -> None:
    """The first look comes after the first wait, whatever an earlier round had left in the state."""
    state = msgspec.structs.replace(FRESH, looks=3, polls=7, ended=True).looked("accepted", batch_id=BATCH)
    assert (state.batch_id, state.polls, state.looks, state.ended) == (BATCH, 0, 0, False)
    assert state.wait_seconds == POLL_FIRST_WAIT


def test_what_was_absent_is_looked_for_anew() -> None:
    """A second lost answer has looks of its own."""
    state = msgspec.structs.replace(FRESH, looks=3).looked("absent", batch_id="")
    assert (state.settled, state.looks, state.batch_id) == ("absent", 0, "")


def test_one_submission_is_looked_for_so_long() -> None:
    """The last look that may leave it open is the MOST_LOOKS-th; what comes after a verdict has as many again."""
    state = msgspec.structs.replace(FRESH, looks=MOST_LOOKS - 2)
    assert not state.is_last_look
    state = state.looked("open", batch_id="")
    assert state.is_last_look
    assert not state.looked("absent", batch_id="").is_last_look


def test_all_looks_of_an_execution_are_counted() -> None:
    """Whatever they found, in whichever round: so the loops of a child end before its history does."""
    state = msgspec.structs.replace(FRESH, all_looks=MOST_LOOKS_IN_ALL - 3)
    for verdict in ("absent", "accepted"):
        assert not state.is_last_look
        state = state.looked(verdict, batch_id="").collected(leftovers=1)
    assert state.is_last_look


def test_leftovers_are_the_next_rounds_requests() -> None:
    """The next round has no Message Batch yet, and its first wait for settling is the policy's."""
    state = FRESH.submitted(BATCH, is_collected=False, wait_seconds=330).collected(leftovers=2)
    assert (state.round, state.requests, state.leftovers, state.batch_id) == (1, 2, 2, "")
    assert state.wait_seconds == SETTLE_FIRST_WAIT


@pytest.mark.parametrize("round_number", [0, 4])
def test_the_last_round_leaves_nothing(round_number: int) -> None:
    """Without leftovers the state stays where it is, and the Choice goes on to the shard's end."""
    state = msgspec.structs.replace(FRESH, round=round_number, leftovers=3).collected(leftovers=0)
    assert (state.round, state.leftovers) == (round_number, 0)
