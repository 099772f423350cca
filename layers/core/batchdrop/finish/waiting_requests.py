"""The requests that the next round of a job with packs may send: packs, repeated packs, and rows alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from batchdrop.answers.pack_members import PackMembers
from batchdrop.answers.verdict import Verdict
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.next_round import rounds_of, to_send_again
from batchdrop.finish.pack_draw import drawn, packed_by_plan
from batchdrop.finish.pack_plan import PackPlanner
from batchdrop.finish.packed_rounds import PackedRounds
from batchdrop.finish.shard_requests import ShardRequests
from batchdrop.job.manifest import Manifest
from batchdrop.job.shard_state import ShardState

PACK_TRIES = 2  # ours: a pack that came back unpaid so often may have a row that fails each time, so its rows go alone


@dataclass(frozen=True, slots=True)
class Unit:
    """One request of the round. `sent_in` is the round whose bytes it repeats, 0 for none."""

    rows: tuple[int, ...]
    sent_in: int = 0
    is_raised: bool = False
    is_new: bool = False


class WaitingRequests:
    """The requests that the next round may send."""

    def __init__(
        self, state: ShardState, manifest: Manifest, index: AnswerIndex, rounds: PackedRounds, requests: ShardRequests
    ) -> None:
        self._index = index
        self._rounds = rounds
        self._requests = requests
        self._most = rounds_of(manifest, state.resumes)
        self._members: dict[int, PackMembers] = {}
        again, self._raised = to_send_again(index, manifest)
        missed = index.missed()
        self._alone, self._packs = self._parted(again - missed)
        self._missed = missed - self._raised
        self._new = self._drawn(manifest, was_packed=state.round > 0)
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
            *self._new,
        ]

    def members(self) -> PackMembers:
        """Return the round's sidecar."""
        members = PackMembers(self._index.rows)
        for unit in (*self._packs, *self._new):
            if len(unit.rows) > 1:
                shared = len(self._requests.text(unit.rows[0]).shared) // len(unit.rows)
                members.add(unit.rows, [shared + (self._requests.chars(row) or 0) for row in unit.rows])
        return members

    def _parted(self, rows: Iterable[int]) -> tuple[set[int], list[Unit]]:
        """Return the rows to send alone, and the packs to send again as they were."""
        alone, packs = set(), {}
        for row in rows:
            last = self._index.last_round(row)
            may_be_packed = self._index.verdict(row) < Verdict.NEVER and self._index.attempts(row) < PACK_TRIES
            first = self._pack_of(row, last) if may_be_packed else None
            if first is None:
                alone.add(row)
            elif first not in packs:
                packs[first] = Unit(tuple(self._members[last].pack_of(first)), sent_in=last)
        return alone, [packs[first] for first in sorted(packs)]

    def _pack_of(self, row: int, last: int) -> int | None:
        """Return the lowest row of the pack that sent a row in its last round; None if it was sent alone."""
        if self._rounds.lines_of(last) is None:
            return None
        if last not in self._members:
            self._members[last] = self._rounds.members(last)
        return self._members[last].first_of(row)

    def _drawn(self, manifest: Manifest, *, was_packed: bool) -> list[Unit]:
        fresh = [row for row in self._requests.rows() if not self._index.attempts(row)]
        if not fresh:
            return []
        fresh = drawn(fresh, manifest.upload.job_id.encode(), self._requests.group)
        planner = PackPlanner(manifest, self._rounds, self._requests)
        plan = planner.plan(fresh, was_packed=was_packed, waits=bool(self._packs))
        return [
            Unit(rows, is_new=True) for rows in packed_by_plan(fresh, plan, self._requests.chars, self._requests.group)
        ]
