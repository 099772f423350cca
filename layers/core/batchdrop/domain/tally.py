"""Counts by fate and tokens by price: what a shard's join adds up, and a job's summary shows."""

from __future__ import annotations

import msgspec

from batchdrop.domain.cost import is_long_prompt
from batchdrop.domain.outcome import Outcome
from batchdrop.domain.result import Message, Usage
from batchdrop.errors import InvariantBroken


class Tokens(msgspec.Struct):
    """Tokens of all answers of one model at one price tier. `long_prompt`: over the model's price step."""

    model: str
    long_prompt: bool = False
    answers: int = 0
    input: int = 0
    output: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0

    def add(self, usage: Usage) -> None:
        """Add one answer's usage."""
        self.answers += 1
        self.input += usage.input_tokens
        self.output += usage.output_tokens
        self.cache_read += usage.cache_read_input_tokens or 0
        if usage.cache_creation is not None:
            self.cache_write_5m += usage.cache_creation.ephemeral_5m_input_tokens
            self.cache_write_1h += usage.cache_creation.ephemeral_1h_input_tokens
        else:
            self.cache_write_5m += usage.cache_creation_input_tokens or 0

    def merge(self, other: Tokens) -> None:
        """Add another tally of the same model and tier."""
        for name in ("answers", "input", "output", "cache_write_5m", "cache_write_1h", "cache_read"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Tally(msgspec.Struct):
    """How many rows met which fate. `statuses` counts the `_status` column's values."""

    rows: int = 0
    answered: int = 0
    failed: int = 0
    rejected: int = 0
    statuses: dict[str, int] = {}
    tokens: list[Tokens] = []

    def add(self, outcome: Outcome) -> None:
        """Count one row."""
        self.rows += 1
        setattr(self, outcome.fate, getattr(self, outcome.fate) + 1)
        self.statuses[outcome.status] = self.statuses.get(outcome.status, 0) + 1
        if outcome.message is not None:
            self.add_paid(outcome.message)

    def add_paid(self, message: Message) -> None:
        """Count the tokens of an answer, also of one that a later answer replaced."""
        self._tokens(message.model, long_prompt=is_long_prompt(message.usage)).add(message.usage)

    def merge(self, other: Tally) -> None:
        """Add the tally of another shard."""
        for name in ("rows", "answered", "failed", "rejected"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for status, count in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + count
        for tokens in other.tokens:
            self._tokens(tokens.model, long_prompt=tokens.long_prompt).merge(tokens)

    def check(self, *, rows: int, where: str) -> None:
        """Raise InvariantBroken unless every one of `rows` rows has exactly one fate."""
        accounted = self.answered + self.failed + self.rejected
        if not self.rows == accounted == rows:
            message = (
                f"{where}: {rows} rows in, but {self.answered} answered + {self.failed} failed + "
                f"{self.rejected} rejected = {accounted}"
            )
            raise InvariantBroken(message)

    def _tokens(self, model: str, *, long_prompt: bool) -> Tokens:
        for tokens in self.tokens:
            if tokens.model == model and tokens.long_prompt == long_prompt:
                return tokens
        self.tokens.append(Tokens(model, long_prompt))
        return self.tokens[-1]
