"""The API's processing queue as the ledger counts it: the places, and the line of waiting rounds. Pure arithmetic.

The API limits the requests of all open Message Batches, over all jobs. So each round takes a place before it is sent,
and leaves it when its Message Batch has ended. Round names sort by the job's upload time, then by shard. The line is
served in that order. Its first round holds back all others until it fits, so small shards cannot overtake a large one
for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

MOST_PLACES = 1_000  # ours: concurrent rounds; keeps the state below 70 KB of DynamoDB's 400
MOST_LISTED = 100  # ours: stored rounds of the line; all others come after them


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """A place, or a position in the line, for some requests; it expires at `until` (Unix seconds) unless renewed."""

    requests: int
    until: int


class QueueState(msgspec.Struct, frozen=True):
    """All places, and the first MOST_LISTED rounds in the line, by round name."""

    places: dict[str, Claim] = {}
    line: dict[str, Claim] = {}

    @property
    def requests(self) -> int:
        """Return how many requests have a place."""
        return sum(claim.requests for claim in self.places.values())


@dataclass(frozen=True, slots=True)
class Candidate:
    """A round that wants a place: `place` is its claim if admitted, `in_line` its claim if it must wait."""

    name: str
    place: Claim
    in_line: Claim


def round_name(job_id: str, shard: int, round_number: int) -> str:
    """Return a round's name; those of older jobs sort first, because job ids start with the upload time."""
    return f"{job_id}/{shard:05d}/r{round_number:02d}"


def request_place(state: QueueState, candidate: Candidate, *, now: int, limit: int) -> tuple[QueueState, bool]:
    """Return the state after a round tried to enter, and whether it has a place.

    A round keeps its place. A round larger than the limit enters when the queue is empty.
    """
    known = _fresh(state, now)
    others = {name: claim for name, claim in known.line.items() if name != candidate.name}
    if candidate.name in known.places or _may_enter(known, others, candidate, limit):
        return QueueState({**known.places, candidate.name: candidate.place}, others), True
    names = sorted([*others, candidate.name])[:MOST_LISTED]
    line = {**others, candidate.name: candidate.in_line}
    return QueueState(known.places, {name: line[name] for name in names}), False


def leave(state: QueueState, prefix: str) -> QueueState:
    """Return the state without the claims whose names start with `prefix`: one round's, or all of a job's."""
    return QueueState(_without(state.places, prefix), _without(state.line, prefix))


def _may_enter(state: QueueState, others: dict[str, Claim], candidate: Candidate, limit: int) -> bool:
    if any(name < candidate.name for name in others):
        return False
    fits = state.requests + candidate.place.requests <= limit and len(state.places) < MOST_PLACES
    return fits or not state.places


def _fresh(state: QueueState, now: int) -> QueueState:
    """Return the state without expired claims: their functions, executions or Message Batches are gone."""
    places = {name: claim for name, claim in state.places.items() if claim.until > now}
    line = {name: claim for name, claim in state.line.items() if claim.until > now}
    return QueueState(places, line)


def _without(claims: dict[str, Claim], prefix: str) -> dict[str, Claim]:
    return {name: claim for name, claim in claims.items() if not name.startswith(prefix)}
