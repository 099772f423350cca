"""The API's processing queue, as the ledger counts it: who has a place, and who waits for one. Pure arithmetic.

A limit of the API counts the requests of all Message Batches that have not ended, whatever job they are of. So each
round of a shard takes a place before it is sent and leaves it when its Message Batch has ended. Names of rounds sort by
their job's upload time, then by shard: the line is served in that order, and whoever is first in it holds back all
others until it fits. So a large shard is never overtaken for ever by small ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

MOST_PLACES = 1_000  # ours: rounds in the queue at once, so that the state stays below 70 KB of DynamoDB's 400
MOST_LISTED = 100  # ours: those in the line that are written down; the others come after all of them


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """A place, or a wish for one: so many requests; forgotten at `until` (Unix seconds) if nobody comes by again."""

    requests: int
    until: int


class QueueState(msgspec.Struct, frozen=True):
    """All places, and the first MOST_LISTED in the line, by the rounds' names."""

    places: dict[str, Claim] = {}
    line: dict[str, Claim] = {}

    @property
    def requests(self) -> int:
        """Return how many requests have a place."""
        return sum(claim.requests for claim in self.places.values())


@dataclass(frozen=True, slots=True)
class Wish:
    """What a round asks for: `place` is its own if it is admitted, `in_line` if it must wait."""

    name: str
    place: Claim
    in_line: Claim


def round_name(job_id: str, shard: int, asked_round: int) -> str:
    """Return the name of a round; an older job's sorts first, for its id begins with the time of its upload."""
    return f"{job_id}/{shard:05d}/r{asked_round:02d}"


def ask(state: QueueState, wish: Wish, *, now: int, limit: int) -> tuple[QueueState, bool]:
    """Return the state after a round came by, and whether it has a place.

    One that has a place keeps it. One that is larger than the limit has its turn when the queue is empty.
    """
    known = _fresh(state, now)
    others = {name: claim for name, claim in known.line.items() if name != wish.name}
    if wish.name in known.places or _may_enter(known, others, wish, limit):
        return QueueState({**known.places, wish.name: wish.place}, others), True
    names = sorted([*others, wish.name])[:MOST_LISTED]
    line = {**others, wish.name: wish.in_line}
    return QueueState(known.places, {name: line[name] for name in names}), False


def leave(state: QueueState, prefix: str) -> QueueState:
    """Return the state without the places and wishes whose names begin so: one round's, or all of a job's."""
    return QueueState(_without(state.places, prefix), _without(state.line, prefix))


def _may_enter(state: QueueState, others: dict[str, Claim], wish: Wish, limit: int) -> bool:
    if any(name < wish.name for name in others):
        return False
    fits = state.requests + wish.place.requests <= limit and len(state.places) < MOST_PLACES
    return fits or not state.places


def _fresh(state: QueueState, now: int) -> QueueState:
    """Drop what nobody came back for: its function, execution or Message Batch is no more."""
    places = {name: claim for name, claim in state.places.items() if claim.until > now}
    line = {name: claim for name, claim in state.line.items() if claim.until > now}
    return QueueState(places, line)


def _without(claims: dict[str, Claim], prefix: str) -> dict[str, Claim]:
    return {name: claim for name, claim in claims.items() if not name.startswith(prefix)}
