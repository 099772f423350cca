"""The replies of the Messages API to one request."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

_PREFIX = "anthropic-ratelimit-"
_NOTHING: dict[str, str] = {}


class Room(msgspec.Struct, frozen=True):
    """One rate limit in the API's headers: `limit` per minute, of which `remaining` are free now."""

    limit: float
    remaining: float


class Limits(msgspec.Struct, frozen=True):
    """The rate limits of one model, as far as an answer's headers name them."""

    requests: Room | None = None
    input_tokens: Room | None = None
    output_tokens: Room | None = None


UNKNOWN_LIMITS = Limits()


class Answer(msgspec.Struct, frozen=True):
    """The API answered, and bills it. `body` is the message's JSON, unchanged and unchecked.

    `headers` are the answer's; their names are case-insensitive. `limits_of` reads them.
    """

    body: bytes
    headers: Mapping[str, str] = _NOTHING


class Throttled(msgspec.Struct, frozen=True):
    """429, 529 or 502: retry later, after `retry_after` seconds if the API named them. It uses up no try.

    `is_global`: 529 or 502, which no limit of the account explains. `is_server_error`: 502, whose page may hide an
    answer. Else nothing is billed.
    """

    kind: str
    message: str
    retry_after: float | None = None
    is_global: bool = False
    limits: Limits = UNKNOWN_LIMITS
    is_server_error: bool = False


class Passing(msgspec.Struct, frozen=True):
    """A transient failure: the request may succeed next time.

    `is_uncertain`: the request was sent and its answer was lost, so it may be billed. `is_server_error`: the API
    answered with an error of its own. It says that nothing is billed, but a gateway in between may be wrong.
    """

    kind: str
    message: str
    is_uncertain: bool = False
    is_server_error: bool = False


class Refused(msgspec.Struct, frozen=True):
    """The API refused the request for good. `kind` and `message` are the API's own. Nothing is billed."""

    kind: str
    message: str


Reply = Answer | Throttled | Passing | Refused


def limits_of(headers: Mapping[str, str]) -> Limits:
    """Return the rate limits in the headers of an answer or a refusal."""
    return Limits(_room(headers, "requests"), _room(headers, "input-tokens"), _room(headers, "output-tokens"))


def _room(headers: Mapping[str, str], name: str) -> Room | None:
    try:
        limit = float(headers[f"{_PREFIX}{name}-limit"])
        return Room(limit, float(headers[f"{_PREFIX}{name}-remaining"])) if limit > 0 else None
    except (KeyError, ValueError):
        return None
