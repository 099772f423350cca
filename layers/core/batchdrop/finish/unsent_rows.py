"""The rows of a shard that wait to be sent, in a job that goes in waves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from batchdrop.admission.budget import BudgetState
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.next_round import escalated_rows, rounds_of, to_send_again, without_escalated
from batchdrop.job.manifest import Manifest
from batchdrop.job.shard_state import ShardState


@dataclass(frozen=True, slots=True)
class Unsent:
    """The rows of a shard that wait: never sent, to be sent again, with a raised limit, or without our own limit.

    `escalated` rows go to the other model; some of them are `raised`, too.
    """

    new: int
    again: frozenset[int]
    raised: frozenset[int]
    restored: frozenset[int]
    escalated: frozenset[int] = frozenset()

    @property
    def known(self) -> frozenset[int]:
        """Return the rows that were sent before."""
        return self.again | self.raised | self.restored | self.escalated

    @property
    def count(self) -> int:
        """Return how many rows wait."""
        return self.new + len(self.known)


def limited_rounds(standing: BudgetState, shard: int, rounds: int) -> frozenset[int]:
    """Return the rounds of a shard that limited `max_tokens`."""
    waves = ((number, standing.wave(shard, number)) for number in range(rounds))
    return frozenset(number for number, wave in waves if wave is not None and wave.limit)


def unsent_rows(state: ShardState, manifest: Manifest, index: AnswerIndex, *, goes_live: bool) -> Unsent:
    """Return the rows that wait after a round. `goes_live`: the next round changes the lane, and has one round more.

    A round of the shard sends only some rows, so the recipe's `max_rounds` counts for each row. The time that our own
    limit cut a row does not count.
    """
    most = rounds_of(manifest, state.resumes) + goes_live

    def with_rounds_left(rows: Iterable[int]) -> frozenset[int]:
        return frozenset(row for row in rows if index.attempts(row) - index.was_shortened(row) < most)

    again, raised = to_send_again(index, manifest)
    new = max(0, manifest.shards[state.shard].requests - index.rows_sent)
    restored = with_rounds_left(without_escalated(index, index.shortened()) - raised)
    raised, escalated = escalated_rows(index, manifest, {*with_rounds_left(raised)}, most=most)
    return Unsent(new, with_rounds_left(again), frozenset(raised), restored, frozenset(escalated))
