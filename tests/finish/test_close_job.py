"""close_job: every job ends with a summary that is true, and every row is accounted for."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import msgspec
import pytest

from batchdrop.errors import InvariantBroken, JobClosedSince, SubmissionRefused
from batchdrop.job.submission import Halt, ShardFailure
from batchdrop.ports import Guard, ObjectChanged
from batchdrop.report.summary import Fault
from tests.fakes import START, FakeBatchApi, errored, succeeded
from tests.jobs import JOB, KEYS, World, dropped, reviews

PREFIX = f"results/r/f/{JOB}/"


def _output(world: World) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(world.result("output.csv").decode(), newline="")))


def _failed(world: World) -> list[dict[str, Any]]:
    return [json.loads(line) for line in world.result("failed.jsonl").splitlines()]


def test_a_job_that_went_well() -> None:
    """Green: every row in order, nothing in failed.jsonl, and a summary that says so."""
    world = dropped(reviews(5), rows=2)
    summary = world.run()
    assert (summary.status, summary.faults, summary.shards) == ("succeeded", [], 3)
    assert [row["answer"] for row in _output(world)] == [f"re: ask row {n}" for n in range(5)]
    assert _failed(world) == []
    assert (summary.outputs.output, summary.outputs.failed) == (f"{PREFIX}output.csv", f"{PREFIX}failed.jsonl")


def test_the_summary_is_written_as_it_is_returned() -> None:
    """`summary.json` has tally, tokens, cost, timings and Message Batch ids, as plain JSON."""
    world = dropped(reviews(4), rows=3)
    world.clock.advance(90)
    summary = world.run()
    written = json.loads(world.result("summary.json"))
    counts = {"rows": 4, "answered": 4, "unusable": 0, "failed": 0, "rejected": 0, "shared": 0}
    assert written["tally"] == {**counts, "statuses": {"answered": 4}}
    assert written["tokens"][0]["answers"] == 4
    assert written["cost"]["usd"] == float(4 * (10 * 0.10 + 5 * 0.50) / 1e6 / 2)
    assert [sent["id"] for sent in written["message_batches"]] == list(world.api.created)
    assert written["timings"]["total_seconds"] == 90.0
    assert written["model"] == "claude-haiku-5-5"
    assert written["job_id"] == summary.job_id == JOB
    assert (written["input"], written["bytes"], written["results"]) == ("inbox/r/f.csv", world.upload.size, PREFIX)


def test_an_unknown_price_is_null() -> None:
    """A model without a known price does not look free."""
    world = dropped(reviews(1))
    world.api = FakeBatchApi(result_of=lambda _request: succeeded("x", model="claude-haiku-9"))
    world.run()
    assert json.loads(world.result("summary.json"))["cost"]["usd"] is None


def test_failed_rows_do_not_fail_the_job() -> None:
    """Rows may fail in a success; they are in the output, in failed.jsonl, and counted."""
    world = dropped(reviews(3))
    world.api = FakeBatchApi(
        result_of=lambda request: errored("api_error") if request["custom_id"].endswith("1") else succeeded("ok")
    )
    summary = world.run()
    assert summary.status == "succeeded"
    assert (summary.tally.answered, summary.tally.failed) == (2, 1)
    assert [row["_status"] for row in _output(world)] == ["answered", "failed", "answered"]
    assert _failed(world) == [{"x": "row 1", "_row": 2, "_status": "failed", "_error": "api_error: no"}]


@pytest.mark.parametrize(
    ("key", "prefix"),
    [
        ("inbox/r/f.csv", PREFIX),
        ("inbox/a/b/f.csv", f"results/a/b/f/{JOB}/"),
        ("inbox/f.csv", f"results/requests/f/{JOB}/"),
        ("inbox/r/../f.csv", f"results/_unnamed/{JOB}/"),
    ],
)
def test_a_job_that_never_began_has_a_summary(key: str, prefix: str) -> None:
    """Without a manifest there is the fault, and no output that could be taken for one."""
    world = dropped(reviews(1), key=key)
    summary = world.close(Fault("RecipeRejected", "recipes/r.yaml: the recipe does not exist"))
    assert (summary.status, summary.results) == ("failed", prefix)
    assert summary.faults == [Fault("RecipeRejected", "recipes/r.yaml: the recipe does not exist")]
    assert (summary.outputs.output, summary.outputs.failed) == (None, None)
    names = ("report.html", "status.html", "summary.json")
    assert list(world.store.under("results/")) == [f"{prefix}{name}" for name in names]


def test_a_job_stopped_in_the_middle_of_its_split_has_no_output() -> None:
    """What was split so far is not mistaken for the file."""
    world = dropped(reviews(9), rows=2)
    assert not world.split(looks=4).finished
    summary = world.close(Fault("UploadRejected", "the file was replaced"))
    assert (summary.status, summary.outputs.output) == ("failed", None)


def test_a_job_of_rejects_shows_every_reason() -> None:
    """NothingToSend after a whole split: red, and each row has its reason."""
    world = dropped(b"x,y\n1\n2\n")
    with pytest.raises(Exception, match="none of its 2 rows"):
        world.split()
    summary = world.close(Fault("NothingToSend", "none"))
    assert (summary.status, summary.tally.rejected) == ("failed", 2)
    assert [row["_status"] for row in _output(world)] == ["rejected", "rejected"]
    assert all("1 cell, the header has 2" in line["_error"] for line in _failed(world))


def test_a_failed_shard_fails_its_rows_and_the_job() -> None:
    """The other shards' answers are there; its rows say why; the fault names the shard and the reason in words."""
    world = dropped(reviews(6), rows=2)
    world.split()
    for shard in (0, 2):
        batch_id = world.submit(shard).batch_id
        world.api.finish()
        world.collect(batch_id, shard)
    cause = json.dumps({"errorMessage": "HTTP 400: too large", "errorType": "SubmissionRefused"})
    world.ledger.fail(JOB, ShardFailure(1, "SubmissionRefused", cause))
    summary = world.close()
    assert summary.status == "failed"
    assert summary.faults == [Fault("SubmissionRefused", "HTTP 400: too large", 1)]
    assert [row["_status"] for row in _output(world)] == ["answered"] * 2 + ["failed"] * 2 + ["answered"] * 2
    assert {row["_error"] for row in _output(world)} == {"", "SubmissionRefused: HTTP 400: too large"}
    assert [line["x"] for line in _failed(world)] == ["row 2", "row 3"]


def test_a_shard_that_left_no_word_is_still_accounted_for() -> None:
    """No part, no recorded reason: its rows failed, and the reason is the job's."""
    world = dropped(reviews(2), rows=1)
    world.split()
    summary = world.close(Fault("States.Timeout", "the job took too long"))
    assert (summary.status, summary.tally.failed) == ("failed", 2)
    assert {row["_error"] for row in _output(world)} == {"States.Timeout: the job took too long"}


def test_a_submission_without_an_answer_is_listed() -> None:
    """The summary shows what may have been created and never was confirmed."""
    world = dropped(reviews(1))
    world.api.lose_next = SubmissionRefused("unused")
    world.split()
    world.api.lose_next = ConnectionError("lost")
    with pytest.raises(ConnectionError):
        world.submit()
    [sent] = world.close().message_batches
    assert (sent.shard, sent.round, sent.requests, sent.id) == (0, 0, 1, None)


def test_a_part_without_its_tally_is_made_again() -> None:
    """The tally is written last and proves the part: without it the part is joined anew from the kept answers."""
    world = dropped(reviews(2))
    world.run()
    del world.store.objects[KEYS.part_tally(0, 1)]
    world.store.write(KEYS.part(0, 1, "csv"), b"half a pa")
    summary = world.close()
    assert (summary.status, summary.tally.answered) == ("failed", 2)
    assert [row["answer"] for row in _output(world)] == ["re: ask row 0", "re: ask row 1"]
    [fault] = summary.faults
    assert (fault.type, fault.shard) == ("JobFailed", 0)
    assert "no recorded failure" in fault.message


@pytest.mark.parametrize("change", [{"rows": 1}, {"answered": 1}, {"failed": 1}])
def test_a_row_that_went_missing_stops_the_close(change: dict[str, int]) -> None:
    """A tally that does not add up is never turned into an output."""
    world = dropped(reviews(2))
    world.run()
    for key in list(world.store.under("results/")):
        del world.store.objects[key]
    tally = json.loads(world.store.read(KEYS.part_tally(0, 1)))
    world.store.write(KEYS.part_tally(0, 1), msgspec.json.encode({**tally, **change}))
    with pytest.raises(InvariantBroken, match="shard 0"):
        world.close()
    assert world.store.under("results/") == {}


def test_shards_that_make_up_for_each_other_stop_the_close() -> None:
    """A row too few in one shard and one too many in another are two wrongs."""
    world = dropped(reviews(3), rows=2)
    world.run()
    tallies = [world.store.read(KEYS.part_tally(shard, 1)) for shard in range(2)]
    for shard, tally in enumerate(reversed(tallies)):
        world.store.write(KEYS.part_tally(shard, 1), tally)
    with pytest.raises(InvariantBroken, match="shard 0"):
        world.close()


def test_closing_again_writes_the_same() -> None:
    """A repeated task changes nothing but the time."""
    world = dropped(b"x,y\n1,2\n3\n")
    world.run()
    before = {key: body for key, body in world.store.under("results/").items() if "summary" not in key}
    world.close()
    assert {key: body for key, body in world.store.under("results/").items() if "summary" not in key} == before


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_failed_rows_dropped_in_again_are_asked_again(rows: int) -> None:
    """failed.jsonl is a file like any other: dropped in as it is, its rows get their answers."""
    first = dropped(b"x,y\na,1\nb,2\nc\n", rows=rows)
    first.api = FakeBatchApi(result_of=lambda _request: errored("overloaded_error"))
    assert first.run().tally.failed == 2
    again = dropped(first.result("failed.jsonl"), key="inbox/r/failed.jsonl", rows=rows)
    summary = again.run()
    assert (summary.tally.rows, summary.tally.answered) == (3, 3)
    answers = [json.loads(line) for line in again.result("output.jsonl").splitlines()]
    assert [line["answer"] for line in answers] == ["re: ask a", "re: ask b", "re: ask c"]
    assert all(line["_status"] == "answered" for line in answers)


def test_times_are_in_order() -> None:
    """Upload, split, end."""
    world = dropped(reviews(1))
    world.clock.advance(3600)
    timings = world.run().timings
    assert timings.split_ended_at is not None
    assert timings.uploaded_at <= timings.split_ended_at <= timings.finished_at == START + timedelta(hours=1)


@pytest.mark.parametrize(("error", "status"), [("AccountTrouble", "failed"), ("JobCanceled", "canceled")])
def test_a_halted_job_ends_red_once(error: str, status: str) -> None:
    """The halt is the first fault; shards that only obeyed it say nothing new, others do."""
    world = dropped(reviews(6), rows=2)
    world.split()
    world.ask(0)
    world.ledger.halt(JOB, Halt(error, "the reason", START))
    world.ask(1)
    world.ledger.fail(JOB, ShardFailure(2, "MessageBatchLost", "gone"))
    summary = world.close()
    assert summary.status == status
    assert summary.faults == [Fault(error, "the reason"), Fault("MessageBatchLost", "gone", 2)]
    assert [failure.shard for failure in world.ledger.shard_failures(JOB)] == [1, 2]


def test_rows_of_a_canceled_job_are_canceled() -> None:
    """What was answered before stays; what was not asked says `canceled`, with the user's words."""
    world = dropped(reviews(4), rows=2)
    world.split()
    world.ask(0)
    world.ledger.halt(JOB, Halt("JobCanceled", "canceled by its user", START))
    world.ask(1)
    summary = world.close()
    assert [row["_status"] for row in _output(world)] == ["answered"] * 2 + ["canceled"] * 2
    assert [line["_error"] for line in _failed(world)] == ["canceled by its user"] * 2
    assert summary.tally.statuses == {"answered": 2, "canceled": 2}
    assert len(world.api.created) == 1


def test_a_message_batch_that_was_canceled_keeps_what_it_answered() -> None:
    """The running Message Batch of a canceled job is canceled, waited for and collected; no further round is asked."""
    world = dropped(reviews(2))
    world.split()
    world.submit()
    world.ledger.halt(JOB, Halt("JobCanceled", "canceled by its user", START))
    world.ask()
    summary = world.close()
    assert world.api.cancels == ["msgbatch_0"]
    assert (summary.status, summary.tally.statuses) == ("canceled", {"canceled": 2})
    assert len(world.api.created) == 1


def _fails_in_round_one() -> World:
    def in_turn(request: dict[str, Any], before: int) -> dict[str, Any]:
        return {"type": "expired"} if request["custom_id"].endswith("1") and not before else succeeded("paid")

    world = dropped(reviews(3))
    world.api = FakeBatchApi(in_turn=in_turn)
    world.split()
    batch_id = world.submit().batch_id
    world.api.finish()
    world.collect(batch_id)
    world.api.refuse_next = SubmissionRefused("HTTP 400")
    world.ask()
    return world


def test_a_shard_that_failed_in_a_later_round_keeps_its_answers() -> None:
    """Round 0 is paid: its answers are in the output, the leftovers have their own last word, the job is red."""
    world = _fails_in_round_one()
    summary = world.close()
    assert (summary.status, summary.tally.answered, summary.tally.failed) == ("failed", 2, 1)
    assert [row["answer"] for row in _output(world)] == ["paid", "", "paid"]
    assert _output(world)[1]["_error"].startswith("expired: ")
    assert summary.tokens[0].answers == 2


def test_a_part_of_a_failed_shard_is_only_for_now() -> None:
    """It has no tally, so that the resumed job makes it anew from all rounds."""
    world = _fails_in_round_one()
    world.close()
    assert not world.store.exists(KEYS.part_tally(0, 1))
    world.resume()
    summary = world.run()
    assert (summary.status, summary.tally.answered) == ("succeeded", 3)
    assert len(world.api.created) == 2


def test_a_later_closing_is_not_written_over() -> None:
    """An attempt that was given up for dead, and comes late, leaves the newer closing's files alone."""
    world = dropped(reviews(1))
    world.clock.advance(60)
    world.run()
    before = world.store.under("results/")
    world.clock.time = START
    with pytest.raises(JobClosedSince, match="2026-11-22 12:01:00 UTC"):
        world.close()
    assert world.store.under("results/") == before


def _interfere(world: World, ending: str, write: Callable[[str], None], *, times: int) -> list[str]:
    """Let somebody write such an object just when it is to be written; return when."""
    came: list[str] = []
    put = world.store.write

    def write_meanwhile(key: str, body: bytes, *, guard: Guard | None = None) -> None:
        if guard is None or not key.endswith(ending) or len(came) == times:
            put(key, body, guard=guard)
            return
        came.append(key)

        def guard_and_more() -> None:
            guard()
            write(key)

        put(key, body, guard=guard_and_more)

    world.store.write = write_meanwhile  # type: ignore[method-assign] # the fake misbehaves
    return came


@pytest.mark.parametrize("ending", ["/output.csv", "/failed.jsonl", "/summary.json"])
@pytest.mark.parametrize("times", [1, 2])
def test_an_earlier_closing_that_comes_between_is_written_over(ending: str, times: int) -> None:
    """What was written since this closing looked is no reason to stop, for it is the last: it closes anew."""
    world = dropped(reviews(2))
    came = _interfere(world, ending, lambda key: world.store.objects.update({key: b"an earlier one"}), times=times)
    assert world.run().tally.answered == 2
    assert len(came) == times
    assert b"an earlier one" not in world.store.under("results/").values()


@pytest.mark.parametrize("ending", ["/output.csv", "/failed.jsonl", "/summary.json"])
def test_a_later_closing_that_comes_between_stays(ending: str) -> None:
    """A closing that noted its beginning after this one has the last word, also on the output at hand."""
    world = dropped(reviews(2))

    def close_later(key: str) -> None:
        later = {"began": START + timedelta(minutes=1)}
        world.store.objects[KEYS.closing] = msgspec.json.encode(later)
        world.store.objects[key] = b"a later one"

    _interfere(world, ending, close_later, times=1)
    with pytest.raises(JobClosedSince, match="2026-11-22 12:01:00 UTC"):
        world.run()
    [stays] = [body for key, body in world.store.under("results/").items() if key.endswith(ending)]
    assert stays == b"a later one"


def test_a_closing_that_is_never_left_alone_gives_up() -> None:
    """Nothing is written without a look, however often others come between."""
    world = dropped(reviews(2))
    numbers = count()
    _interfere(
        world,
        "/output.csv",
        lambda key: world.store.objects.update({key: f"another {next(numbers)}".encode()}),
        times=99,
    )
    with pytest.raises(ObjectChanged):
        world.run()


def test_two_closings_that_begin_at_once_have_an_order() -> None:
    """One notes its beginning between the other's look and its note: the second one is told, and comes after it."""
    world = dropped(reviews(2))
    first = msgspec.json.encode({"began": START + timedelta(microseconds=7)})
    _interfere(world, "/closing.json", lambda key: world.store.objects.update({key: first}), times=1)
    summary = world.run()
    assert summary.timings.closed_from == START + timedelta(microseconds=8)
    assert msgspec.json.decode(world.store.read(KEYS.closing)) == {"began": "2026-11-22T12:00:00.000008Z"}


def test_clocks_of_two_hosts_may_differ() -> None:
    """A repeated closing whose clock is a second behind that of the first is the last all the same."""
    world = dropped(reviews(2))
    world.run()
    world.clock.time = START - timedelta(seconds=1)
    assert world.close().timings.closed_from == START + timedelta(microseconds=1)
