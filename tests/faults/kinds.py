"""Kinds of schedules: what else goes wrong, beside what every schedule draws."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from tests.faults.aws_schedule import with_aws
from tests.faults.drawn_rows import DrawnRows, with_a_random_sample
from tests.faults.escalated_schedule import with_escalation
from tests.faults.live_schedule import with_live_lane
from tests.faults.pack_schedule import with_live_packs, with_packs
from tests.faults.pilot_schedule import with_pilots
from tests.faults.schedule import (
    BAD,
    CREATE,
    LONG,
    ROOM_OF_WAVES,
    ROW_AT_MOST_USD,
    Account,
    Expiry,
    Fault,
    Rates,
    Schedule,
    Stray,
    Trouble,
)

_FUNCTIONS = {
    "split_upload": 1, "submit_shard": 2, "settle_submission": 2, "poll_batch": 1, "collect_results": 5,
    "close_job": 12,
}  # fmt: skip


def with_zombies(schedule: Schedule) -> Schedule:
    """Return the schedule with functions that are repeated while they still run, often, and run on for minutes."""
    rates = Rates(crash=0.01, stall=0.05, lost_contact=0.5, twin=0.3, foreign=0.3)
    in_three = max(1, -(-len(schedule.rows) // 3))
    return replace(schedule, rates=rates, split_reserve=898.5, shard_rows=in_three, concurrency=3)


def with_strays(schedule: Schedule) -> Schedule:
    """Return the schedule with few, but long-lived functions that were given up for dead, and a user in a hurry.

    Its job often ends red and is resumed soon, so that what a stray does then meets what the resumed job has done.
    """
    rng = random.Random(f"strays of {schedule.seed}")
    rates = Rates(crash=rng.choice((0, 0, 0.01)), foreign=rng.choice((0, 0.5)))
    trouble = Trouble(rng.uniform(0, 100), rng.uniform(5, 200), rng.choice((401, 402, 403, 429)))
    return replace(
        schedule,
        rates=rates,
        batch_seconds=rng.choice((2.0, 2.0, 30.0, 90.0)),
        max_rounds=rng.choice((1, 1, 2, 3)),
        trouble=trouble if rng.random() < 0.5 else None,
        cancel_at=rng.uniform(0, 200) if rng.random() < 0.4 else None,
        stop_at=rng.uniform(1, 200) if rng.random() < 0.2 else None,
        stormy_resumes=rng.choice((0, 1, 2, 4)),
        strays=tuple(_stray(rng) for _ in range(rng.choice((1, 2, 3, 5)))),
        longest_rest=120.0,
    )


def with_typed_answers(schedule: Schedule) -> Schedule:
    """Return the schedule with answers that must keep to a schema, and rows whose answers break it, once or always."""
    rng = random.Random(schedule.seed * 31 + 7)
    broken = ("[[invalid_json]]", "[[invalid_json_once]]", "[[invalid_json_once]]")
    rows = tuple(rng.choice(broken) if kind == "" and rng.random() < 0.4 else kind for kind in schedule.rows)
    return replace(schedule, rows=rows, retries_invalid=True)


def with_samples(schedule: Schedule) -> Schedule:
    """Return the schedule with a sample, and a user who approves it soon, late, or after the wait is over."""
    rng = random.Random(f"sample of {schedule.seed}")
    rest = rng.choice((600.0, 600.0, 20_000.0, 900_000.0))
    return replace(schedule, sample=rng.randint(1, 4), approver_rest=rest)


def with_a_cap(schedule: Schedule) -> Schedule:
    """Return the schedule with a budget that rounds and retries together would pass, and a queue for few requests."""
    rng = random.Random(f"cap of {schedule.seed}")
    return replace(
        schedule,
        shard_rows=1,
        concurrency=rng.randint(1, 4),
        batch_seconds=min(schedule.batch_seconds, 3600.0),  # one after the other, ten that expire would take weeks
        raises_max_tokens=rng.random() < 0.6,
        max_cost_usd=round(rng.uniform(0.5, 4) * ROW_AT_MOST_USD, 8),
        queue_requests=rng.choice((1, 1, 2, 3, 200_000)),
        redriven=False,  # the cap is read anew by a resume only
        stays_canceled=True,
        stormy_resumes=2,
    )


def with_waves(schedule: Schedule) -> Schedule:
    """Return the schedule with a cap far below the worst case, so that it goes in waves, and a few long answers.

    What the smaller `max_tokens` of a later wave cuts is sent again, once.
    """
    rng = random.Random(f"waves of {schedule.seed}")
    rows = (*schedule.rows, *[""] * rng.randint(0, 12))
    rows = tuple(LONG if not kind and number > 2 and rng.random() < 0.2 else kind for number, kind in enumerate(rows))
    return replace(
        with_a_cap(schedule),
        rows=rows,
        shard_rows=max(1, -(-len(rows) // rng.choice((1, 1, 2, 3)))),
        goes_in_waves=True,
        max_cost_usd=round(rng.uniform(1.1, 5) * ROOM_OF_WAVES * 0.25e-6, 8),
    )


def with_live_waves(schedule: Schedule) -> Schedule:
    """Return the schedule with a cap under which a job goes live in waves: from the start, once late, or as leftovers.

    The live lane's price is twice that of the batch lane.
    """
    live = with_live_lane(schedule)
    made = with_waves(live)
    assert made.max_cost_usd is not None
    return replace(made, batch_seconds=live.batch_seconds, max_cost_usd=round(made.max_cost_usd * 2, 8))


def with_pages(schedule: Schedule) -> Schedule:
    """Return the schedule with a list of several pages that breaks off between them, while a lost create is settled."""
    rng = random.Random(f"pages of {schedule.seed}")
    broken = [
        {"kind": rng.choice(("list_null_cursor", "list_lost_cursor")), "times": rng.choice((1, 2, 5))}
        for _ in range(rng.choice((1, 2, 3)))
    ]
    return replace(
        schedule,
        batch_seconds=min(schedule.batch_seconds, 600.0),
        faults=(*schedule.faults, *_lost_creates(rng), *broken),
        foreign_at=tuple(rng.uniform(0, 900) for _ in range(rng.choice((2, 5, 9)))),
        most_listed=rng.choice((1, 1, 2, 3)),
    )


def with_proxies(schedule: Schedule) -> Schedule:
    """Return the schedule with a proxy that answers pages of its own at any call, also after the API did the work."""
    rng = random.Random(f"proxies of {schedule.seed}")
    pages = tuple(
        {
            "kind": rng.choice(("page_before_accept", "page_after_accept")),
            "endpoint": rng.choice(
                (CREATE, CREATE, "batches.*", "batches.list", "batches.retrieve", "batches.results")
            ),
            "status": rng.choice((200, 302, 401, 403, 404, 413, 429, 502, 503, 524)),
            "body": rng.choice(_PAGES),
            "times": rng.choice((1, 1, 2)),
            "after": rng.choice((0, 0, 1, 3)),
        }
        for _ in range(rng.choice((1, 2, 4)))
    )
    return replace(schedule, faults=(*schedule.faults, *pages))


def with_workspaces(schedule: Schedule) -> Schedule:
    """Return the schedule with another key in the secret, some time, of another workspace or of the same."""
    rng = random.Random(f"workspaces of {schedule.seed}")
    first = rng.uniform(1, 300)
    return replace(
        schedule,
        key_swaps=(first, first + rng.uniform(300, 4000)),
        other_workspace=rng.random() < 0.7,
        faults=(*schedule.faults, *_lost_creates(rng)),
    )


def with_skew(schedule: Schedule) -> Schedule:
    """Return the schedule with clocks that are up to a quarter of an hour apart, and creates whose answers are lost."""
    rng = random.Random(f"skew of {schedule.seed}")
    apart = rng.choice((-900.0, -400.0, 400.0, 900.0, rng.uniform(-900, 900)))
    return replace(schedule, skew=apart, faults=(*schedule.faults, *_lost_creates(rng)))


def with_a_foreign_stream(schedule: Schedule) -> Schedule:
    """Return the schedule with another client that creates Message Batches of the same size, faster than they end."""
    rng = random.Random(f"foreign to {schedule.seed}")
    batch_seconds = rng.choice((600.0, 1800.0, 3600.0))
    return replace(
        schedule,
        batch_seconds=batch_seconds,
        faults=(*schedule.faults, *_lost_creates(rng)),
        foreign_every=batch_seconds / rng.choice((1.5, 2, 3)),
        must_settle=True,
    )


def with_odd_bodies(schedule: Schedule) -> Schedule:
    """Return the schedule with gateways that change bodies, some until the end, and confuse the answers to creates."""
    rng = random.Random(f"bodies of {schedule.seed}")
    passing = tuple(rng.choice(_ODD_CALLS) | {"times": rng.choice((1, 1, 2))} for _ in range(rng.choice((1, 2, 4))))
    lasting = tuple(rng.sample(_GATEWAYS, k=rng.choice((0, 1, 1, 2))))
    misled_at = tuple(rng.uniform(0, 20) for _ in range(rng.choice((0, 1, 1, 2))))
    is_uncounted = any(fault["kind"] == "odd_counts" for fault in lasting)
    return replace(
        schedule,
        faults=(*schedule.faults, *passing),
        lasting=tuple(fault | {"times": -1} for fault in lasting),
        # Without counts, another client's smaller Message Batch is never told from results that are cut short.
        misled_at=() if is_uncounted else misled_at,
        foreign_at=() if is_uncounted else schedule.foreign_at,
        rates=replace(schedule.rates, foreign=0.0) if is_uncounted else schedule.rates,
        cancel_at=None,  # until its results are there, another client's Message Batch may be taken for ours
    )


def with_lasting_lies(schedule: Schedule) -> Schedule:
    """Return the schedule with an API that keeps results back, or counts them wrong, until the end."""
    rng = random.Random(f"lies of {schedule.seed}")
    return replace(
        schedule,
        lasting=(rng.choice(_LIES) | {"times": -1},),
        is_deceived=True,
        batch_seconds=min(schedule.batch_seconds, 3600.0),
        foreign_at=(),  # without counts, a smaller one is never told from results that are cut short
        rates=replace(schedule.rates, foreign=0.0),
        stormy_resumes=0,  # a create that cannot be settled is looked for 800 times in each execution
        cancel_at=None,  # the last execution ends red because of the lies alone
        trouble=None,
    )


def with_expiry(schedule: Schedule) -> Schedule:
    """Return the schedule with a user who comes back when the records of a finished, or given up, job have vanished."""
    rng = random.Random(f"expiry of {schedule.seed}")
    days, forgets_ledger, forgets_objects = rng.choice(
        ((30.0, False, True), (30.0, False, False), (36.0, True, True), (36.0, True, False), (400.0, True, True))
    )
    return replace(
        schedule,
        batch_seconds=min(schedule.batch_seconds, 3600.0),
        gives_up=rng.random() < 0.5,
        expiry=Expiry(days, forgets_ledger=forgets_ledger, forgets_objects=forgets_objects),
    )


def _lost_creates(rng: random.Random) -> tuple[Fault, ...]:
    """Return a fault that loses the answer to a create: most were accepted."""
    kind = rng.choice(("accept_then_drop", "accept_then_drop", "drop_before_accept"))
    return ({"kind": kind, "endpoint": CREATE, "after": rng.choice((0, 0, 1)), "times": rng.choice((1, 1, 2))},)


_PAGES = (
    "<html><body><h1>404 Not Found</h1></body></html>",
    "",
    "{",
    '{"error":"not found"}',
    '{"error":{"message":"no"}}',
    '{"type":"error","error":null}',
)

_ODD_CALLS: tuple[Fault, ...] = (
    *(
        {"kind": "page_after_accept", "endpoint": CREATE, "status": status, "body": body}
        for status in (200, 404, 413, 429, 502)
        for body in _PAGES[:3]
    ),
    *(
        {"kind": "odd_body", "endpoint": endpoint, "shape": "cut"}
        for endpoint in (CREATE, "batches.list", "batches.retrieve", "batches.results")
    ),
)
_GATEWAYS: tuple[Fault, ...] = (
    *({"kind": "odd_body", "endpoint": "batches.*", "shape": shape} for shape in ("gzip", "deflate", "bom", "crlf")),
    *({"kind": "odd_counts", "endpoint": "batches.*", "counts": counts} for counts in ("null", "missing", "text")),
    *(
        {"kind": "results_foreign_host", "endpoint": "batches.*", "host": host}
        for host in ("https://api.anthropic.example", "")
    ),
)
_LIES: tuple[Fault, ...] = (
    *(
        {"kind": "odd_counts", "endpoint": "batches.*", "counts": counts}
        for counts in ("null", "zero", "more", "fewer")
    ),
    *({"kind": "results_short", "lines": lines} for lines in (1, 1, 2)),
    {"kind": "page_before_accept", "endpoint": "batches.results", "status": 403},
    {"kind": "error_before_accept", "endpoint": "batches.results", "status": 403},
)


def with_a_small_account(schedule: Schedule) -> Schedule:
    """Return the schedule, in either lane, in an account for ten functions, most of which other jobs take for long.

    Everything is throttled: the S3 event, the state machine's calls, and the workers of the queue.
    """
    rng = random.Random(f"account of {schedule.seed}")
    others = []
    for _ in range(3):
        at = 0.0
        while at < 3 * 3600:
            end = at + rng.choice((2.0, 20.0, 200.0, 900.0))
            others.append((at, end, rng.choice((1, 3, 5))))
            at = end + rng.choice((0.0, 5.0, 60.0, 600.0))
    either = with_live_lane(schedule) if rng.random() < 0.6 else schedule
    return replace(either, account=Account(others=tuple(others)))


def with_an_answer_store(schedule: Schedule) -> Schedule:
    """Return the schedule with a recipe that keeps answers, and a user who sends the file again, edited."""
    rng = random.Random(f"store of {schedule.seed}")
    return replace(schedule, remembered=True, stormy_resumes=rng.choice((0, 1, 2)))


def with_repeated_rows(schedule: Schedule) -> Schedule:
    """Return the schedule with rows that repeat earlier ones, in the same shard and in others."""
    rng = random.Random(f"repeats of {schedule.seed}")
    able = [number for number, kind in enumerate(schedule.rows) if kind != BAD] or [0]
    rows, repeats = [*schedule.rows], []
    for _ in range(rng.randint(1, 6)):
        origin = rng.choice(able)
        if rows[origin] != BAD:
            repeats.append((len(rows), origin))
        rows.append(rows[origin])
    shard_rows = max(1, -(-len(rows) // rng.randint(1, 5)))
    return replace(schedule, rows=tuple(rows), repeats=tuple(repeats), shard_rows=shard_rows)


def with_a_random_sample_in_waves(schedule: Schedule) -> Schedule:
    """Return the schedule with a cap far below the worst case, and a sample from anywhere in the file."""
    rng = random.Random(f"sample and waves of {schedule.seed}")
    return replace(with_waves(schedule), sample=rng.randint(1, 5), drawn=DrawnRows())


def with_a_retry(schedule: Schedule) -> Schedule:
    """Return the schedule with a retry after the job's end. Functions, and the retry's command, go on dying."""
    rng = random.Random(f"retry of {schedule.seed}")
    rows = (*schedule.rows, *rng.choices(("[[refusal]]", "[[max_tokens]]", "[[errored:api_error]]", ""), k=3))
    return replace(
        schedule, rows=rows, retried=True, stormy_resumes=rng.choice((0, 1, 2)), max_rounds=rng.choice((1, 2))
    )


KINDS: dict[str, Callable[[Schedule], Schedule]] = {
    "plain": lambda schedule: schedule,
    "zombies": with_zombies,
    "strays": with_strays,
    "typed": with_typed_answers,
    "sampled": with_samples,
    "drawn": with_a_random_sample,
    "drawn_waves": with_a_random_sample_in_waves,
    "capped": with_a_cap,
    "waves": with_waves,
    "live": with_live_lane,
    "pilots": with_pilots,
    "escalated": with_escalation,
    "packs": with_packs,
    "live_packs": with_live_packs,
    "live_waves": with_live_waves,
    "pages": with_pages,
    "skew": with_skew,
    "workspaces": with_workspaces,
    "foreign": with_a_foreign_stream,
    "proxies": with_proxies,
    "bodies": with_odd_bodies,
    "lies": with_lasting_lies,
    "expiry": with_expiry,
    "retried": with_a_retry,
    "remembered": with_an_answer_store,
    "repeated": with_repeated_rows,
    "throttled": with_a_small_account,
    "aws": with_aws,
}


def _stray(rng: random.Random) -> Stray:
    [function] = rng.choices([*_FUNCTIONS], [*_FUNCTIONS.values()])
    number = rng.choice((0, 0, 0, 1, 1, 2, 3))
    return Stray(function, number, rng.randint(0, 24), rng.uniform(1, 880), dies=rng.random() < 0.3)
