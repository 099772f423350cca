"""Permits: how fast all workers together may send requests to one model. Pure arithmetic; the ledger keeps the state.

There are three token buckets, as in the API: requests, input tokens, output tokens. They fill continuously at
`share` × limit × `pace`. `pace` starts low, climbs to 1, falls at each refusal and climbs again (additive increase,
multiplicative decrease). So a fleet starts gently, and backs off if other clients use the same limit. A level may fall
below zero by one lot, because the size of an answer is known only after it. The debt is paid before the next permit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import msgspec

from batchdrop.live_lane.reply import UNKNOWN_LIMITS, Limits, Room

FIRST_REQUESTS = 5.0  # a new fleet sends these at once, and learns the limits from their answers
ASSUMED_REQUESTS = 50.0  # a minute, while the limit is unknown: the API's lowest tier
MOST_ASSUMED = 4_000.0  # a minute; if no header ever has a limit, the pace may climb to this
START_PACE = 0.25  # "sharp ramps can cause 429"
RAMP_SECONDS = 30.0  # from no pace to the full one
RECOVERY_SECONDS = 150.0  # the same climb after a refusal; a faster one would meet the next refusal too soon
CAREFUL_SECONDS = 300.0  # for so long after a refusal the climb is slow
DOUBLING_SECONDS = 10.0  # of the pace, while the limit is unknown
CAREFUL_DOUBLING = 100.0  # the same after a refusal
SLOWDOWN = 0.7  # the pace's factor at a refusal
LEAST_PACE = 0.02
COOLDOWN = 10.0  # seconds in which further refusals count as one: all open requests are refused together
IDLE_SECONDS = 300.0  # after this time without use, a fleet starts gently again
BURST_SECONDS = 2.0  # an unused bucket keeps at most this much of its rate
LOT_SECONDS = 1.0  # a lot is at most the whole fleet's rate for this time, so that no worker takes everything
FIRST_TOKENS_A_BYTE = 0.25  # English text in JSON; a few answers correct it for the job
FIRST_OUTPUT_TOKENS = 100.0  # likewise
LEARNING = 0.05  # weight of each new answer in the moving average
DRAW_SECONDS = 0.5  # between two draws of a worker: at most two writes a second
MOST_DRAW_SECONDS = 5.0  # the same, if so many workers draw that their writes conflict
WAIT_UNTOLD = 2.0  # seconds, after a refusal without retry-after


class Need(msgspec.Struct, gc=False):
    """What requests use of the limits: their number and their tokens."""

    requests: float = 0.0
    input_tokens: float = 0.0
    output_tokens: float = 0.0

    def add(self, other: Need, times: float = 1.0) -> None:
        """Add the other, multiplied by `times`."""
        self.requests += times * other.requests
        self.input_tokens += times * other.input_tokens
        self.output_tokens += times * other.output_tokens


class Bucket(msgspec.Struct, frozen=True):
    """A limit per minute (None: not known), and the level that may be used now. Below zero it is a debt."""

    limit: float | None = None
    level: float = 0.0


class PermitState(msgspec.Struct, frozen=True):
    """The state of one model that all workers share. Times are seconds since the epoch.

    `spacing` is the seconds between two draws of a worker. It is the same for all, because a worker that draws more
    often gets more permits.
    """

    at: float
    requests: Bucket = Bucket(level=FIRST_REQUESTS)
    input_tokens: Bucket = Bucket()
    output_tokens: Bucket = Bucket()
    pace: float = START_PACE
    not_before: float = 0.0
    slowed_at: float = 0.0
    spacing: float = DRAW_SECONDS


class Versioned(msgspec.Struct, frozen=True):
    """A PermitState from the ledger, and its version: the number of writes."""

    state: PermitState | None
    version: int


UNSEEN = Versioned(None, 0)


@dataclass(frozen=True, slots=True)
class PermitDemand:
    """A worker's request for a lot: `count` permits for requests of `typical` size.

    - `owed` is the use of earlier requests beyond their charge; below zero, the worker gives back.
    - `limits` are those of the last answer.
    - `refused_for` is the wait in seconds after a refusal; None if there was none.
    - `conflicts` counts the tries of this draw that met another worker's write.
    """

    count: int
    typical: Need
    owed: Need = field(default_factory=Need)
    limits: Limits = UNKNOWN_LIMITS
    refused_for: float | None = None
    conflicts: int = 0


def draw(state: PermitState | None, demand: PermitDemand, *, now: float, share: float) -> tuple[PermitState, int]:
    """Return the state after a draw at `now`, and the number of permits. `share` (0 to 1) is a part of the limits."""
    known = PermitState(at=now) if state is None else refilled(state, now=now, share=share)
    known = _learned(known, demand.limits)
    known = _charged(known, demand.owed)
    if demand.refused_for is not None:
        known = _slowed(known, now, demand.refused_for)
    lot = _lot(known, demand, now, share)
    spaced = msgspec.structs.replace(known, spacing=_spaced(known.spacing, demand.conflicts))
    return _charged(spaced, demand.typical, lot), lot


def refilled(state: PermitState, *, now: float, share: float) -> PermitState:
    """Return the state with its buckets filled up to `now`. They do not fill before `not_before`."""
    seconds = max(0.0, now - max(state.at, state.not_before))
    pace = START_PACE if now - state.at > IDLE_SECONDS else _climbed(state, seconds)
    paced = msgspec.structs.replace(state, at=max(now, state.at), pace=pace)
    rates = _rates(paced, share)
    filled = [_filled(bucket, rate, seconds) for bucket, rate in zip(_buckets(state), rates, strict=True)]
    return _with_buckets(paced, filled)


def seconds_to_wait(state: PermitState, *, now: float, share: float) -> float:
    """Return the seconds until one request may be sent; 0 if it may be sent now."""
    state = refilled(state, now=now, share=share)
    held = max(0.0, state.not_before - now)
    lacking = [
        -bucket.level / rate
        for bucket, rate in zip(_buckets(state), _rates(state, share), strict=True)
        if rate is not None and bucket.level <= 0
    ]
    return held + max(lacking, default=0.0)


def _lot(state: PermitState, demand: PermitDemand, now: float, share: float) -> int:
    """Return the number of permits for a demand; 0 if any bucket is empty."""
    if now < state.not_before:
        return 0
    lot = demand.count
    for bucket, rate, each in zip(_buckets(state), _rates(state, share), _three(demand.typical), strict=True):
        if rate is None or each <= 0:
            continue
        if bucket.level <= 0:
            return 0
        fair = max(1, math.ceil(rate * LOT_SECONDS / each))
        lot = min(lot, fair, math.ceil(bucket.level / each))
    return max(0, lot)


def _spaced(seconds: float, conflicts: int) -> float:
    """Return the spacing after a draw: longer after two conflicts, because one is usual among several workers."""
    return min(max(seconds * (1.1 if conflicts > 1 else 0.97), DRAW_SECONDS), MOST_DRAW_SECONDS)


def _climbed(state: PermitState, seconds: float) -> float:
    is_careful = state.slowed_at > 0 and state.at - state.slowed_at < CAREFUL_SECONDS
    climbed = min(1.0, state.pace + seconds / (RECOVERY_SECONDS if is_careful else RAMP_SECONDS))
    if state.requests.limit is not None or climbed < 1.0:
        return climbed
    doublings = seconds / (CAREFUL_DOUBLING if state.slowed_at else DOUBLING_SECONDS)
    doubled: float = max(1.0, state.pace) * 2.0 ** min(doublings, 10.0)
    return min(MOST_ASSUMED / ASSUMED_REQUESTS, doubled)


def _rates(state: PermitState, share: float) -> list[float | None]:
    """Return the rate of each bucket per second; None if the limit is not known."""
    requests = ASSUMED_REQUESTS if state.requests.limit is None else state.requests.limit
    limits = (requests, state.input_tokens.limit, state.output_tokens.limit)
    return [None if limit is None else share * state.pace * limit / 60.0 for limit in limits]


def _filled(bucket: Bucket, rate: float | None, seconds: float) -> Bucket:
    if rate is None:
        return bucket
    level = min(bucket.level + rate * seconds, max(bucket.level, rate * BURST_SECONDS))
    return Bucket(bucket.limit, level)


def _learned(state: PermitState, limits: Limits) -> PermitState:
    """Take the limits from the headers, and lower each level to the API's `remaining`: other clients use it, too."""
    if limits == UNKNOWN_LIMITS:
        return state
    rooms = (limits.requests, limits.input_tokens, limits.output_tokens)
    learned = [_corrected(bucket, room) for bucket, room in zip(_buckets(state), rooms, strict=True)]
    pace = min(state.pace, 1.0) if learned[0].limit is not None else state.pace
    return _with_buckets(msgspec.structs.replace(state, pace=pace), learned)


def _corrected(bucket: Bucket, room: Room | None) -> Bucket:
    if room is None:
        return bucket
    level = max(bucket.level, 1.0) if bucket.limit is None else bucket.level  # a newly known limit starts open
    return Bucket(room.limit, min(level, room.remaining))


def _charged(state: PermitState, need: Need, times: float = 1.0) -> PermitState:
    charged = [
        Bucket(bucket.limit, bucket.level - times * amount)
        for bucket, amount in zip(_buckets(state), _three(need), strict=True)
    ]
    return _with_buckets(state, charged)


def _slowed(state: PermitState, now: float, seconds: float) -> PermitState:
    """Make all workers wait, and lower the pace. Refusals within COOLDOWN lower it once."""
    emptied = [Bucket(bucket.limit, min(bucket.level, 0.0)) for bucket in _buckets(state)]
    is_new = now - state.slowed_at >= COOLDOWN
    held = msgspec.structs.replace(
        state,
        not_before=max(state.not_before, now + seconds),
        pace=max(LEAST_PACE, state.pace * SLOWDOWN) if is_new else state.pace,
        slowed_at=now if is_new else state.slowed_at,
    )
    return _with_buckets(held, emptied)


def _buckets(state: PermitState) -> tuple[Bucket, Bucket, Bucket]:
    return state.requests, state.input_tokens, state.output_tokens


def _with_buckets(state: PermitState, buckets: list[Bucket]) -> PermitState:
    requests, input_tokens, output_tokens = buckets
    return msgspec.structs.replace(state, requests=requests, input_tokens=input_tokens, output_tokens=output_tokens)


def _three(need: Need) -> tuple[float, float, float]:
    return need.requests, need.input_tokens, need.output_tokens


class Typical:
    """The average use of this job's requests, learned from their answers.

    Input tokens are estimated from a request's bytes.
    """

    def __init__(self) -> None:
        self._tokens_a_byte = FIRST_TOKENS_A_BYTE
        self._bytes = 0.0
        self._output = FIRST_OUTPUT_TOKENS

    def see(self, size: int) -> None:
        """Learn from the size of a request that will be sent."""
        self._bytes += (size - self._bytes) * (LEARNING if self._bytes else 1.0)

    def guess(self, size: int) -> Need:
        """Return the estimated use of a request of `size` bytes."""
        return Need(1.0, size * self._tokens_a_byte, self._output)

    def learn(self, size: int, input_tokens: int, output_tokens: int) -> None:
        """Learn from an answer's tokens. Tokens read from the cache do not count."""
        self._tokens_a_byte += (input_tokens / max(size, 1) - self._tokens_a_byte) * LEARNING
        self._output += (output_tokens - self._output) * LEARNING

    @property
    def input_tokens(self) -> float:
        """Return the average input tokens."""
        return self._bytes * self._tokens_a_byte

    @property
    def need(self) -> Need:
        """Return the average use."""
        return Need(1.0, self.input_tokens, self._output)
