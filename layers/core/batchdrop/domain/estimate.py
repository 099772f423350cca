"""What a request will roughly cost, from its text alone: nothing is sent to find out."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from batchdrop.domain.cost import batch_dollars
from batchdrop.domain.tokens import Tokens

CHARS_PER_TOKEN = 4  # of Latin script, by the older tokeniser
NEW_TOKENISER = 1.3  # models from 4.7 on make up to 30 % more tokens of a text
OLD_TOKENISER_MODELS = (
    "claude-haiku-4-5",
    "claude-sonnet-4-5",
    "claude-sonnet-4-6",
    "claude-opus-4-5",
    "claude-opus-4-6",
)


@dataclass(slots=True)
class Estimate:
    """Tokens and dollars of many requests. `low` counts no output at all, `high` as much as `max_tokens` allows."""

    model: str
    max_tokens: int
    requests: int = 0
    input_tokens: int = 0

    def add(self, params: bytes) -> None:
        """Count one request by its `params`."""
        self.requests += 1
        self.input_tokens += tokens_of(params, self.model)

    @property
    def low(self) -> Decimal | None:
        """Return dollars at the batch price if answers were empty; None where the price is not known."""
        return self._dollars(0)

    @property
    def high(self) -> Decimal | None:
        """Return dollars at the batch price if every answer took `max_tokens`."""
        return self._dollars(self.max_tokens * self.requests)

    def _dollars(self, output: int) -> Decimal | None:
        return batch_dollars([Tokens(self.model, answers=self.requests, input=self.input_tokens, output=output)])


def tokens_of(text: bytes, model: str) -> int:
    """Return the tokens of UTF-8 text: four Latin characters each, or one CJK character; right within about a third."""
    chars = len(text) if text.isascii() else len(text.decode("utf-8", "replace"))
    wide = min(chars, (len(text) - chars) // 2)
    plain = wide + (chars - wide) / CHARS_PER_TOKEN
    return round(plain * (1.0 if model.startswith(OLD_TOKENISER_MODELS) else NEW_TOKENISER))
