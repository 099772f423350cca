"""Rounds: what is unpaid and may go better is asked again, what was paid for is not."""

from __future__ import annotations

import csv
import io
import json

import pytest

from batchdrop.errors import SubmissionUncertain
from batchdrop.job.submission import Halt
from batchdrop.recipe.recipe import DEFAULT_ROUNDS
from tests.fakes import FakeBatchApi, JsonObject, errored, message, succeeded
from tests.jobs import JOB, KEYS, RECIPE, World, dropped, reviews

BAD_TURN: dict[str, JsonObject] = {
    "expired": {"type": "expired"},
    "canceled": {"type": "canceled"},
    "overloaded": errored("overloaded_error"),
    "api": errored("api_error"),
    "rate limit": errored("rate_limit_error"),
    "timeout": errored("timeout_error"),
    "unknown": errored("quota_haze_error"),
}
FOR_EVER: dict[str, JsonObject] = {
    "invalid": errored("invalid_request_error"),
    "not found": errored("not_found_error"),
    "too large": errored("request_too_large"),
    "unknown result": {"type": "postponed"},
    "refusal": succeeded("", stop_reason="refusal"),
    "cut": succeeded("half", stop_reason="max_tokens"),
}
ACCOUNT = ["billing_error", "authentication_error", "permission_error"]


def _row(request: JsonObject) -> int:
    return int(request["custom_id"][-6:])


def _first(turns: int, result: JsonObject, *, row: int = 1) -> FakeBatchApi:
    """Return a service that answers all rows, but gives one row another result in its first turns."""

    def in_turn(request: JsonObject, before: int) -> JsonObject:
        return result if _row(request) == row and before < turns else succeeded(f"answer {_row(request)} at {before}")

    return FakeBatchApi(in_turn=in_turn)


def _world(api: FakeBatchApi, *, rows: int = 3, recipe: str = RECIPE) -> World:
    world = dropped(reviews(rows), recipe=recipe)
    world.api = api
    return world


def _output(world: World) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(world.result("output.csv").decode(), newline="")))


def _asked(world: World) -> list[list[int]]:
    """Return the rows of each create."""
    return [[_row(request) for request in requests] for requests in world.api.created.values()]


@pytest.mark.parametrize("kind", BAD_TURN)
def test_what_may_go_better_is_asked_again(kind: str) -> None:
    """One more round, of the one row; the others keep their answers."""
    world = _world(_first(1, BAD_TURN[kind]))
    summary = world.run()
    assert _asked(world) == [[0, 1, 2], [1]]
    assert [row["answer"] for row in _output(world)] == ["answer 0 at 0", "answer 1 at 1", "answer 2 at 0"]
    assert (summary.status, summary.tally.answered, summary.tokens[0].answers) == ("succeeded", 3, 3)
    assert [(sent.round, sent.requests) for sent in summary.message_batches] == [(0, 3), (1, 1)]


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_rounds_have_an_end(rounds: int) -> None:
    """A row that always fails is asked `max_rounds` times, then has failed with its last reason."""
    world = _world(_first(99, {"type": "expired"}), recipe=f"{RECIPE}max_rounds: {rounds}\n")
    summary = world.run()
    assert _asked(world) == [[0, 1, 2]] + [[1]] * (rounds - 1)
    assert (summary.status, summary.tally.failed) == ("succeeded", 1)
    assert _output(world)[1]["_error"].startswith("expired: ")


def test_ready_made_requests_have_the_default_rounds() -> None:
    """Without a recipe there is nobody to say how many."""
    params = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}
    line = json.dumps({"custom_id": "theirs", "params": params}).encode()
    world = dropped(line + b"\n", key="inbox/f.jsonl", recipe=None)
    world.api = _first(99, {"type": "expired"}, row=0)
    world.run()
    assert _asked(world) == [[0]] * DEFAULT_ROUNDS


@pytest.mark.parametrize("kind", FOR_EVER)
def test_what_would_fail_again_or_is_paid_is_not_asked_again(kind: str) -> None:
    """One round: the same request would fail the same way, or was billed."""
    world = _world(_first(99, FOR_EVER[kind]))
    world.run()
    assert _asked(world) == [[0, 1, 2]]


def test_the_last_word_is_the_rows() -> None:
    """Expired first, then refused for ever: the output says what came last."""

    def in_turn(request: JsonObject, before: int) -> JsonObject:
        return [{"type": "expired"}, errored("overloaded_error"), errored("invalid_request_error")][before]

    world = _world(FakeBatchApi(in_turn=in_turn), rows=1, recipe=f"{RECIPE}max_rounds: 9\n")
    world.run()
    assert len(world.api.created) == 3
    assert _output(world)[0]["_error"] == "invalid_request_error: no"


def test_leftovers_are_the_same_bytes() -> None:
    """A later round's body is a choice of the first one's lines, in their order, to the byte."""
    world = _world(FakeBatchApi(in_turn=_second_of_two), rows=9)
    world.run()
    first, second = (body.splitlines() for body in world.api.bodies.values())
    assert [line.rstrip(b",") for line in second[1:-1]] == [
        line.rstrip(b",") for line in first[1:-1] if _row(json.loads(line.rstrip(b","))) % 2
    ]
    assert (second[0], second[-1]) == (first[0], first[-1])
    assert len(second) == 4 + 2


def _second_of_two(request: JsonObject, before: int) -> JsonObject:
    return {"type": "expired"} if _row(request) % 2 and not before else succeeded("ok")


RETRY = f"{RECIPE}max_tokens: 100\nretry:\n  max_tokens: x2\n"
CUT = succeeded("half", stop_reason="max_tokens")


def test_a_cut_answer_gets_twice_the_room_once() -> None:
    """`retry: {max_tokens: x2}` asks again with 200, and both answers are in the tokens, for both are billed."""
    world = _world(_first(1, CUT), recipe=RETRY)
    summary = world.run()
    assert _asked(world) == [[0, 1, 2], [1]]
    first, second = world.requests(0, 0)[1], world.requests(0, 1)[0]
    assert (first["params"].pop("max_tokens"), second["params"].pop("max_tokens")) == (100, 200)
    assert first == second
    assert _output(world)[1]["answer"] == "answer 1 at 1"
    assert (summary.tally.answered, summary.tokens[0].answers, summary.tokens[0].output) == (3, 4, 20)


def test_what_is_cut_again_stays_cut() -> None:
    """There is no x4: the longer answer stands, flagged, and no third round is paid."""
    world = _world(_first(99, CUT), recipe=RETRY)
    summary = world.run()
    assert _asked(world) == [[0, 1, 2], [1]]
    assert (_output(world)[1]["_status"], summary.tally.statuses) == ("max_tokens", {"answered": 2, "max_tokens": 1})
    assert summary.tokens[0].answers == 4


@pytest.mark.parametrize("later", [{"type": "expired"}, errored("invalid_request_error")], ids=["expired", "invalid"])
def test_a_paid_answer_is_not_lost_to_a_failure(later: JsonObject) -> None:
    """The second, longer attempt fails: the cut answer, which was paid for, stays in the output."""

    def in_turn(request: JsonObject, before: int) -> JsonObject:
        return later if before else CUT

    world = _world(FakeBatchApi(in_turn=in_turn), rows=1, recipe=RETRY)
    summary = world.run()
    assert (_output(world)[0]["answer"], _output(world)[0]["_status"]) == ("half", "max_tokens")
    assert summary.tokens[0].answers == 1


def test_tokens_of_every_paid_answer_are_counted() -> None:
    """Each model at its own price, also of the answer that was replaced."""
    usage = {"input_tokens": 7, "output_tokens": 100}
    world = _world(
        _first(1, {"type": "succeeded", "message": message("h", stop_reason="max_tokens", usage=usage)}), recipe=RETRY
    )
    [tokens] = world.run().tokens
    assert (tokens.answers, tokens.input, tokens.output) == (4, 37, 115)


def test_a_kept_round_does_not_need_the_api() -> None:
    """A second collect reads the bucket: the API may have dropped the results since."""
    world = _world(_first(1, {"type": "expired"}))
    world.split()
    batch_id = world.submit().batch_id
    world.api.finish()
    first = world.collect(batch_id)
    body = world.store.read(KEYS.requests(0, 1))
    reads = world.api.reads
    assert world.collect(batch_id) == first
    assert (world.api.reads, first.leftovers, first.tally) == (reads, 1, None)
    assert world.store.read(KEYS.requests(0, 1)) == body
    assert world.submit().is_collected


def test_a_resumed_job_has_its_rounds_again() -> None:
    """Resuming gives as many rounds again, asks only what has no answer, and keeps all that was paid."""
    world = _world(_first(DEFAULT_ROUNDS, {"type": "expired"}))
    assert world.run().tally.failed == 1
    world.resume()
    summary = world.run()
    assert _asked(world) == [[0, 1, 2]] + [[1]] * DEFAULT_ROUNDS
    assert (summary.tally.answered, summary.tokens[0].answers) == (3, 3)
    assert _output(world)[1]["answer"] == f"answer 1 at {DEFAULT_ROUNDS}"


@pytest.mark.parametrize("kind", ACCOUNT)
def test_account_errors_halt_and_are_asked_after_a_resume(kind: str) -> None:
    """Rows that failed for the account's sake stop the job, red; mended and resumed, just they are asked."""
    world = _world(_first(1, errored(kind)))
    summary = world.run()
    assert (summary.status, [fault.type for fault in summary.faults]) == ("failed", ["AccountTrouble"])
    assert "1 rows came back with a billing" in summary.faults[0].message
    assert _asked(world) == [[0, 1, 2]]
    assert [row["_status"] for row in _output(world)] == ["answered", "failed", "answered"]
    world.resume()
    again = world.run()
    assert (again.status, again.tally.answered, again.faults) == ("succeeded", 3, [])
    assert _asked(world) == [[0, 1, 2], [1]]


def test_a_halted_job_asks_no_further_round() -> None:
    """Trouble of another shard, met while this one was processed: its leftovers wait for the resume."""
    world = _world(_first(1, {"type": "expired"}))
    world.split()
    batch_id = world.submit().batch_id
    world.api.finish()
    _halt(world)
    collected = world.collect(batch_id)
    assert collected.leftovers == 0
    assert collected.tally is not None
    assert (collected.tally.answered, collected.tally.failed) == (2, 1)
    assert len(world.api.created) == 1


def _halt(world: World) -> None:
    world.ledger.halt(JOB, Halt("AccountTrouble", "HTTP 402", world.clock.now()))


def test_a_lost_answer_in_a_later_round_is_settled() -> None:
    """Each round is a submission of its own, with the same protocol."""
    world = _world(_first(1, {"type": "expired"}))
    world.split()
    batch_id = world.submit().batch_id
    world.api.finish()
    world.collect(batch_id)
    world.api.lose_next = SubmissionUncertain("lost")
    world.ask()
    assert _asked(world) == [[0, 1, 2], [1]]
    assert [sent.state for sent in world.ledger.submissions(JOB)] == ["accepted", "accepted"]
