"""settle_submission: what became of a create whose answer was lost? Nothing is guessed, and nobody else is touched."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import timedelta

import httpx2
import msgspec
import pytest

from batchdrop.adapters.claude.create_batch import AnthropicBatchCreator
from batchdrop.answers.result import MessageBatch, RequestCounts
from batchdrop.batch_lane.list_pass import MOST_SAID
from batchdrop.batch_lane.settle_submission import MOST_NAMED, Settled
from batchdrop.errors import (
    AccountTrouble,
    ApiUnavailable,
    BatchdropError,
    RateLimited,
    SubmissionUncertain,
    SubmissionUnsettled,
)
from batchdrop.job.submission import Submission
from tests.bodies import create_body
from tests.fakes import START, FakeBatchApi
from tests.jobs import JOB, VISIBLE_AFTER, World, dropped, reviews

OPEN, ABSENT = Settled("open"), Settled("absent")


@pytest.fixture
def world() -> World:
    """A job of two shards with two rows each, split."""
    world = dropped(reviews(4), rows=2)
    world.split()
    return world


def _lose(world: World, *, arrived: bool = True, shard: int = 0) -> None:
    """Lose the answer to a create, which arrived or did not; the attempt says that it is over."""
    setattr(world.api, "lose_next" if arrived else "refuse_next", SubmissionUncertain("lost"))
    with pytest.raises(SubmissionUncertain):
        world.submit(shard)


def _state(world: World) -> str:
    sent = world.ledger.submission(JOB, 0, 0)
    assert sent is not None
    return sent.state


def test_what_was_never_sent_is_absent(world: World) -> None:
    """No intent, no create: another attempt may be made, and the API is not even asked."""
    assert world.settle() == ABSENT
    assert world.api.reads == 0


def test_what_is_armed_is_absent(world: World) -> None:
    """A clean refusal came between."""
    world.api.refuse_next = RateLimited("later")
    with pytest.raises(RateLimited):
        world.submit()
    assert world.settle() == ABSENT
    assert world.api.reads == 0


def test_what_another_attempt_accepted_is_accepted(world: World) -> None:
    """The other attempt's answer came: its id stands there."""
    batch_id = world.submit().batch_id
    assert world.settle() == Settled("accepted", batch_id)
    assert world.api.reads == 0


def test_ours_is_adopted_when_it_has_ended(world: World) -> None:
    """Found, claimed, and from now on the submission's own: nothing is sent again."""
    _lose(world)
    world.api.finish()
    assert world.settle() == Settled("accepted", "msgbatch_0")
    assert world.ledger.is_claimed("msgbatch_0")
    assert world.submit().batch_id == "msgbatch_0"
    assert world.api.calls == 1


def test_ours_is_followed_while_it_runs(world: World) -> None:
    """However long it takes: a running Message Batch does not say whose it is, so nothing is sent."""
    _lose(world)
    for _ in range(3):
        world.clock.advance(8 * 3600)
        assert world.settle() == OPEN
    assert _state(world) == "sent"
    world.api.finish()
    assert world.settle() == Settled("accepted", "msgbatch_0")


def test_a_foreign_message_batch_is_left_alone(world: World) -> None:
    """One that counts as many is followed to its end, then it is another's: never adopted, never canceled."""
    _lose(world, arrived=False)
    foreign = world.api.create(create_body(2, job="somebody"), timeout=1).id
    world.clock.advance(VISIBLE_AFTER.total_seconds() + 1)
    assert world.settle() == OPEN
    world.api.finish()
    assert world.settle() == ABSENT
    assert _state(world) == "armed"
    assert not world.ledger.is_claimed(foreign)
    assert world.api.cancels == []


def test_another_shards_message_batch_is_foreign(world: World) -> None:
    """The same job and the same count, but another shard's rows."""
    _lose(world, arrived=False)
    world.api.create(create_body(2, job=JOB, shard=1), timeout=1)
    world.api.finish()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == ABSENT
    assert not world.ledger.is_claimed("msgbatch_0")


def test_a_claimed_message_batch_is_skipped(world: World) -> None:
    """What another submission of the same rows has claimed is not taken twice, even where its results are ours."""
    _lose(world)
    world.api.finish()
    other = Submission(JOB, 0, 7, 2, "other", START, START)
    world.ledger.begin(other)
    world.ledger.accept(other, "msgbatch_0")
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == ABSENT


def test_another_count_is_skipped(world: World) -> None:
    """A Message Batch with more or fewer requests is not waited for and not read."""
    _lose(world, arrived=False)
    world.api.create(create_body(4, job=JOB), timeout=1)
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == ABSENT


@pytest.mark.parametrize(("after", "verdict"), [(-1.0, OPEN), (0.0, ABSENT)])
def test_absent_only_after_the_list_must_show_it(world: World, after: float, verdict: Settled) -> None:
    """The list lags: before the lag is over, nothing found means nothing."""
    _lose(world, arrived=False)
    world.clock.advance(VISIBLE_AFTER.total_seconds() + after)
    assert world.settle() == verdict
    assert _state(world) == ("sent" if verdict == OPEN else "armed")


def test_the_lag_counts_from_the_end_of_the_attempt(world: World) -> None:
    """An attempt that died without a word may send until its invocation's deadline."""
    world.api.refuse_next = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        world.submit()
    world.clock.advance(900 + VISIBLE_AFTER.total_seconds() - 1)
    assert world.settle() == OPEN
    world.clock.advance(1)
    assert world.settle() == ABSENT


def test_what_the_list_shows_late_is_found(world: World) -> None:
    """Not listed at first; looked for again until the lag is over."""
    _lose(world)
    world.api.unlisted.add("msgbatch_0")
    world.api.finish()
    assert world.settle() == OPEN
    world.api.unlisted.clear()
    assert world.settle() == Settled("accepted", "msgbatch_0")


def test_what_is_absent_is_sent_once_more(world: World) -> None:
    """Armed again, the next attempt sends, and its Message Batch is the only one."""
    _lose(world, arrived=False)
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == ABSENT
    assert world.submit().batch_id == "msgbatch_0"
    assert list(world.api.created) == ["msgbatch_0"]


@pytest.mark.parametrize("error", [ApiUnavailable, RateLimited])
def test_a_list_out_of_reach_says_nothing(world: World, error: type[BatchdropError]) -> None:
    """Long after the lag, too: only a list that was read to its end can say that there is nothing."""
    _lose(world, arrived=False)
    world.clock.advance(86_400)
    world.api.unreachable = error("later")
    assert world.settle() == OPEN
    assert _state(world) == "sent"


@pytest.mark.parametrize("error", [ApiUnavailable, RateLimited])
def test_results_that_cannot_be_read_say_nothing(world: World, error: type[BatchdropError]) -> None:
    """An ended candidate that cannot be read may be ours."""
    _lose(world)
    world.api.finish()
    world.clock.advance(86_400)
    world.api.unreadable = error("later")
    assert world.settle() == OPEN
    world.api.unreadable = None
    assert world.settle() == Settled("accepted", "msgbatch_0")


@pytest.mark.parametrize(
    "spoilt",
    [
        [],
        [b"\n"],
        [b'{"custom_id":"somebody-00000-000000","result":{}}\n'],
        [b'{"custom_id":"2026'],
        [b'{"custom_id":"\xff\xfe"}\n'],
    ],
    ids=repr,
)
def test_results_cut_short_prove_nothing(world: World, spoilt: list[bytes]) -> None:
    """An answer that holds fewer lines than the Message Batch counts, none of them ours, may go on with ours."""
    _lose(world)
    world.api.finish()
    world.clock.advance(86_400)
    world.api.spoil = lambda _lines: spoilt
    assert world.settle() == OPEN
    assert _state(world) == "sent"


def test_one_line_of_ours_is_enough(world: World) -> None:
    """Lines of nobody may stand before it."""
    _lose(world)
    world.api.finish()
    world.api.spoil = lambda lines: [b'{"custom_id":"somebody-00000-000000","result":{}}\n', lines[0]]
    assert world.settle().verdict == "accepted"


def test_account_trouble_halts_the_job(world: World) -> None:
    """A key that was revoked between create and look stops all shards."""
    _lose(world)
    world.api.unreachable = AccountTrouble("HTTP 401")
    with pytest.raises(AccountTrouble):
        world.settle()
    halt = world.ledger.halted(JOB)
    assert halt is not None
    assert (halt.error, halt.reason) == ("AccountTrouble", "HTTP 401")
    assert _state(world) == "sent"


def test_a_halted_job_is_still_settled(world: World) -> None:
    """What was sent before the halt may be paid for; settling asks nothing new."""
    _lose(world)
    world.api.unreachable = AccountTrouble("HTTP 401")
    with pytest.raises(AccountTrouble):
        world.settle()
    world.api.unreachable = None
    world.api.finish()
    assert world.settle() == Settled("accepted", "msgbatch_0")


def test_of_two_of_ours_the_one_that_answered_most_is_taken(world: World) -> None:
    """A late attempt made a second one, and canceled it: the answered one is the submission's."""
    _lose(world)
    surplus = world.api.create(create_body(2, job=JOB), timeout=1).id
    world.api.cancel(surplus)
    world.api.finish()
    assert world.settle() == Settled("accepted", "msgbatch_0")


SKEW = timedelta(minutes=5)  # what docs/submission-protocol.md promises; the code's constant must not shrink below it


@pytest.mark.parametrize("behind", [timedelta(minutes=1), timedelta(minutes=4, seconds=59)])
def test_ours_is_found_where_the_apis_clock_is_behind(world: World, behind: timedelta) -> None:
    """By the API's clock it was created before our attempt began. Taken for absent, it would be paid twice."""
    world.api.time = START - behind
    _lose(world)
    world.api.finish()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == Settled("accepted", "msgbatch_0")


def test_older_message_batches_are_not_looked_at(world: World) -> None:
    """What was created before the attempt, less the skew between two clocks, is not read."""
    world.api.time = START - SKEW - timedelta(seconds=1)
    world.api.create(create_body(2, job=JOB), timeout=1)
    world.api.time = START
    _lose(world, arrived=False)
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == ABSENT
    assert world.api.reads == 1


@pytest.mark.parametrize("minutes", [-15, -6, 6, 15])
def test_ours_is_found_on_another_clock(world: World, minutes: int) -> None:
    """The service's clock may be far from ours: its own answers say by how much."""
    world.api.skew = timedelta(minutes=minutes)
    world.api.time = START + world.api.skew
    _lose(world)
    world.api.finish()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == Settled("accepted", "msgbatch_0")


def test_without_the_services_time_nothing_is_absent(world: World) -> None:
    """What was created at which time there cannot be told."""
    _lose(world, arrived=False)
    world.api.skew = None
    world.clock.advance(86_400)
    assert world.settle() == OPEN
    assert "no Date" in _gives_up(world)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"key_print": "another"}, "may be of another workspace"),
        ({"workspace": "wrkspc_1"}, "another workspace than the one that WorkspaceId names"),
    ],
)
def test_another_workspace_proves_nothing(world: World, change: dict[str, str], why: str) -> None:
    """Its list lacks ours. Back in the workspace of the create, absence is proved."""
    _lose(world, arrived=False)
    old = {name: getattr(world.api, name) for name in change}
    vars(world.api).update(change)
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == OPEN
    assert why in _gives_up(world)
    vars(world.api).update(old)
    assert world.settle() == ABSENT


def test_a_rotated_key_settles(world: World) -> None:
    """It sees a Message Batch that the old key created, so it is of the same workspace."""
    world.submit(1)
    _lose(world, arrived=False)
    world.api.key_print = "another"
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == ABSENT


def test_a_key_that_does_not_see_what_the_old_one_created_proves_nothing(world: World) -> None:
    """It is of another workspace, or that Message Batch was deleted."""
    world.submit(1)
    _lose(world, arrived=False)
    world.api.key_print = "another"
    world.api.created.clear()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert "does not see msgbatch_0" in _gives_up(world)


def _by_the_older_version(world: World) -> None:
    """Let the API's adapter write intents as version 0.1.0 did: without key and workspace."""
    world.api.key_print = ""


def test_an_intent_of_the_older_version_settles(world: World) -> None:
    """It names no key. Nothing contradicts that its key is today's."""
    _by_the_older_version(world)
    _lose(world, arrived=False)
    world.api.key_print = "print"
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == ABSENT


def test_a_key_that_does_not_see_what_the_older_version_created_proves_nothing(world: World) -> None:
    """The job's own Message Batch is the witness."""
    _by_the_older_version(world)
    world.submit(1)
    _lose(world, arrived=False)
    world.api.key_print = "another"
    created = dict(world.api.created)
    world.api.created.clear()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert "does not see msgbatch_0, which version 0.1.0 created" in _gives_up(world)
    world.api.created.update(created)
    assert world.settle() == ABSENT


def test_an_intent_of_the_older_version_does_not_settle_in_a_workspace_that_is_new(world: World) -> None:
    """WorkspaceId was set at the upgrade. A Message Batch of the older version proves that it is the same."""
    _by_the_older_version(world)
    _lose(world, arrived=False)
    world.api.workspace = "wrkspc_1"
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert "set it to '' to settle" in _gives_up(world)
    world.api.workspace = ""
    world.submit(1)
    world.api.workspace = "wrkspc_1"
    assert world.settle() == ABSENT


def test_an_answer_with_another_submissions_id_cancels_nothing(world: World) -> None:
    """A gateway repeats the answer to the first shard's create: that Message Batch is claimed, and goes on."""
    first = world.submit(0).batch_id
    create = world.api.create
    answer = world.api.retrieve(first)
    world.api.create = lambda body, *, timeout, betas=(): (create(body, timeout=timeout, betas=betas), answer)[1]  # type: ignore[method-assign] # the fake misbehaves
    with pytest.raises(SubmissionUncertain):
        world.submit(1)
    assert world.api.cancels == []


def test_what_is_created_later_is_not_waited_for(world: World) -> None:
    """A stream of others' Message Batches does not keep a submission open: what comes after the attempt is not ours."""
    _lose(world, arrived=False)
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    world.api.time = START + timedelta(minutes=15, seconds=1)
    world.api.create(create_body(2, job="somebody"), timeout=1)
    assert world.settle() == ABSENT


def test_what_was_ruled_out_is_not_read_again(world: World) -> None:
    """Others' results are read once; the list is read in each pass."""
    _lose(world, arrived=False)
    for _ in range(2):
        world.api.create(create_body(2, job="somebody"), timeout=1)
    world.api.ended.add("msgbatch_0")
    read: list[str] = []
    results = world.api.results

    def listened(batch: MessageBatch) -> Generator[bytes, None, None]:
        read.append(batch.id)
        return results(batch)

    world.api.results = listened  # type: ignore[method-assign] # the fake misbehaves
    assert [world.settle(), world.settle()] == [OPEN, OPEN]
    assert read == ["msgbatch_0"]
    [sent] = world.ledger.submissions(JOB)
    assert sent.ruled_out == ("msgbatch_0",)


def test_a_line_of_another_shard_rules_out(world: World) -> None:
    """Results that are cut short prove that, too: a Message Batch holds one shard."""
    _lose(world, arrived=False)
    world.api.create(create_body(2, job=JOB, shard=1), timeout=1)
    world.api.finish()
    world.api.spoil = lambda lines: lines[:1]
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == ABSENT


def test_a_broken_line_does_not_hide_ours(world: World) -> None:
    """Two lines glued together, half a character, a custom_id that is null: the next line may be ours."""
    _lose(world)
    world.api.finish()
    world.api.spoil = lambda lines: [b'{"custom_id":"\xff"}\n', b"{}{}\n", b'{"custom_id":null}\n', lines[0]]
    assert world.settle().verdict == "accepted"


@pytest.mark.parametrize("odd", ["", "yesterday", "2026-11-22T12:00:00", "2026-11-22T14:00:00+02:00"])
@pytest.mark.parametrize("status", ["in_progress", "postponed", ""])
def test_an_odd_message_batch_is_undecided(world: World, odd: str, status: str) -> None:
    """Its date or its status cannot be read: it may be ours, and nothing crashes."""
    _lose(world, arrived=False)
    world.api.create(create_body(2, job="somebody"), timeout=1)
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    listed = world.api.newest_first

    def oddly() -> Iterator[MessageBatch]:
        return (msgspec.structs.replace(batch, created_at=odd, processing_status=status) for batch in listed())

    world.api.newest_first = oddly  # type: ignore[method-assign] # the fake misbehaves
    assert world.settle() == OPEN


def test_one_odd_date_does_not_end_a_pass(world: World) -> None:
    """The list comes newest first. One Message Batch that looks too old does not hide the next, which is ours."""
    _lose(world)
    world.api.time = START - timedelta(days=9)
    world.api.create(create_body(2, job="somebody"), timeout=1)
    world.api.finish()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == Settled("accepted", "msgbatch_0")


@pytest.mark.parametrize("total", [0, 1, 3])
def test_ours_is_found_by_a_count_that_is_off(world: World, total: int) -> None:
    """After the end the API's count may be missing, or off by one."""
    _lose(world)
    world.api.finish()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    listed = world.api.newest_first

    def miscounted() -> Iterator[MessageBatch]:
        counts = RequestCounts(succeeded=total)
        return (msgspec.structs.replace(batch, request_counts=counts) for batch in listed())

    world.api.newest_first = miscounted  # type: ignore[method-assign] # the fake misbehaves
    assert world.settle().verdict == "accepted"


@pytest.mark.parametrize("total", [0, 1, 2, 3])
def test_a_count_that_is_off_does_not_keep_anothers_undecided(world: World, total: int) -> None:
    """It has as many results as we sent requests, and none of them is ours."""
    _lose(world, arrived=False)
    world.api.create(create_body(2, job="somebody"), timeout=1)
    world.api.finish()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    listed = world.api.newest_first

    def miscounted() -> Iterator[MessageBatch]:
        counts = RequestCounts(succeeded=total)
        return (msgspec.structs.replace(batch, request_counts=counts) for batch in listed())

    world.api.newest_first = miscounted  # type: ignore[method-assign] # the fake misbehaves
    assert world.settle() == ABSENT


def test_an_answer_that_comes_while_settling_wins(world: World) -> None:
    """Between the look and the rearming the attempt's own answer was written: it stays accepted."""
    _lose(world, arrived=False)
    [sent] = world.ledger.submissions(JOB)
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    list_created = world.api.newest_first

    def answer_meanwhile() -> Iterator[MessageBatch]:
        world.ledger.accept(sent, "msgbatch_late")
        return list_created()

    world.api.newest_first = answer_meanwhile  # type: ignore[method-assign] # the fake misbehaves
    world.settle()
    assert world.ledger.submission(JOB, 0, 0) == replace(sent, state="accepted", batch_id="msgbatch_late")
    assert world.submit().batch_id == "msgbatch_late"


def _gives_up(world: World) -> str:
    """Look for the last time; return what the user is told."""
    with pytest.raises(SubmissionUnsettled) as gave_up:
        world.settle(is_last=True)
    assert _state(world) == "sent"
    return str(gave_up.value)


def test_the_last_look_says_what_could_not_be_told(world: World) -> None:
    """Which Message Batch, why, what that means, and what to do; nothing is sent again, then or later."""
    _lose(world)
    said = _gives_up(world)
    assert "shard 0, round 0" in said
    assert f"msgbatch_0 (in_progress, created {START.isoformat()})" in said
    assert "Nothing was sent again, because the Message Batch may exist and be billed" in said
    assert f"custom_ids that begin with {JOB}-00000-" in said
    assert f"`batchdrop resume {JOB}`" in said
    with pytest.raises(SubmissionUncertain):
        world.submit()
    assert world.api.calls == 1


def test_what_was_given_up_is_looked_for_again(world: World) -> None:
    """The resumed job's own looks find it, and it was paid once."""
    _lose(world)
    _gives_up(world)
    world.resume()
    assert world.settle() == OPEN
    world.api.finish()
    assert world.settle() == Settled("accepted", "msgbatch_0")
    assert list(world.api.created) == ["msgbatch_0"]


@pytest.mark.parametrize("arrived", [True, False])
def test_the_last_look_may_tell(world: World, *, arrived: bool) -> None:
    """It is a look like any other: adopted, or absent."""
    _lose(world, arrived=arrived)
    world.api.finish()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle(is_last=True) == (Settled("accepted", "msgbatch_0") if arrived else ABSENT)


def test_the_last_look_at_a_list_out_of_reach_says_so(world: World) -> None:
    """No Message Batch to name, but a reason."""
    _lose(world)
    world.api.unreachable = ApiUnavailable("HTTP 503: <html>" + "x" * 10_000)
    said = _gives_up(world)
    assert "the list of Message Batches cannot be read (ApiUnavailable: HTTP 503" in said
    assert len(said) < 1_000


def test_the_last_look_may_be_too_early(world: World) -> None:
    """After many lost answers, the last of them just now: what the list does not show yet is not taken for absent."""
    _lose(world, arrived=False)
    assert "the list of Message Batches may not show it yet" in _gives_up(world)


def test_what_another_attempt_took_is_open(world: World) -> None:
    """Ours was found, but by then another attempt stands there: the last look does not call that an end, either."""
    _lose(world)
    world.api.finish()
    [sent] = world.ledger.submissions(JOB)
    list_created = world.api.newest_first

    def taken_meanwhile() -> Iterator[MessageBatch]:
        world.ledger.rearm(sent)
        world.ledger.begin(replace(sent, attempt="another"))
        return list_created()

    world.api.newest_first = taken_meanwhile  # type: ignore[method-assign] # the fake misbehaves
    assert "msgbatch_0 (ours, but a newer attempt has replaced this one)" in _gives_up(world)


def test_many_undecided_are_named_in_part(world: World) -> None:
    """The reason stands beside every row of the shard: it stays short, however much the API says."""
    _lose(world)
    for _ in range(MOST_NAMED + 2):
        world.api.create(create_body(2, job="somebody"), timeout=1)
    world.api.finish()
    world.api.unreadable = ApiUnavailable("x" * 10_000)
    said = _gives_up(world)
    assert said.count("msgbatch_") == MOST_NAMED
    assert "; 3 more. Nothing" in said
    assert len(said) < MOST_NAMED * (MOST_SAID + 50) + 600


class _HalfReadable(FakeBatchApi):
    """An API that never gives some results."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: set[str] = set()

    def results(self, batch: MessageBatch) -> Generator[bytes, None, None]:
        if batch.id in self.hidden:
            message = f"{batch.id}: HTTP 502"
            raise ApiUnavailable(message)
        yield from super().results(batch)


@pytest.mark.parametrize("ours_is_first", [True, False])
def test_ours_is_adopted_beside_results_that_cannot_be_read(world: World, *, ours_is_first: bool) -> None:
    """Another client's Message Batch stays undecided, and ours is found."""
    world.api = api = _HalfReadable()
    if not ours_is_first:
        api.hidden.add(api.create(create_body(2, job="somebody"), timeout=1).id)
    _lose(world)
    if ours_is_first:
        api.hidden.add(api.create(create_body(2, job="somebody"), timeout=1).id)
    api.finish()
    assert world.settle() == Settled("accepted", "msgbatch_0" if ours_is_first else "msgbatch_1")
    assert not any(world.ledger.is_claimed(foreign) for foreign in api.hidden)


def test_results_that_cannot_be_read_are_undecided_to_the_end(world: World) -> None:
    """They may be ours: nothing is sent, and in the end they are named as the reason."""
    world.api = api = _HalfReadable()
    _lose(world)
    api.hidden.add("msgbatch_0")
    api.finish()
    world.clock.advance(2 * 86_400)
    assert world.settle() == OPEN
    assert "msgbatch_0 (ApiUnavailable: msgbatch_0: HTTP 502)" in _gives_up(world)


def test_the_key_does_not_go_to_another_host_while_settling(world: World) -> None:
    """On the real adapter: results of another client that are offered elsewhere are read from the API's own host."""
    _lose(world, arrived=False)
    asked: list[str] = []

    def shown(batch_id: str, host: str) -> dict[str, object]:
        url = f"https://{host}/v1/messages/batches/{batch_id}/results"
        counts = {"succeeded": 2}
        return {
            "id": batch_id,
            "processing_status": "ended",
            "request_counts": counts,
            "created_at": START.isoformat(),
            "results_url": url,
        }

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url.copy_with(query=None)))
        if request.url.path.endswith("/results"):
            job = JOB if "/ours/" in request.url.path else "somebody"
            lines = [f'{{"custom_id":"{job}-00000-{number:06}"}}\n' for number in range(2)]
            return httpx2.Response(200, content="".join(lines).encode())
        page = {"data": [shown("theirs", "evil.example"), shown("ours", "api.test")], "has_more": False}
        return httpx2.Response(
            200, content=msgspec.json.encode(page), headers={"date": "Sun, 22 Nov 2026 12:00:00 GMT"}
        )

    transport = httpx2.MockTransport(answer)
    world.api = AnthropicBatchCreator(api_key="k", base_url="https://api.test", transport=transport)  # type: ignore[assignment] # the real adapter
    assert world.settle() == Settled("accepted", "ours")
    base = "https://api.test/v1/messages/batches"
    assert asked == [base, f"{base}/theirs/results", f"{base}/ours/results"]
