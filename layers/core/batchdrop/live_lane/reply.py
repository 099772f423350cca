"""What the Messages API says to one request."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

_PREFIX = "anthropic-ratelimit-"
_NOTHING: dict[str, str] = {}


class Room(msgspec.Struct, frozen=True):
    """What the API's headers say of one rate limit: `limit` a minute, of which `remaining` are free now."""

    limit: float
    remaining: float


class Limits(msgspec.Struct, frozen=True):
    """The rate limits of one model, as far as an answer's headers told them."""

    requests: Room | None = None
    input_tokens: Room | None = None
    output_tokens: Room | None = None


UNKNOWN_LIMITS = Limits()


class Answer(msgspec.Struct, frozen=True):
    """The API answered: `body` is the message's JSON as it came, not looked at yet. It is billed.

    `headers` are the answer's, whatever the case of their names; `limits_of` reads them.
    """

    body: bytes
    headers: Mapping[str, str] = _NOTHING


class Throttled(msgspec.Struct, frozen=True):
    """429 (`is_global` False) or 529 (True): later, after `retry_after` seconds if it was said. Nothing is billed."""

    kind: str
    message: str
    retry_after: float | None = None
    is_global: bool = False
    limits: Limits = UNKNOWN_LIMITS


class Passing(msgspec.Struct, frozen=True):
    """It failed, and may go better next time.

    `is_uncertain`: the request was sent and its answer was lost, so that nobody knows whether it is billed.
    """

    kind: str
    message: str
    is_uncertain: bool = False


class Refused(msgspec.Struct, frozen=True):
    """The request itself was refused, for good: `kind` and `message` are the API's own. Nothing is billed."""

    kind: str
    message: str


Reply = Answer | Throttled | Passing | Refused


def limits_of(headers: Mapping[str, str]) -> Limits:
    """Return what the headers of an answer, or of a refusal, tell of the rate limits."""
    return Limits(_room(headers, "requests"), _room(headers, "input-tokens"), _room(headers, "output-tokens"))


def _room(headers: Mapping[str, str], name: str) -> Room | None:
    try:
        limit = float(headers[f"{_PREFIX}{name}-limit"])
        return Room(limit, float(headers[f"{_PREFIX}{name}-remaining"])) if limit > 0 else None
    except (KeyError, ValueError):
        return None
