"""A schedule is a seed: it says what the table is, what breaks, when, and how often."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

RowKind = str  # a magic word of the emulator, "" for a plain row, BAD for one that cannot be asked
BAD = "bad"

# What becomes of a row, and how often: weights.
ROW_KINDS: dict[RowKind, int] = {
    "": 110,
    BAD: 10,
    "[[errored_once:api_error]]": 8,
    "[[errored_once:overloaded_error]]": 6,
    "[[errored_once:timeout_error]]": 3,
    "[[errored_once:rate_limit_error]]": 3,
    "[[errored_once:quota_haze_error]]": 3,
    "[[errored:api_error]]": 3,
    "[[errored:invalid_request_error]]": 4,
    "[[errored_once:billing_error]]": 1,
    "[[expired_once]]": 6,
    "[[expired]]": 2,
    "[[canceled_once]]": 3,
    "[[max_tokens_once]]": 4,
    "[[max_tokens]]": 3,
    "[[refusal]]": 4,
}

EXPIRES_AFTER = 24 * 3600.0  # seconds of a Message Batch
NEVER_ANSWERED = (
    "[[errored:api_error]]", "[[errored:invalid_request_error]]", "[[expired]]", "[[max_tokens]]", "[[refusal]]",
    "[[invalid_json]]",
)  # fmt: skip

MODEL, OTHER_MODEL = "claude-haiku-5-5", "claude-sonnet-5-5"
UNSURE_BELOW = 0.6  # the confidence under which an answer is escalated
UNSURE_RATES = {MODEL: 0.35, OTHER_MODEL: 0.2}
ROW_AT_MOST_USD = 3e-5  # what a row of the schedules' tables may cost in the batch lane, about
LONG = "[[long:700]]"  # an answer that is far longer than the others, and below ROOM_OF_WAVES
ROOM_OF_WAVES = 2_000  # max_tokens

Fault = dict[str, Any]
CREATE = "batches.create"
FRESH = "not_found_when_fresh"


@dataclass(frozen=True)
class Rates:
    """How likely a call of a port, or of a function, goes wrong: shares from 0 to 1."""

    crash: float = 0.0  # before or after a call of a port
    stall: float = 0.0  # a call of a port that takes up to minutes
    throttle: float = 0.0  # the ledger's table, or a transaction's conflict
    slow_down: float = 0.0  # the store
    lost_contact: float = 0.0  # Step Functions hears of an error while the function goes on
    twin: float = 0.0  # Lambda runs a function twice for one call
    foreign: float = 0.0  # another client creates as many requests at the same time
    no_connection: float = 0.0  # the live lane's request never leaves
    lost_answer: float = 0.0  # … its answer is made, and billed, and the connection drops
    cut_answer: float = 0.0  # … or breaks off in the middle of the body
    slow_answer: float = 0.0  # … or takes minutes
    redelivery: float = 0.0  # a message that was served is not deleted, and comes again
    double_delivery: float = 0.0  # a message is delivered twice
    aws_error: float = 0.0  # SQS and Step Functions refuse a call, before or after they did it


CALM = Rates()


@dataclass(frozen=True)
class Stray:
    """A function whose contact is lost at once, and which goes on, but waits for long before one of its calls.

    `number` counts the function's calls in this run, `before` its own calls of ports, both from 0.
    """

    function: str
    number: int
    before: int
    seconds: float
    dies: bool  # right after that call


@dataclass(frozen=True)
class Trouble:
    """A time in which the account is in trouble: every call is answered with this error."""

    at: float
    seconds: float
    status: Literal[401, 402, 403, 429]  # 429: the spend cap


@dataclass(frozen=True)
class AwsTrouble:
    """A time in which Claude Platform on AWS refuses calls, by these settings of the emulator."""

    at: float
    seconds: float
    settings: dict[str, Any]


@dataclass(frozen=True)
class Expiry:
    """How long after its end a job's records vanish, and which: all but the results and the inbox, or a part."""

    days: float
    forgets_ledger: bool
    forgets_objects: bool


@dataclass(frozen=True)
class Live:
    """How a job meets the live lane, and the lane's sizes, made so small that a dozen rows reach all of its edges."""

    lane: Literal["live", "batch"]
    finish_within: int | None  # seconds
    leftovers_live: bool
    window: int
    flush_lines: int
    slice_requests: int
    workers: int  # at the same time
    latency: float  # median seconds of an answer
    requests_per_minute: float
    max_tokens: int = 64  # above 2,133 the answers are streamed


@dataclass(frozen=True)
class Account:
    """The account's concurrency: how many functions may run at once, those of other jobs included.

    `others` are (from, to, functions) in seconds: what the other jobs take of it.
    """

    functions: int = 10  # of a new account
    others: tuple[tuple[float, float, int], ...] = ()

    def free(self, now: float, running: int) -> bool:
        """Return whether one more function may start."""
        return running + sum(count for start, end, count in self.others if start <= now < end) < self.functions


class Drawn(Protocol):
    """The rows of a random sample."""

    objects: Mapping[str, bytes]

    @property
    def rows(self) -> list[int]:
        """Return the rows, from 0; none before they are drawn."""


@dataclass(frozen=True)
class Schedule:
    """One run of one job. Seconds count from the start."""

    seed: int
    format: Literal["csv", "jsonl"]
    rows: tuple[RowKind, ...]
    shard_rows: int
    concurrency: int
    max_rounds: int
    raises_max_tokens: bool
    batch_seconds: float
    cancel_seconds: float
    split_reserve: float
    skew: float  # our clock minus the API's
    rates: Rates
    faults: tuple[Fault, ...]
    deliveries: tuple[float, ...]  # of the S3 event
    foreign_at: tuple[float, ...]
    stop_at: float | None
    redriven: bool  # else resumed
    cancel_at: float | None
    stays_canceled: bool
    trouble: Trouble | None
    stormy_resumes: int  # how many resumes happen before everything is calm
    retries_invalid: bool = False
    escalates: bool = False  # unsure and unusable answers go to the other model
    max_cost_usd: float | None = None  # the user doubles it before each resume
    goes_in_waves: bool = False  # max_tokens is far above what answers need, so that a cap is kept by a smaller one
    queue_requests: int = 200_000  # of the API's processing queue
    strays: tuple[Stray, ...] = ()
    longest_rest: float = 2000.0  # before the user resumes the job
    sample: int | None = None  # of the recipe
    drawn: Drawn | None = None  # the sample is random, and these are its rows
    approver_rest: float = 600.0  # at most, between two looks of the user whether a sample is to be approved
    live: Live | None = None
    account: Account | None = None  # None: no limit
    most_listed: int = 1000  # Message Batches in a page of the list
    key_swaps: tuple[float, ...] = ()  # another key is put into the secret at the first, the old one at the second, …
    other_workspace: bool = True  # the other key is of another workspace
    foreign_every: float = 0.0  # seconds; another client creates as many requests again and again
    must_settle: bool = False  # what became of a create must be found out within the looks there are
    lasting: tuple[Fault, ...] = ()  # faults of the API, or of a gateway, that go on when all else is calm
    is_deceived: bool = False  # … and keep answers from us: what arrived is delivered, and the job may end red
    misled_at: tuple[float, ...] = ()  # the next create is answered with another client's Message Batch
    pilot: bool = False  # of the recipe: the first request goes alone, through the live lane
    primed: bool = False  # … and the second, as a Message Batch, primes the prompt cache
    gives_up: bool = False  # the user does not resume a red job
    expiry: Expiry | None = None
    retried: bool = False  # when the job has ended, its rows without a usable answer are sent again, in the same storm
    remembered: bool = False  # the recipe keeps answers; when the job has ended, its file is sent again, edited
    repeats: tuple[tuple[int, int], ...] = ()  # rows that ask the same as an earlier row, each with that row
    pack: int = 0  # rows in a request; 0: each alone
    is_grouped: bool = False  # … of rows with the same note, which is their shared text, wherever they stand
    on_aws: bool = False  # Claude Platform on AWS: calls are signed
    aws_troubles: tuple[AwsTrouble, ...] = ()
    moved_at: tuple[float, ...] = ()  # the stack changes its provider at the first, and back at the second, …
    emulator: tuple[tuple[str, Any], ...] = ()  # more of the emulator's settings

    @property
    def is_typed(self) -> bool:
        """Return whether answers are objects."""
        return self.retries_invalid or self.escalates

    def origin(self, row: int) -> int:
        """Return the row that is asked for this one: itself, or the earlier row that it repeats."""
        return dict(self.repeats).get(row, row)

    @property
    def shards(self) -> int:
        """Return how many shards the table has."""
        return -(-len(self.rows) // self.shard_rows)

    def row_number(self, shard: int, index: int) -> int:
        """Return which of the table's rows that is, from 0; a sample and pilots are shards of their own size."""
        if self.drawn is not None:
            return self.drawn.rows[index] if shard == 0 else (shard - 1) * self.shard_rows + index
        starts = self._first_starts
        if shard < len(starts):
            return starts[shard] + index
        return starts[-1] + (shard - len(starts) + 1) * self.shard_rows + index

    def place_of(self, row: int) -> tuple[int, int]:
        """Return the shard of a row, and its index there."""
        if self.drawn is not None:
            drawn, (shard, index) = self.drawn.rows, divmod(row, self.shard_rows)
            return (0, drawn.index(row)) if row in drawn else (shard + 1, index)
        starts = self._first_starts
        if row < starts[-1]:
            shard = max(number for number, start in enumerate(starts) if start <= row)
            return shard, row - starts[shard]
        shard, index = divmod(row - starts[-1], self.shard_rows)
        return len(starts) - 1 + shard, index

    def can_be_answered(self, *, lost: set[int]) -> bool:
        """Return whether any row but the `lost` ones can get a usable answer, however often the job is resumed."""
        if self.batch_seconds > EXPIRES_AFTER and (self.live is None or self.live.lane == "batch"):
            return False
        never = {BAD, *NEVER_ANSWERED}
        never |= set() if self.raises_max_tokens else {"[[max_tokens_once]]"}
        never |= set() if self.retries_invalid else {"[[invalid_json_once]]"}
        return any(kind not in never for number, kind in enumerate(self.rows) if number not in lost)

    @property
    def _first_starts(self) -> list[int]:
        """Return where the first shards begin: those with a size of their own, and the one after them."""
        pilots = [1] * self.pilot + [1, 2] * self.primed
        most = [self.sample] if self.sample else pilots
        starts = [0]
        for asked_at_most in most:
            starts.append(starts[-1] + self._rows_of(self.rows[starts[-1] :], asked_at_most))
        return starts

    def _rows_of(self, rows: tuple[RowKind, ...], asked_at_most: int) -> int:
        asked = 0
        for number, kind in enumerate(rows[: self.shard_rows]):
            if asked == asked_at_most:
                return number
            asked += kind != BAD
        return self.shard_rows


def schedule_of(seed: int) -> Schedule:
    """Return the schedule of a seed."""
    rng = random.Random(seed)
    rows = tuple(rng.choices([*ROW_KINDS], [*ROW_KINDS.values()], k=rng.randint(1, 12)))
    return Schedule(
        seed=seed,
        format=rng.choice(("csv", "jsonl")),
        rows=rows,
        shard_rows=max(1, -(-len(rows) // rng.randint(1, 3))),
        concurrency=rng.randint(1, 3),
        max_rounds=rng.choice((1, 2, 3, 3, 3, 4)),
        raises_max_tokens=rng.random() < 0.4,
        batch_seconds=_batch_seconds(rng),
        cancel_seconds=rng.choice((0.5, 5, 60)),
        split_reserve=rng.choice((60, 60, 898.5)),
        skew=rng.choice((0, 0, rng.uniform(-120, 120))),
        rates=_rates(rng),
        faults=tuple(_faults(rng)),
        deliveries=_deliveries(rng),
        foreign_at=tuple(rng.uniform(0, 400) for _ in range(rng.choice((0, 0, 0, 1, 3)))),
        stop_at=rng.uniform(1, 900) if rng.random() < 0.12 else None,
        redriven=rng.random() < 0.4,
        cancel_at=rng.uniform(0, 900) if rng.random() < 0.12 else None,
        stays_canceled=rng.random() < 0.5,
        trouble=_trouble(rng),
        stormy_resumes=rng.choice((0, 0, 1, 2)),
    )  # fmt: skip


def plain(rows: tuple[RowKind, ...] = ("", "", ""), *, seed: int = 0, **changes: Any) -> Schedule:
    """Return a schedule in which nothing goes wrong but what `changes` says."""
    calm = Schedule(
        seed=seed, format="csv", rows=rows, shard_rows=len(rows), concurrency=2, max_rounds=3, raises_max_tokens=False,
        batch_seconds=30.0, cancel_seconds=5.0, split_reserve=60.0, skew=0.0, rates=CALM, faults=(), deliveries=(0.0,),
        foreign_at=(), stop_at=None, redriven=False, cancel_at=None, stays_canceled=False, trouble=None,
        stormy_resumes=0,
    )  # fmt: skip
    return replace(calm, **changes)


def _deliveries(rng: random.Random) -> tuple[float, ...]:
    """Return when S3 tells of the upload: at once, and now and then again."""
    again = (rng.choice((0.01, rng.uniform(0, 5), rng.uniform(5, 3000))) for _ in range(rng.choice((0, 0, 1, 2))))
    return (0.0, *again)


def _batch_seconds(rng: random.Random) -> float:
    """Return how long Message Batches take; now and then so long that they expire."""
    return 30 * 3600.0 if rng.random() < 0.02 else rng.choice((2.0, 30.0, 90.0, 600.0, 3600.0))


def _rates(rng: random.Random) -> Rates:
    def sometimes(share: float, *values: float) -> float:
        return rng.choice(values) if rng.random() < share else 0.0

    return Rates(
        crash=sometimes(0.6, 0.005, 0.02, 0.05),
        stall=sometimes(0.35, 0.005, 0.02, 0.08),
        throttle=sometimes(0.15, 0.01),
        slow_down=sometimes(0.15, 0.005),
        lost_contact=sometimes(0.35, 0.05, 0.2, 0.5),
        twin=sometimes(0.25, 0.05, 0.2),
        foreign=sometimes(0.3, 0.3, 0.7),
    )


def _faults(rng: random.Random) -> list[Fault]:
    """Lay out some faults of the API, each at a random call."""
    kinds = rng.choices([*_FAULTS], [weight for weight, _ in _FAULTS.values()], k=rng.choice((0, 1, 2, 2, 3, 4, 6)))
    return [_drawn(rng, kind) for kind in kinds]


def _drawn(rng: random.Random, name: str) -> Fault:
    fields = {key: rng.choice(value) if isinstance(value, tuple) else value for key, value in _FAULTS[name][1].items()}
    after = {} if fields["kind"] in {FRESH, "late_in_list"} else {"after": rng.choice((0, 0, 0, 1, 2, 4))}
    return {"times": rng.choice((1, 1, 1, 2, 3)), **after, **fields}


_ALWAYS = -1
_READS = ("batches.retrieve", "batches.list", "batches.cancel")
_FRESH = (30.0, 120.0)
_5XX = (500, 504, 529)
_FAULTS: dict[str, tuple[int, Fault]] = {
    "created, then dropped": (10, {"kind": "accept_then_drop", "endpoint": CREATE}),
    "created, then 5xx": (10, {"kind": "error_after_accept", "endpoint": CREATE, "status": _5XX}),
    "dropped, not created": (5, {"kind": "drop_before_accept", "endpoint": CREATE}),
    "5xx, not created": (5, {"kind": "error_before_accept", "endpoint": CREATE, "status": _5XX}),
    "create limited": (4, {"kind": "rate_limited", "endpoint": CREATE, "retry_after": (None, 1.0, 900.0)}),
    "limited": (4, {"kind": "rate_limited", "endpoint": "batches.*", "retry_after": (None, 1.0, 60.0)}),
    "5xx": (4, {"kind": "error_before_accept", "endpoint": "batches.*", "status": _5XX}),
    "read dropped": (3, {"kind": "drop_before_accept", "endpoint": _READS}),
    "404 when fresh": (5, {"kind": FRESH, "endpoint": "batches.retrieve", "seconds": _FRESH, "times": _ALWAYS}),
    "no results when fresh": (5, {"kind": FRESH, "endpoint": "batches.results", "seconds": _FRESH, "times": _ALWAYS}),
    "late in list": (8, {"kind": "late_in_list", "seconds": (20.0, 60.0, 120.0), "times": _ALWAYS}),
    "cancel ignored": (16, {"kind": "cancel_ignored"}),
    "results short": (6, {"kind": "results_short", "lines": (1, 2, 12)}),
    "results cut mid-line": (5, {"kind": "results_cut_mid_line", "lines": (1, 2)}),
    "results dropped": (5, {"kind": "results_dropped", "fraction": (0.0, 0.5, 0.9)}),
    "results doubled": (5, {"kind": "results_doubled", "lines": (1, 3)}),
    "results of nobody": (5, {"kind": "results_unknown_ids", "lines": (1, 2)}),
    "result of unknown type": (2, {"kind": "results_unknown_type", "lines": (1, 2)}),
    "results elsewhere": (1, {"kind": "results_foreign_host"}),
}  # fmt: skip


def _trouble(rng: random.Random) -> Trouble | None:
    if rng.random() > 0.08:
        return None
    return Trouble(rng.uniform(0, 600), rng.uniform(60, 7200), rng.choice((401, 402, 403, 429)))
