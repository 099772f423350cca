"""Permits: how fast all workers together may send requests to one model. Pure arithmetic; the ledger keeps the state.

There are three token buckets, as in the API: requests, input tokens, output tokens. They fill continuously at
`share` × limit × pace (pace.py). A bucket keeps what was not used for a minute, as the API's does, so a fleet catches
up after a storm; but a lot has one second's worth, so it never rushes. A level may fall below zero by one lot, because
the size of an answer is known only after it. The debt is paid before the next permit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import msgspec

from batchdrop.live_lane.pace import IDLE_SECONDS, NO_CALLS, Calls, Pace, after_calls, later, told_the_limit
from batchdrop.live_lane.reply import UNKNOWN_LIMITS, Limits, Room

FIRST_REQUESTS = 200.0  # a fleet that sent nothing lately sends these at once; a refusal of the API costs nothing
EARLY_SECONDS = 5.0  # a small job ends before refusals by chance, and those of an empty bucket, can be told apart
ASSUMED_REQUESTS = 300.0  # a minute, while the limit is unknown; the first answers tell it, if a gateway lets them
MOST_ASSUMED = 4_000.0  # a minute; if no header ever has a limit, the pace may climb to this
BURST_SECONDS = 60.0  # an unused bucket keeps at most this much of its rate, as the API's own does
CATCH_UP = 2.0  # times the rate, while a bucket has more than it needs: after a storm, and at the start
FLOW_SECONDS = 2.0  # of that are kept
ASSUMED_BURST = 2.0  # the same while the limit is unknown
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

    `flow` is the seconds of the full rate that may be used now: with a full bucket, a fleet is CATCH_UP times as fast.
    `is_drained`: the last wait, until `not_before`, was for an empty bucket. `since`: the fleet's first request after
    a rest.
    `spacing` is the seconds between two draws of a worker. It is the same for all, because a worker that draws more
    often gets more permits.
    """

    at: float
    requests: Bucket = Bucket(level=FIRST_REQUESTS)
    input_tokens: Bucket = Bucket()
    output_tokens: Bucket = Bucket()
    pace: Pace = Pace()
    not_before: float = 0.0
    spacing: float = DRAW_SECONDS
    flow: float = 0.0
    is_drained: bool = False
    since: float = 0.0


class Versioned(msgspec.Struct, frozen=True):
    """A PermitState from the ledger, and its version: the number of writes."""

    state: PermitState | None
    version: int


UNSEEN = Versioned(None, 0)
_STATE = msgspec.json.Decoder(PermitState)


def state_from(text: str) -> PermitState | None:
    """Return a stored state; None for one of another release; then a fleet starts again."""
    try:
        return _STATE.decode(text)
    except msgspec.DecodeError:
        return None


@dataclass(frozen=True, slots=True)
class PermitDemand:
    """A worker's request for a lot: `count` permits for requests of `typical` size.

    - `owed` is the use of earlier requests beyond their charge; below zero, the worker gives back.
    - `limits` are those of the last answer or refusal.
    - `calls` are those since the last draw.
    - `refused_for` is the wait in seconds after a refusal; None if there was none.
    - `is_drained`: a refusal showed an empty bucket.
    - `conflicts` counts the tries of this draw that met another worker's write.
    """

    count: int
    typical: Need
    owed: Need = field(default_factory=Need)
    limits: Limits = UNKNOWN_LIMITS
    refused_for: float | None = None
    conflicts: int = 0
    calls: Calls = NO_CALLS
    is_drained: bool = False


def draw(state: PermitState | None, demand: PermitDemand, *, now: float, share: float) -> tuple[PermitState, int]:
    """Return the state after a draw at `now`, and the number of permits. `share` (0 to 1) is a part of the limits."""
    known = PermitState(at=now, since=now) if state is None else refilled(state, now=now, share=share)
    known = _learned(known, demand.limits, share)
    known = _charged(known, demand.owed)
    returned = max(0.0, -demand.owed.requests) * _seconds_each(known, demand.typical, share)
    is_known = known.requests.limit is not None
    is_early, is_drained = _is_early(known), demand.is_drained and not _is_early(known)
    paced = after_calls(known.pace, demand.calls, now=now, is_drained=is_drained, is_known=is_known or is_early)
    known = msgspec.structs.replace(known, pace=paced, flow=known.flow + returned)
    if demand.refused_for is not None and (demand.is_drained or paced.is_stormy):
        known = _held(known, now, demand.refused_for, is_drained=demand.is_drained)
    lot = _lot(known, demand, now, share)
    flow = _flow_after(known, demand, lot, share)
    spaced = msgspec.structs.replace(known, spacing=_spaced(known.spacing, demand.conflicts), flow=flow)
    return _charged(spaced, demand.typical, lot), lot


def refilled(state: PermitState, *, now: float, share: float) -> PermitState:
    """Return the state with its buckets filled up to `now`. Drained ones do not fill before `not_before`."""
    seconds = max(0.0, now - max(state.at, state.not_before if state.is_drained else 0.0))
    most = None if state.requests.limit is not None else MOST_ASSUMED / ASSUMED_REQUESTS
    pace = later(state.pace, at=state.at, now=now, seconds=seconds, most=most)
    since = now if now - state.at > IDLE_SECONDS else state.since
    paced = msgspec.structs.replace(state, at=max(now, state.at), pace=pace, since=since)
    rates = _rates(paced, share)
    speed = _speed(paced)
    paced = msgspec.structs.replace(paced, flow=min(state.flow + speed * seconds, speed * FLOW_SECONDS))
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
    if state.requests.limit is not None:
        lacking.append(-state.flow / _speed(state))
    return held + max(lacking, default=0.0)


def _lot(state: PermitState, demand: PermitDemand, now: float, share: float) -> int:
    """Return the number of permits for a demand; 0 if any bucket is empty."""
    if now < state.not_before:
        return 0
    lot, is_rested = demand.count, _is_rested(state)
    is_free = is_rested or (state.requests.limit is None and _is_early(state))
    if is_rested:
        lot = min(lot, round(FIRST_REQUESTS))
    elif state.requests.limit is not None:
        lot = min(lot, math.ceil(state.flow / _seconds_each(state, demand.typical, share))) if state.flow > 0 else 0
    for bucket, rate, each in zip(_buckets(state), _rates(state, share), _three(demand.typical), strict=True):
        if rate is None or each <= 0:
            continue
        if bucket.level <= 0:
            return 0
        fair = max(1, math.ceil(rate * LOT_SECONDS / each))
        lot = min(lot, math.ceil(bucket.level / each), lot if is_free else fair)
    return max(0, lot)


def _is_early(state: PermitState) -> bool:
    """Return whether the fleet has just begun. Refusals of its first lot do not slow it down."""
    return state.at - state.since < EARLY_SECONDS


def _is_rested(state: PermitState) -> bool:
    """Return whether the fleet has sent nothing lately, so that its first lot may be large."""
    is_full = state.flow >= _speed(state) * FLOW_SECONDS
    return state.requests.limit is not None and state.pace.sent < 1.0 and is_full


def _speed(state: PermitState) -> float:
    """Return the seconds of the full rate by which the flow grows in a second."""
    return CATCH_UP * (1.0 if _is_paced(state) else state.pace.value)


def _flow_after(state: PermitState, demand: PermitDemand, lot: int, share: float) -> float:
    """Return the flow after a lot. It counts only what was sent at a known rate, and the first lot just empties it."""
    if state.requests.limit is None:
        return state.flow
    left = state.flow - lot * _seconds_each(state, demand.typical, share)
    return max(left, 0.0) if _is_rested(state) else left


def _seconds_each(state: PermitState, typical: Need, share: float) -> float:
    """Return the seconds of the full rate that one request takes."""
    needs = zip(_rates(state, share), _three(typical), strict=True)
    return max(each / rate for rate, each in needs if rate is not None)


def _spaced(seconds: float, conflicts: int) -> float:
    """Return the spacing after a draw: longer after two conflicts, because one is usual among several workers."""
    return min(max(seconds * (1.1 if conflicts > 1 else 0.97), DRAW_SECONDS), MOST_DRAW_SECONDS)


def _rates(state: PermitState, share: float) -> list[float | None]:
    """Return the rate of each bucket per second; None if the limit is not known.

    The API's buckets fill whatever our pace is. Only if the limit was met, or is not known, they fill at our pace.
    """
    requests = ASSUMED_REQUESTS if state.requests.limit is None else state.requests.limit
    pace = state.pace.value if _is_paced(state) else 1.0
    limits = (requests, state.input_tokens.limit, state.output_tokens.limit)
    return [None if limit is None else share * pace * limit / 60.0 for limit in limits]


def _is_paced(state: PermitState) -> bool:
    return state.requests.limit is None or state.pace.is_careful(state.at)


def _filled(bucket: Bucket, rate: float | None, seconds: float) -> Bucket:
    if rate is None:
        return bucket
    burst = ASSUMED_BURST if bucket.limit is None else BURST_SECONDS
    level = min(bucket.level + rate * seconds, max(bucket.level, rate * burst))
    return Bucket(bucket.limit, level)


def _learned(state: PermitState, limits: Limits, share: float) -> PermitState:
    """Take the limits from the headers, and lower each level to the API's `remaining`: other clients use it, too."""
    if limits == UNKNOWN_LIMITS:
        return state
    rooms = (limits.requests, limits.input_tokens, limits.output_tokens)
    learned = [_corrected(bucket, room, share) for bucket, room in zip(_buckets(state), rooms, strict=True)]
    known = learned[0].limit is not None
    is_new = known and state.requests.limit is None
    pace = told_the_limit(state.pace, is_new=is_new) if known else state.pace
    return _with_buckets(msgspec.structs.replace(state, pace=pace), learned)


def _corrected(bucket: Bucket, room: Room | None, share: float) -> Bucket:
    if room is None:
        return bucket
    level = share * room.remaining if bucket.limit is None else bucket.level  # `flow` prevents a rush
    return Bucket(room.limit, min(level, room.remaining))


def _charged(state: PermitState, need: Need, times: float = 1.0) -> PermitState:
    charged = [
        Bucket(bucket.limit, bucket.level - times * amount)
        for bucket, amount in zip(_buckets(state), _three(need), strict=True)
    ]
    return _with_buckets(state, charged)


def _held(state: PermitState, now: float, seconds: float, *, is_drained: bool) -> PermitState:
    """Make all workers wait. In a storm, the buckets fill meanwhile, and the fleet catches up after it."""
    not_before = max(state.not_before, now + seconds)
    held = msgspec.structs.replace(state, not_before=not_before, is_drained=is_drained)
    if not is_drained:
        return held
    return _with_buckets(held, [Bucket(bucket.limit, min(bucket.level, 0.0)) for bucket in _buckets(state)])


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
