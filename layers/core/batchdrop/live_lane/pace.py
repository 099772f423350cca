"""The pace of a fleet: which part of the API's limits its workers use now. Pure arithmetic.

Refusals alone say little: a storm of 529 passes, and refusals by chance do not become fewer if everybody waits. Where
the limit is known, only an empty bucket, or a storm of refusals, lowers the pace. Where it is not, the fleet slows down
to less than what is let in, and looks what becomes of the share of refusals: if it falls, the limit was met. If it
stays, it is the usual share (`floor`), and the pace climbs again.
"""

from __future__ import annotations

import math

import msgspec

START = 0.5  # "sharp ramps can cause 429"
RAMP_SECONDS = 20.0  # from no pace to the full one
STORM_RECOVERY = 5.0  # the same climb after a storm that did not come from our own pace
RECOVERY_SECONDS = 150.0  # the same climb after the limit was met; a faster one would meet it again too soon
CAREFUL_SECONDS = 300.0  # for so long after the limit was met the climb is slow
DOUBLING_SECONDS = 3.0  # of the pace, while the limit is unknown: a refusal costs nothing, and waiting costs time
CAREFUL_DOUBLING = 60.0  # the same after the limit was met
SLOWDOWN = 0.7  # the pace's factor when the limit is met
LEAST = 0.05
COOLDOWN = 5.0  # seconds in which further refusals count as one: all open requests are refused together
IDLE_SECONDS = 300.0  # after this time without use, a fleet starts gently again
HALF_LIFE = 5.0  # seconds, of the calls that the share of refusals is taken from
MOST_FLOOR = 0.45  # with more refusals than this, waiting is better than sending
TRIAL = 0.8  # of what is let in: at this pace, a limit refuses nothing
AFTER_TRIAL = 0.95  # of what was let in before the trial, if the limit was met
ENOUGH = 8.0  # calls of a trial
FEW = 3.0  # refusals, which may be by chance
STORM = 0.5  # the share of refusals from which on all workers wait
NOISE = 2.5  # standard deviations by which a share must be above the floor


class Pace(msgspec.Struct, frozen=True, array_like=True):
    """The pace (1: the full limits), the recent calls and refusals, and their usual share (`floor`).

    `slowed_at` is when the pace fell, and `met_at` when the limit itself was met. `before` is the share of refusals
    from before a trial; 0 if there is none.
    """

    value: float = START
    sent: float = 0.0
    refused: float = 0.0
    floor: float = 0.0
    slowed_at: float = 0.0
    met_at: float = 0.0
    before: float = 0.0

    def is_careful(self, at: float) -> bool:
        """Return whether the limit was met not long before `at`."""
        return self.met_at > 0 and at - self.met_at < CAREFUL_SECONDS

    @property
    def share(self) -> float:
        """Return the share of the recent calls that were refused."""
        return self.refused / max(self.sent, self.refused, 1.0)

    @property
    def is_stormy(self) -> bool:
        """Return whether all workers wait after a refusal."""
        return self.refused >= FEW and self.share >= STORM


class Calls(msgspec.Struct, frozen=True):
    """The calls of a worker since its last draw, and how many of them were refused."""

    sent: int = 0
    refused: int = 0


NO_CALLS = Calls()


def later(pace: Pace, *, at: float, now: float, seconds: float, most: float | None) -> Pace:
    """Return the pace at `now`, after the last change at `at`. It climbs for `seconds`.

    `most` is the highest pace while the limit is unknown; None if it is known.
    """
    passed = max(0.0, now - at)
    if passed > IDLE_SECONDS:
        return Pace()
    kept = 0.5 ** (passed / HALF_LIFE)
    if pace.before:
        pace = _tried(pace, now)
    elif not pace.is_stormy:
        pace = msgspec.structs.replace(pace, value=_climbed(pace, at, seconds, most))
    floor = pace.floor - (pace.floor - min(pace.floor, pace.share)) * (1.0 - kept)
    return msgspec.structs.replace(pace, floor=floor, sent=pace.sent * kept, refused=pace.refused * kept)


def _tried(pace: Pace, now: float) -> Pace:
    """Return the pace after a trial, once it has seen enough calls."""
    if now - pace.slowed_at < COOLDOWN or pace.sent < ENOUGH:
        return pace
    if pace.share < pace.before / 2:
        value = pace.value * AFTER_TRIAL / TRIAL
        return msgspec.structs.replace(pace, value=value, floor=pace.share, met_at=now, before=0.0)
    if pace.share <= MOST_FLOOR:
        return msgspec.structs.replace(pace, floor=pace.share, met_at=0.0, before=0.0)
    return _trial(pace, now)


def _trial(pace: Pace, now: float) -> Pace:
    """Return a pace that is slower than what is let in, with new counts."""
    value = max(LEAST, pace.value * TRIAL * (1.0 - pace.share))
    return msgspec.structs.replace(pace, value=value, before=pace.share, slowed_at=now, sent=0.0, refused=0.0)


def after_calls(pace: Pace, calls: Calls, *, now: float, is_drained: bool, is_known: bool) -> Pace:
    """Return the pace after calls.

    `is_drained`: a refusal showed that a bucket is empty, so the limit is met. `is_known`: the limit is known, so
    refusals that do not show this say nothing about the pace, unless they are many.
    """
    pace = msgspec.structs.replace(pace, sent=pace.sent + calls.sent, refused=pace.refused + calls.refused)
    if not calls.refused or pace.before or now - pace.slowed_at < COOLDOWN:
        return pace
    if is_drained:
        value = max(LEAST, pace.value * SLOWDOWN)
        return msgspec.structs.replace(pace, value=value, slowed_at=now, met_at=now)
    if is_known:
        value = max(LEAST, pace.value * (1.0 - pace.share))
        return msgspec.structs.replace(pace, value=value, slowed_at=now) if pace.is_stormy else pace
    noise = NOISE * math.sqrt(0.25 / max(pace.sent, 1.0))
    return _trial(pace, now) if pace.refused >= FEW and pace.share > pace.floor + noise else pace


def told_the_limit(pace: Pace, *, is_new: bool) -> Pace:
    """Return the pace once a header has the limit. If that `is_new`, a trial ends: it searched what is now known."""
    if is_new and pace.before:
        pace = msgspec.structs.replace(pace, value=max(pace.value, START), before=0.0, slowed_at=0.0)
    return msgspec.structs.replace(pace, value=min(pace.value, 1.0))


def _climbed(pace: Pace, at: float, seconds: float, most: float | None) -> float:
    if most is None:
        after_storm = STORM_RECOVERY if pace.slowed_at > pace.met_at else RAMP_SECONDS
        return max(
            pace.value, min(1.0, pace.value + seconds / (RECOVERY_SECONDS if pace.is_careful(at) else after_storm))
        )
    doublings = min(seconds / (CAREFUL_DOUBLING if pace.met_at else DOUBLING_SECONDS), 10.0)
    doubled: float = pace.value * 2.0**doublings
    return min(most, doubled)
