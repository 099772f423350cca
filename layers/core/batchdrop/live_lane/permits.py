"""Permits: how fast all workers together may ask one model. Pure arithmetic; who keeps the state is another matter.

Three token buckets as the API has them (requests, input tokens, output tokens), filled all the time at
`share` × limit × `pace`. `pace` starts low, climbs to 1, falls at each refusal and climbs again (additive up,
multiplicative down), so that a fleet neither starts with a jump nor hammers on a limit that others use, too. A level
may go below zero by one lot: the size of an answer is known only after it, and a debt is paid before the next permit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import msgspec

from batchdrop.live_lane.reply import UNKNOWN_LIMITS, Limits, Room

FIRST_REQUESTS = 5.0  # a fleet that knows nothing asks these at once, and learns the limits from their answers
ASSUMED_REQUESTS = 50.0  # a minute, while the limit is unknown: the API's lowest tier
MOST_ASSUMED = 4_000.0  # a minute; where no header ever tells a limit, the pace may climb to this
START_PACE = 0.25  # "sharp ramps can cause 429"
RAMP_SECONDS = 30.0  # from no pace to the full one
RECOVERY_SECONDS = 150.0  # the same climb after a refusal: quicker, and the next jam would come before the pace is down
CAREFUL_SECONDS = 300.0  # for how long a refusal is remembered so
DOUBLING_SECONDS = 10.0  # of the pace, while the limit is unknown
CAREFUL_DOUBLING = 100.0  # the same after a refusal
SLOWDOWN = 0.7  # the pace's factor at a refusal
LEAST_PACE = 0.02
COOLDOWN = 10.0  # seconds in which further refusals belong to the same jam: a window of open requests hits it together
IDLE_SECONDS = 300.0  # unused for so long, a fleet starts gently again
BURST_SECONDS = 2.0  # how much of its rate a resting bucket keeps
LOT_SECONDS = 1.0  # a lot is at most what the whole fleet may ask in so long: nobody takes all
FIRST_TOKENS_A_BYTE = 0.25  # English text in JSON; what a job is like corrects it within some answers
FIRST_OUTPUT_TOKENS = 100.0  # likewise
LEARNING = 0.05  # how much of its difference from the average each answer adds to that
DRAW_SECONDS = 0.5  # between two draws of a worker: at most two writes a second
MOST_DRAW_SECONDS = 5.0  # the same, where so many workers draw that they come between each other
WAIT_UNTOLD = 2.0  # seconds, after a refusal without retry-after


class Need(msgspec.Struct, gc=False):
    """What requests use up: their number and their tokens."""

    requests: float = 0.0
    input_tokens: float = 0.0
    output_tokens: float = 0.0

    def add(self, other: Need, times: float = 1.0) -> None:
        """Add `times` the other."""
        self.requests += times * other.requests
        self.input_tokens += times * other.input_tokens
        self.output_tokens += times * other.output_tokens


class Bucket(msgspec.Struct, frozen=True):
    """One limit a minute (None: not known), and what may be taken of it now; below zero: a debt."""

    limit: float | None = None
    level: float = 0.0


class PermitState(msgspec.Struct, frozen=True):
    """What all workers share of one model. Times are seconds since the epoch.

    `spacing` is the seconds between two draws of a worker: the same for all, for who draws oftener gets more.
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
    """A PermitState as it stands in the ledger, and how often it was written."""

    state: PermitState | None
    version: int


UNSEEN = Versioned(None, 0)


@dataclass(frozen=True, slots=True)
class PermitDemand:
    """What a worker says when it comes for a lot.

    It would like `count` permits for requests of `typical` size; `owed` is what its earlier requests used beyond what
    they were charged (below zero: what it gives back); `limits` what the last answer told; `refused_for` the
    seconds that a refusal asked to wait, None if there was none; `conflicts` how often others came between this draw.
    """

    count: int
    typical: Need
    owed: Need = field(default_factory=Need)
    limits: Limits = UNKNOWN_LIMITS
    refused_for: float | None = None
    conflicts: int = 0


def draw(state: PermitState | None, demand: PermitDemand, *, now: float, share: float) -> tuple[PermitState, int]:
    """Return the state after a worker came at `now`, and how many permits it got. `share` (0 to 1) is of the limits."""
    known = PermitState(at=now) if state is None else refilled(state, now=now, share=share)
    known = _learned(known, demand.limits)
    known = _charged(known, demand.owed)
    if demand.refused_for is not None:
        known = _slowed(known, now, demand.refused_for)
    lot = _lot(known, demand, now, share)
    spaced = msgspec.structs.replace(known, spacing=_spaced(known.spacing, demand.conflicts))
    return _charged(spaced, demand.typical, lot), lot


def refilled(state: PermitState, *, now: float, share: float) -> PermitState:
    """Return the state with what has flowed in since it was written; nothing flows before `not_before`."""
    seconds = max(0.0, now - max(state.at, state.not_before))
    pace = START_PACE if now - state.at > IDLE_SECONDS else _climbed(state, seconds)
    paced = msgspec.structs.replace(state, at=max(now, state.at), pace=pace)
    rates = _rates(paced, share)
    filled = [_filled(bucket, rate, seconds) for bucket, rate in zip(_buckets(state), rates, strict=True)]
    return _with_buckets(paced, filled)


def seconds_to_wait(state: PermitState, *, now: float, share: float) -> float:
    """Return after how many seconds one request may be asked; 0 if now."""
    state = refilled(state, now=now, share=share)
    held = max(0.0, state.not_before - now)
    lacking = [
        -bucket.level / rate
        for bucket, rate in zip(_buckets(state), _rates(state, share), strict=True)
        if rate is not None and bucket.level <= 0
    ]
    return held + max(lacking, default=0.0)


def _lot(state: PermitState, demand: PermitDemand, now: float, share: float) -> int:
    """Return how many permits there are for a demand: no bucket is taken from once it is empty."""
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
    """One conflict is usual among several workers: another has drawn since this one's last time."""
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
    """Return what flows into each bucket a second; None for a limit that nobody knows."""
    requests = ASSUMED_REQUESTS if state.requests.limit is None else state.requests.limit
    limits = (requests, state.input_tokens.limit, state.output_tokens.limit)
    return [None if limit is None else share * state.pace * limit / 60.0 for limit in limits]


def _filled(bucket: Bucket, rate: float | None, seconds: float) -> Bucket:
    if rate is None:
        return bucket
    level = min(bucket.level + rate * seconds, max(bucket.level, rate * BURST_SECONDS))
    return Bucket(bucket.limit, level)


def _learned(state: PermitState, limits: Limits) -> PermitState:
    """Take over what headers told: the limits, and that the API has less left than was thought (others use it, too)."""
    if limits == UNKNOWN_LIMITS:
        return state
    told = (limits.requests, limits.input_tokens, limits.output_tokens)
    learned = [_corrected(bucket, room) for bucket, room in zip(_buckets(state), told, strict=True)]
    pace = min(state.pace, 1.0) if learned[0].limit is not None else state.pace
    return _with_buckets(msgspec.structs.replace(state, pace=pace), learned)


def _corrected(bucket: Bucket, room: Room | None) -> Bucket:
    if room is None:
        return bucket
    level = max(bucket.level, 1.0) if bucket.limit is None else bucket.level  # a limit just learned starts open
    return Bucket(room.limit, min(level, room.remaining))


def _charged(state: PermitState, need: Need, times: float = 1.0) -> PermitState:
    charged = [
        Bucket(bucket.limit, bucket.level - times * amount)
        for bucket, amount in zip(_buckets(state), _three(need), strict=True)
    ]
    return _with_buckets(state, charged)


def _slowed(state: PermitState, now: float, seconds: float) -> PermitState:
    """Hold everybody back, and take the pace down once for each jam."""
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
    """What a request of this job uses on the average, learned from its answers.

    Input tokens are guessed from a request's bytes.
    """

    def __init__(self) -> None:
        self._tokens_a_byte = FIRST_TOKENS_A_BYTE
        self._bytes = 0.0
        self._output = FIRST_OUTPUT_TOKENS

    def see(self, size: int) -> None:
        """Take in the size of a request that is to be asked."""
        self._bytes += (size - self._bytes) * (LEARNING if self._bytes else 1.0)

    def guess(self, size: int) -> Need:
        """Return what a request of `size` bytes will probably use."""
        return Need(1.0, size * self._tokens_a_byte, self._output)

    def learn(self, size: int, input_tokens: int, output_tokens: int) -> None:
        """Take in what an answer used, without what it read from the cache: that does not count."""
        self._tokens_a_byte += (input_tokens / max(size, 1) - self._tokens_a_byte) * LEARNING
        self._output += (output_tokens - self._output) * LEARNING

    @property
    def input_tokens(self) -> float:
        """Return the average of the input tokens."""
        return self._bytes * self._tokens_a_byte

    @property
    def need(self) -> Need:
        """Return the average."""
        return Need(1.0, self.input_tokens, self._output)
