"""What the Messages API says to one request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Room:
    """What the API's headers say of one rate limit: `limit` a minute, of which `remaining` are free now."""

    limit: float
    remaining: float


@dataclass(frozen=True, slots=True)
class Limits:
    """The rate limits of one model, as far as an answer's headers told them."""

    requests: Room | None = None
    input_tokens: Room | None = None
    output_tokens: Room | None = None


UNKNOWN_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Answer:
    """The API answered: `body` is the message's JSON as it came, not looked at yet. It is billed."""

    body: bytes
    limits: Limits = UNKNOWN_LIMITS


@dataclass(frozen=True, slots=True)
class Throttled:
    """429 (`is_global` False) or 529 (True): later, after `retry_after` seconds if it was said. Nothing is billed."""

    kind: str
    message: str
    retry_after: float | None = None
    is_global: bool = False
    limits: Limits = UNKNOWN_LIMITS


@dataclass(frozen=True, slots=True)
class Passing:
    """It failed, and may go better next time.

    `is_uncertain`: the request was sent and its answer was lost, so that nobody knows whether it is billed.
    """

    kind: str
    message: str
    is_uncertain: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The request itself was refused, for good: `kind` and `message` are the API's own. Nothing is billed."""

    kind: str
    message: str


Reply = Answer | Throttled | Passing | Refused
