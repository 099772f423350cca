"""The rows of a packed job that wait for the other model: for the first time, again, or alone."""

from __future__ import annotations

from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.next_round import escalated_rows
from batchdrop.job.manifest import Manifest

PACK_TRIES = 2  # ours: a pack that came back unpaid so often may have a row that fails each time, so its rows go alone
_ANY = 1 << 16  # rounds; no row has so many


class EscalatedRows:
    """The rows that wait for the other model.

    `fresh` ones were never sent to it, and may share requests. `unpaid` ones were in a pack that came back unpaid.
    `raised` ones go with twice their `max_tokens`, each alone. `was_sent`: some row of the shard was sent to it before.
    """

    def __init__(self, index: AnswerIndex, manifest: Manifest) -> None:
        self._claims = index.escalations
        self.raised, self._waiting = escalated_rows(index, manifest, set(), most=_ANY)
        claims, in_order = self._claims, sorted(self._waiting)
        self.fresh: list[int] = []
        self.unpaid: list[int] = []
        self.was_sent = False
        if claims is None:
            return
        may_be_packed = [row for row in in_order if row not in self.raised and not claims.was_missed(row)]
        self.fresh = [row for row in may_be_packed if not claims.tries(row)]
        self.unpaid = [row for row in may_be_packed if 0 < claims.tries(row) < PACK_TRIES]
        self.was_sent = any(claims.was_sent(row) for row in claims.claimed)

    def tries(self, row: int) -> int:
        """Return the rounds that sent a row to the other model."""
        return 0 if self._claims is None else self._claims.tries(row)

    def has_rounds_left(self, row: int, most: int) -> bool:
        """Return whether the other model has a round left for a row."""
        return self.tries(row) < most

    def alone(self, most: int) -> list[int]:
        """Return the rows with rounds left that were sent to the other model before, or that go alone."""
        waiting = self._waiting.difference(self.fresh)
        return sorted(row for row in waiting if self.has_rounds_left(row, most))
