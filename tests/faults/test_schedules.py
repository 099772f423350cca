"""The short form of `make faults`: a few dozen schedules, and those that once found something."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.faults.execution import TaskError
from tests.faults.kinds import with_zombies
from tests.faults.late import LateWrite, Objects
from tests.faults.run import Report, run, run_seed
from tests.faults.schedule import CREATE, Schedule, Trouble, plain, schedule_of
from tests.faults.world import World
from tests.proofs import in_check

IN_SHORT = 60
PART = 10
STRAYS = (104, 228, 273, 292, 326, 334, 354, 710, 732, 756, 835, 923)  # a closing given up for dead had the last word
# One of each kind, for `make check`; all of them are in `make proofs`.
ONE_OF_EACH = {
    ("plain", 259),
    ("strays", 104),
    ("strays", 413),
    ("pages", 20),
    ("proxies", 14),
    ("skew", 2),
    ("sampled", 469),
}
LOST_ANSWER = {"kind": "accept_then_drop", "endpoint": CREATE}


def _fine(report: Report) -> None:
    assert not report.verdict.faults, f"seed {report.seed}: {report.verdict.faults} (make faults SEED={report.seed})"


@pytest.mark.parametrize("first", in_check(range(0, IN_SHORT, PART), {0, 10}))
def test_no_row_is_lost_and_none_is_paid_twice(first: int) -> None:
    """Whatever a schedule breaks, the judge finds nothing."""
    for seed in range(first, first + PART):
        _fine(run_seed(seed))


@pytest.mark.parametrize("first", in_check([7_000, 7_010], {7_000}))
def test_answers_that_break_their_schema_are_paid_for_twice_at_most(first: int) -> None:
    """`retry: {invalid: 1}` asks such an answer once more, whatever else a schedule breaks; a good one never."""
    for seed in range(first, first + 10):
        _fine(run_seed(seed, kind="typed"))


@pytest.mark.parametrize("first", in_check([9_010, 9_020, 9_030], {9_020}))
def test_a_sample_is_paid_once_and_so_is_the_rest(first: int) -> None:
    """Approved soon, late or never in time, canceled, resumed, redriven: no row is asked twice, and none is lost."""
    for seed in range(first, first + 10):
        _fine(run_seed(seed, kind="sampled"))


def test_a_sample_that_nobody_approves_is_all_that_is_paid_for() -> None:
    """Seven days later the job is closed with two answers."""
    report = run(plain(("",) * 6, shard_rows=3, sample=2, approver_rest=1e9, stays_canceled=True))
    _fine(report)
    assert (report.endings, report.verdict.billed) == (["FAILED JobCanceled"], 2)
    assert report.counts["approval came too late, or not"] == 1


def test_a_job_that_nobody_approved_is_approved_later() -> None:
    """Resumed or redriven, it waits again, and asks the rest only then."""
    for is_redriven in (False, True):
        report = run(plain(("",) * 6, shard_rows=3, sample=2, approver_rest=3_000_000.0, redriven=is_redriven))
        _fine(report)
        assert (report.endings[0], report.endings[-1]) == ("FAILED JobCanceled", "SUCCEEDED")
        assert report.verdict.billed == 6


@pytest.mark.parametrize("first", in_check([8_000, 8_010], {8_010}))
def test_the_bill_stays_under_the_cap(first: int) -> None:
    """And no place in a queue of few requests is lost: every job ends, whatever else a schedule breaks."""
    for seed in range(first, first + 10):
        _fine(run_seed(seed, kind="capped"))


@pytest.mark.parametrize("first", in_check([0, 10], {10}))
def test_a_wave_pays_twice_only_what_its_limit_cut(first: int) -> None:
    """The cap is kept, no row is lost, and long answers are sent again with the recipe's own max_tokens."""
    again = 0
    for seed in range(first, first + 10):
        report = run_seed(seed, kind="waves")
        _fine(report)
        again += report.verdict.sent_again
    assert again


@pytest.mark.parametrize("kind", ["pages", "proxies", "skew", "foreign", "workspaces", "bodies", "lies", "expiry"])
def test_lies_of_the_api_cost_nothing(kind: str) -> None:
    """Whatever the list hides, and a proxy says, nothing is lost and nothing is paid twice."""
    for seed in range(4):
        _fine(run_seed(seed, kind=kind))


def test_a_cap_ends_a_job_until_it_is_raised() -> None:
    """Red with a part of the answers, then green; each row once."""
    report = run(plain(("",) * 8, shard_rows=1, max_cost_usd=3.2e-5))
    _fine(report)
    assert (report.endings[0], report.endings[-1]) == ("FAILED JobFailed", "SUCCEEDED")
    assert report.verdict.billed == 8


@pytest.mark.parametrize(
    ("kind", "seed"),
    in_check(
        [
            *(("plain", seed) for seed in (97, 259, 351)),
            *(("strays", seed) for seed in STRAYS),
            *(("pages", seed) for seed in (20, 24, 36, 44, 46, 47)),  # a list that broke off was taken for a whole one
            *(("proxies", seed) for seed in (14, 26, 35, 42, 56)),  # a proxy's page was taken for the API's refusal
            ("strays", 413),  # a round that a resume sent was forgotten, for the shard had an older part
            ("workspaces", 25),  # the job needs each of two keys to end
            *(("skew", seed) for seed in (2, 5, 33, 48)),  # the service's clock was taken for ours
            ("sampled", 469),  # a sample whose results were read again was taken for one that failed
            ("waves", 101),  # a row that expires each time was sent for ever, one wave after the other
            ("waves", 118),  # an answer that the recipe's own limit cut was taken for one that a wave cut
        ],
        ONE_OF_EACH,
    ),
)
def test_what_once_failed(kind: str, seed: int) -> None:
    """Seeds of `make faults` that found something, in the product or in the judge."""
    _fine(run_seed(seed, kind=kind))


def test_a_run_is_the_same_each_time() -> None:
    """A seed that fails can be replayed: what happens, and when, depends on nothing else."""
    first, again = ([line.split("msgbatch_")[0] for line in run_seed(3).trace if "req_" not in line] for _ in range(2))
    assert first == again


def test_lines_of_nobody_do_not_hide_our_message_batch() -> None:
    """A lost create whose results begin with custom_ids that nobody asked is found, not sent again."""
    unknown = {"kind": "results_unknown_ids", "lines": 2}
    report = run(plain(faults=(LOST_ANSWER, unknown)))
    _fine(report)
    assert report.verdict.billed == 3


def test_more_room_is_asked_for_once_even_if_nobody_understands_the_result() -> None:
    """A cut answer's second ask that came back in an unknown type may have been paid: there is no third."""
    unknown = {"kind": "results_unknown_type", "lines": 1, "after": 1}
    report = run(plain(("[[max_tokens]]",), raises_max_tokens=True, faults=(unknown,)))
    _fine(report)
    assert report.verdict.billed == 2


def test_answers_of_earlier_rounds_are_in_the_output_of_a_job_that_failed() -> None:
    """When the account fails between two rounds, the rows that were answered and paid in the first are not `failed`."""
    trouble = {"kind": "error_before_accept", "endpoint": CREATE, "status": 402, "after": 1}
    report = run(plain(("", "[[errored_once:api_error]]"), faults=(trouble,)))
    _fine(report)
    assert report.endings == ["FAILED JobFailed", "SUCCEEDED"]


@pytest.mark.parametrize("seed", [5021, 5022, 5041, 5071])
def test_attempts_given_up_for_dead_change_nothing(seed: int) -> None:
    """A split, or a closing, that Step Functions repeated while it still ran, does not overwrite what came after it."""
    _fine(run(with_zombies(schedule_of(seed))))


class _LateClosing(LateWrite):
    """A closing writes a shard's part when the resumed job has just written the shard's own."""

    function, held = "close_job", "/parts/00000.r0.csv"

    def is_worst(self, objects: Objects) -> bool:
        return any(key.endswith("/parts/00000.r0.tally.json") for key in objects)


class _LateCollecting(LateWrite):
    """A collection writes the part of the first round when the resumed job has just written that of the second."""

    function, held, dies = "collect_results", "/parts/00000.r0.csv", True

    def is_worst(self, objects: Objects) -> bool:
        return any(key.endswith("/parts/00000.r1.tally.json") for key in objects)


class _LateOutput(LateWrite):
    """A closing puts its output when the resumed job's own closing has put all of its."""

    function, held = "close_job", "/output.csv"

    def is_worst(self, objects: Objects) -> bool:
        return any(b'"succeeded"' in body for key, body in objects.items() if key.endswith("/summary.json"))


class _LateFailed(_LateOutput):
    held = "/failed.jsonl"


class _LateSummary(_LateOutput):
    held = "/summary.json"


class _LateNote(_LateOutput):
    held = "/closing.json"


@pytest.mark.parametrize("make", [_LateOutput, _LateFailed, _LateSummary, _LateNote])
def test_a_closing_given_up_for_dead_does_not_spoil_the_outputs_of_the_resumed_job(make: type[LateWrite]) -> None:
    """Not even if it looked whether it is the last one before, and its write arrives after."""
    refused = {"kind": "error_before_accept", "endpoint": CREATE, "status": 402}
    reports = [run(plain(seed=seed, batch_seconds=2.0, faults=(refused,)), make=make) for seed in range(20, 30)]
    for report in reports:
        _fine(report)
    assert any(report.counts["late write"] for report in reports)


def test_a_closing_given_up_for_dead_does_not_spoil_the_parts_of_the_resumed_job() -> None:
    """Rows that were answered after the resume are not `failed` in the output of a green job."""
    refused = {"kind": "error_before_accept", "endpoint": CREATE, "status": 402}
    for seed in range(10):
        _fine(run(plain(("", ""), seed=seed, shard_rows=1, batch_seconds=2.0, faults=(refused,)), make=_LateClosing))


def test_a_collection_given_up_for_dead_does_not_spoil_the_part_of_a_later_round() -> None:
    """A row that was answered in the resumed job's round is not `failed` as it was before."""
    rows = ("[[errored_once:api_error]]", "")
    refused = {"kind": "error_before_accept", "endpoint": CREATE, "status": 402, "after": 1}
    schedule = plain(rows, shard_rows=1, concurrency=1, batch_seconds=2.0, max_rounds=1, faults=(refused,))
    reports = [run(replace(schedule, seed=seed), make=_LateCollecting) for seed in range(10)]
    for report in reports:
        _fine(report)
    assert any(report.counts["late write"] for report in reports)


def test_what_cannot_be_told_ends_red_and_is_found_when_it_is_resumed() -> None:
    """Results that stay out of reach for two days: not sent again, and adopted once they can be read."""
    unreadable = {"kind": "page_before_accept", "endpoint": "batches.results", "status": 502, "times": -1}
    report = run(plain(faults=(LOST_ANSWER, unreadable), foreign_at=(30.0,)))
    _fine(report)
    assert (report.endings, report.verdict.billed) == (["FAILED JobFailed", "SUCCEEDED"], 3)
    assert any("SubmissionUnsettled -> Record shard failure" in line for line in report.trace)


def test_what_cannot_be_told_and_was_never_sent_is_sent_when_it_is_resumed() -> None:
    """Only another client's Message Batch was undecided; once it can be read, the rows are asked, and paid, once."""
    nothing_created = {"kind": "drop_before_accept", "endpoint": CREATE}
    unreadable = {"kind": "page_before_accept", "endpoint": "batches.results", "status": 502, "times": -1}
    report = run(plain(faults=(nothing_created, unreadable), foreign_at=(30.0,)))
    _fine(report)
    assert (report.endings, report.verdict.billed) == (["FAILED JobFailed", "SUCCEEDED"], 3)


class _NothingRecorded(World):
    """A world in which the state machine cannot write a shard's failure into the ledger."""

    def put_item(self, item: dict[str, Any]) -> None:
        raise TaskError(error="DynamoDB.AccessDeniedException", cause=f"not allowed: {item['fact']}")


def test_a_shard_whose_failure_was_not_recorded_ends_the_job_red() -> None:
    """Green means that each shard was collected, not that nobody complained."""
    refused = {"kind": "error_before_accept", "endpoint": CREATE, "status": 400}
    report = run(plain(faults=(refused,)), make=_NothingRecorded)
    _fine(report)
    assert report.endings[0] == "FAILED JobFailed"


def test_a_lost_answer_costs_nothing() -> None:
    """The API accepts the first create and answers 500: each row once, and a bill of as many requests as rows."""
    accepted = {"kind": "error_after_accept", "endpoint": CREATE, "status": 500}
    report = run(plain(("",) * 6, shard_rows=3, faults=(accepted,)))
    _fine(report)
    assert (report.verdict.billed, report.endings) == (6, ["SUCCEEDED"])


@pytest.mark.parametrize("status", [401, 402, 403, 429])
def test_account_trouble_stops_the_job_until_it_is_resumed(status: int) -> None:
    """The job ends red while the account is in trouble, and asks only what has no answer when it is resumed."""
    schedule: Schedule = replace(plain(), trouble=Trouble(0.0, 600.0, status))  # type: ignore[arg-type] # a status of the parametrization
    report = run(schedule)
    _fine(report)
    assert (report.endings[0], report.endings[-1]) == ("FAILED JobFailed", "SUCCEEDED")
