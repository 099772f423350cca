"""Counts by fate and tokens by price: what a shard's join adds up, and a job's summary shows."""

from __future__ import annotations

import msgspec

from batchdrop.domain.cost import is_long_prompt, lane_of
from batchdrop.domain.outcome import Outcome
from batchdrop.domain.result import Message
from batchdrop.domain.statistics import Statistics
from batchdrop.domain.tokens import Lane, Tokens
from batchdrop.errors import InvariantBroken


class Tally(msgspec.Struct):
    """How many rows met which fate. `statuses` counts the `_status` column's values.

    `shared` counts the rows that got the answer of another row with the same request; `statistics` is for the report.
    """

    rows: int = 0
    answered: int = 0
    failed: int = 0
    rejected: int = 0
    shared: int = 0
    statuses: dict[str, int] = {}
    tokens: list[Tokens] = []
    statistics: Statistics = msgspec.field(default_factory=Statistics)

    def add(self, outcome: Outcome, *, is_shared: bool = False) -> None:
        """Count one row; the tokens of a shared answer are those of the row that was asked."""
        self.rows += 1
        match outcome.fate:
            case "answered":
                self.answered += 1
            case "failed":
                self.failed += 1
            case "rejected":
                self.rejected += 1
        self.statuses[outcome.status] = self.statuses.get(outcome.status, 0) + 1
        if is_shared:
            self.shared += outcome.fate == "answered"
        elif outcome.message is not None:
            self.add_paid(outcome.message)

    def add_paid(self, message: Message) -> None:
        """Count the tokens of an answer, also of one that a later answer replaced."""
        self._tokens(message.model, is_long_prompt(message.usage), lane_of(message.usage)).add(message.usage)

    def merge(self, other: Tally) -> None:
        """Add the tally of another shard."""
        for name in ("rows", "answered", "failed", "rejected", "shared"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for status, count in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + count
        for tokens in other.tokens:
            self._tokens(tokens.model, tokens.long_prompt, tokens.lane).merge(tokens)
        self.statistics.merge(other.statistics)

    def check(self, *, rows: int, where: str) -> None:
        """Raise InvariantBroken unless every one of `rows` rows has exactly one fate."""
        accounted = self.answered + self.failed + self.rejected
        if not self.rows == accounted == rows:
            message = (
                f"{where}: {rows} rows in, but {self.answered} answered + {self.failed} failed + "
                f"{self.rejected} rejected = {accounted}"
            )
            raise InvariantBroken(message)

    def _tokens(self, model: str, long_prompt: bool, lane: Lane) -> Tokens:  # noqa: FBT001 - as Tokens has them
        for tokens in self.tokens:
            if tokens.model == model and tokens.long_prompt == long_prompt and tokens.lane == lane:
                return tokens
        self.tokens.append(Tokens(model, long_prompt, lane))
        return self.tokens[-1]
