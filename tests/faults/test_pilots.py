"""Jobs with a pilot, on the real state machine: what is sent when, what it costs, and what a refusal stops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.faults.kinds import KINDS
from tests.faults.live_schedule import SMALL
from tests.faults.run import Report, claude, run
from tests.faults.schedule import Schedule, plain, schedule_of
from tests.faults.upload import RULES

ROWS = ("",) * 12
PREFIX = 1.3 * len(RULES) / 4  # tokens, about


def _run(rows: tuple[str, ...] = ROWS, **changes: Any) -> tuple[Report, list[Any]]:
    """Run a calm job of three shards after its pilots; return its report and the bill, in the order of the answers."""
    fields: dict[str, Any] = {
        "shard_rows": 4,
        "pilot": True,
        "primed": True,
        "live": replace(SMALL, lane="batch"),
        **changes,
    }
    report = run(plain(rows, **fields))
    assert report.verdict.faults == []
    state = claude().state
    entries = list(state.bill.entries(state.clock.now()))
    return report, sorted(entries, key=lambda entry: entry.done_at)


def _reads(entry: Any) -> bool:
    return bool(entry.usage["cache_read_input_tokens"])


def _writes(entry: Any) -> bool:
    return bool(entry.usage["cache_creation_input_tokens"])


def test_a_pilot_proves_a_second_row_primes_and_the_rest_reads() -> None:
    """The first answer is live and plain, the second is a Message Batch of one that writes, all others read."""
    report, bill = _run()
    assert report.endings == ["SUCCEEDED"]
    assert [entry.lane for entry in bill] == ["live"] + ["batch"] * 11
    pilot, primer, *rest = bill
    assert not _reads(pilot)
    assert not _writes(pilot)
    assert _writes(primer)
    assert primer.usage["cache_creation_input_tokens"] == pytest.approx(PREFIX, rel=0.1)
    assert all(_reads(entry) and not _writes(entry) for entry in rest)
    assert len({entry.batch_id for entry in rest}) == 3


def test_without_a_primer_nothing_is_marked() -> None:
    """`cache: false`: a pilot, then Message Batches that pay for the whole prompt."""
    _, bill = _run(primed=False)
    assert [entry.lane for entry in bill] == ["live"] + ["batch"] * 11
    assert not any(_reads(entry) or _writes(entry) for entry in bill)


@pytest.mark.parametrize("seconds", [1500.0, 4000.0])
def test_a_primer_that_takes_too_long_leaves_the_rest_unmarked(seconds: float) -> None:
    """The rest is sent after 20 minutes, not when the primer ends; only the primer writes."""
    report, bill = _run(batch_seconds=seconds, concurrency=4)
    assert report.endings == ["SUCCEEDED"]
    assert sum(map(_writes, bill)) == 1
    assert not any(map(_reads, bill))
    primer, *others = [batch.created_at for batch in claude().state.batches.all()]
    assert all(20 * 60 <= created - primer < 22 * 60 for created in others)


def test_a_refused_pilot_ends_the_job_red_at_no_cost() -> None:
    """With the words of the API. Resumed, the job sends its other rows."""
    report, bill = _run(("[[errored:invalid_request_error]]", *ROWS))
    assert report.endings == ["FAILED JobFailed", "SUCCEEDED"]
    first = next(number for number, line in enumerate(report.trace) if "PilotRefused" in line)
    assert not any("billed" in line for line in report.trace[:first])
    assert len(bill) == len(ROWS)


def test_a_pilot_that_needs_a_second_try_is_no_refusal() -> None:
    """A transient error is sent again, as for any row."""
    report, _ = _run(("[[errored_once:api_error]]", *ROWS))
    assert report.endings == ["SUCCEEDED"]


@pytest.mark.parametrize("seed", range(40, 46))
def test_pilots_survive_what_every_job_survives(seed: int) -> None:
    """Some of the schedules that `python -m tests.faults --kind pilots` runs."""
    schedule: Schedule = KINDS["pilots"](schedule_of(seed))
    report = run(schedule)
    assert report.verdict.faults == []
    assert (report.verdict.lost, report.verdict.paid_twice) == (0, 0)


def test_a_pilot_that_no_worker_came_to_is_sent_with_the_others() -> None:
    """Its short time does not use up `max_rounds: 1`: a green job has asked every row."""
    schedule: Schedule = replace(KINDS["pilots"](schedule_of(13)), max_rounds=1)
    assert run(schedule).verdict.faults == []
