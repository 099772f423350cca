"""The requests that the next round of a job with packs may send: packs, repeated packs, and rows alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from batchdrop.answers.pack_members import PackMembers
from batchdrop.answers.verdict import Verdict
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.escalated_rows import PACK_TRIES, EscalatedRows
from batchdrop.finish.next_round import rounds_of, to_send_again
from batchdrop.finish.pack_draw import drawn, packed_by_plan
from batchdrop.finish.pack_plan import PackPlanner
from batchdrop.finish.packed_rounds import PackedRounds
from batchdrop.finish.shard_requests import ShardRequests
from batchdrop.job.manifest import Manifest
from batchdrop.job.shard_state import ShardState


@dataclass(frozen=True, slots=True)
class Unit:
    """One request of the round. `sent_in` is the round whose bytes it repeats, 0 for none.

    `is_escalated`: it goes to the other model. `is_new`: none of its rows was sent before.
    """

    rows: tuple[int, ...]
    sent_in: int = 0
    is_raised: bool = False
    is_new: bool = False
    is_escalated: bool = False


class WaitingRequests:
    """The requests that the next round may send."""

    def __init__(
        self, state: ShardState, manifest: Manifest, index: AnswerIndex, rounds: PackedRounds, requests: ShardRequests
    ) -> None:
        self._manifest = manifest
        self._index = index
        self._rounds = rounds
        self._requests = requests
        self._was_packed = state.round > 0
        self._most = rounds_of(manifest, state.resumes)
        self._members: dict[int, PackMembers] = {}
        again, self._raised = to_send_again(index, manifest)
        missed = index.missed()
        tried = {row for row in again - missed if index.attempts(row) < PACK_TRIES}
        self._packs = self._repeated(row for row in tried if index.verdict(row) < Verdict.NEVER)
        self._alone = again - missed - {row for unit in self._packs for row in unit.rows}
        self._missed = missed - self._raised
        self._claims = index.escalations
        self._escalated = EscalatedRows(index, manifest)
        self._other_packs = self._repeated(self._escalated.unpaid, is_escalated=True)
        self._new = self._drawn([row for row in requests.rows() if not index.attempts(row)])
        self._other_new = self._drawn(self._escalated.fresh, is_other=True)
        self.has_new = any(not index.attempts(row) for row in requests.rows())

    def units(self, *, goes_live: bool) -> list[Unit]:
        """Return the requests in the order in which they are sent; `goes_live` gives each row one more round."""
        most = self._most + goes_live

        def has_rounds_left(row: int) -> bool:
            return self._index.attempts_alone(row) < most

        alone = sorted(filter(has_rounds_left, self._missed | self._alone))
        raised_rows = sorted(filter(has_rounds_left, self._raised))
        packs = [unit for unit in self._packs if has_rounds_left(unit.rows[0])]
        return [
            *[Unit((row,)) for row in alone],
            *[Unit((row,), is_raised=True) for row in raised_rows],
            *packs,
            *self._to_other(most),
            *self._new,
        ]

    def _to_other(self, most: int) -> list[Unit]:
        """Return the requests for the other model, which has `most` rounds for each row."""
        packs = [unit for unit in self._other_packs if self._escalated.has_rounds_left(unit.rows[0], most)]
        in_packs = {row for unit in (*self._other_packs, *self._other_new) for row in unit.rows}
        alone = [row for row in self._escalated.alone(most) if row not in in_packs]
        return [
            *[Unit((row,), is_raised=row in self._escalated.raised, is_escalated=True) for row in alone],
            *packs,
            *self._other_new,
        ]

    def members(self) -> PackMembers:
        """Return the round's sidecar."""
        members = PackMembers(self._index.rows)
        for unit in (*self._packs, *self._other_packs, *self._other_new, *self._new):
            if len(unit.rows) > 1:
                shared = len(self._requests.text(unit.rows[0]).shared) // len(unit.rows)
                members.add(unit.rows, [shared + (self._requests.chars(row) or 0) for row in unit.rows])
        return members

    def _repeated(self, rows: Iterable[int], *, is_escalated: bool = False) -> list[Unit]:
        """Return the packs that sent these rows last, and that are sent again as they were."""
        packs: dict[int, Unit] = {}
        for row in rows:
            last = self._index.last_round(row)
            first = self._pack_of(row, last)
            if first is not None and first not in packs:
                packs[first] = Unit(tuple(self._members[last].pack_of(first)), last, is_escalated=is_escalated)
        return [packs[first] for first in sorted(packs)]

    def _pack_of(self, row: int, last: int) -> int | None:
        """Return the lowest row of the pack that sent a row in its last round; None if it was sent alone."""
        if self._rounds.lines_of(last) is None:
            return None
        if last not in self._members:
            self._members[last] = self._rounds.members(last)
        return self._members[last].first_of(row)

    def _drawn(self, fresh: list[int], *, is_other: bool = False) -> list[Unit]:
        """Return the packs of rows that the recipe's model, or the other one, has never got."""
        if not fresh:
            return []
        in_order = drawn(fresh, self._manifest.upload.job_id.encode(), self._requests.group)
        planner = PackPlanner(self._manifest, self._rounds, self._requests, claims=self._claims, is_other=is_other)
        waits = [unit.rows[0] for unit in (self._other_packs if is_other else self._packs)]
        tries_of = self._escalated.tries if is_other else self._index.attempts_alone
        was_packed = self._escalated.was_sent if is_other else self._was_packed
        plan = planner.plan(in_order, was_packed=was_packed, waits=any(tries_of(row) < self._most for row in waits))
        packs = packed_by_plan(in_order, plan, self._requests.chars, self._requests.group)
        return [Unit(rows, is_new=not is_other, is_escalated=is_other) for rows in packs]
