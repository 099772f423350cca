"""What every BatchCreator promises: the fake, and the SDK on the emulator, alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from batchdrop.adapters.claude.create_batch import AnthropicBatchCreator
from batchdrop.answers.result import Canceled, RequestCounts
from batchdrop.answers.result_line import ResultLine
from batchdrop.batch_lane.ports import BatchCreator
from batchdrop.errors import (
    AccountTrouble,
    ApiUnavailable,
    MessageBatchLost,
    RateLimited,
    ResultsIncomplete,
    SubmissionRefused,
    SubmissionUncertain,
)
from batchdrop.local.claude_api.auth import DEFAULT_WORKSPACE
from batchdrop.local.claude_api.testing import RunningEmulator, running_emulator
from tests.bodies import Body, create_body
from tests.callers import CALLERS, Caller, access
from tests.fakes import FakeBatchApi

DAY = 86_400.0


@dataclass
class Service:
    """A BatchCreator, and the hands that move the service behind it."""

    api: BatchCreator
    finish: Callable[[], object]
    refuse: Callable[[type[Exception]], object]
    lose: Callable[[], object]
    pass_time: Callable[[float], object]
    offset: Callable[[datetime], timedelta | None]
    creates: Callable[[], int]  # creates that arrived
    created: Callable[[], int]  # Message Batches that exist


def _fake() -> Service:
    fake = FakeBatchApi()
    return Service(
        fake,
        finish=fake.finish,
        refuse=lambda error: setattr(fake, "refuse_next", error("on purpose")),
        lose=lambda: setattr(fake, "lose_next", SubmissionUncertain("on purpose")),
        pass_time=lambda seconds: setattr(fake, "time", fake.time + timedelta(seconds=seconds)),
        offset=lambda now: fake.clock_offset(now) if now == fake.time else fake.time - now,
        creates=lambda: fake.calls,
        created=lambda: len(fake.created),
    )


_FAULTS: dict[type[Exception], dict[str, Any]] = {
    RateLimited: {"kind": "rate_limited"},
    AccountTrouble: {"kind": "error_before_accept", "status": 402},
    SubmissionRefused: {"kind": "error_before_accept", "status": 400},
}


def _emulated(emulator: RunningEmulator, caller: Caller) -> Service:
    emulator.reset()
    api = AnthropicBatchCreator(**access(caller, emulator))
    workspace = api.workspace or DEFAULT_WORKSPACE
    return Service(
        api,
        offset=api.clock_offset,
        finish=lambda: emulator.advance(DAY),
        refuse=lambda error: emulator.inject(endpoint="batches.create", **_FAULTS[error]),
        lose=lambda: emulator.inject("accept_then_drop", "batches.create"),
        pass_time=emulator.advance,
        creates=lambda: _calls(emulator, "batches.create"),
        created=lambda: len(emulator.state.batches.page(1000, None, None, emulator.now(), workspace)[0]),
    )


def _calls(emulator: RunningEmulator, endpoint: str) -> int:
    counted: dict[str, int] = emulator.call_summary()["by_endpoint"].get(endpoint, {})
    return sum(counted.values())


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    """One emulator for all tests of this module; its clock moves only when told."""
    with running_emulator() as running:
        yield running


@pytest.fixture(params=["fake", *CALLERS])
def service(request: pytest.FixtureRequest, emulator: RunningEmulator) -> Service:
    """The fake, then the real adapter on the emulator, with a key and with a role."""
    return _fake() if request.param == "fake" else _emulated(emulator, request.param)


def _lines(api: BatchCreator, batch_id: str) -> list[ResultLine]:
    body = b"".join(api.results(api.retrieve(batch_id)))
    return [msgspec.json.decode(line, type=ResultLine) for line in body.splitlines()]


def test_a_create_is_in_progress(service: Service) -> None:
    """What was created is processing, all of it, and has no results yet."""
    batch = service.api.create(create_body(3), timeout=5)
    assert batch.processing_status == "in_progress"
    assert batch.request_counts == RequestCounts(processing=3)
    assert batch.results_url is None


def test_a_message_batch_can_be_retrieved(service: Service) -> None:
    """Until it ends, it looks as it did when it was created."""
    batch = service.api.create(create_body(2), timeout=5)
    assert service.api.retrieve(batch.id) == batch


def test_an_ended_message_batch_counts_every_request(service: Service) -> None:
    """At the end nothing is processing, and the counts sum up."""
    batch_id = service.api.create(create_body(4), timeout=5).id
    service.finish()
    batch = service.api.retrieve(batch_id)
    assert batch.processing_status == "ended"
    assert batch.request_counts.processing == 0
    assert batch.request_counts.total == 4


def test_every_request_has_one_result(service: Service) -> None:
    """The results hold each custom_id once, in whatever order."""
    batch_id = service.api.create(create_body(40), timeout=5).id
    service.finish()
    ids = [line.custom_id for line in _lines(service.api, batch_id)]
    assert sorted(ids) == [f"job-00000-{index:06d}" for index in range(40)]


def test_results_can_be_fetched_again(service: Service) -> None:
    """A second download brings the same lines."""
    batch_id = service.api.create(create_body(5), timeout=5).id
    service.finish()
    first, second = _lines(service.api, batch_id), _lines(service.api, batch_id)
    assert sorted(first, key=lambda line: line.custom_id) == sorted(second, key=lambda line: line.custom_id)


def test_there_are_no_results_before_the_end(service: Service) -> None:
    """Asking too early is told from an empty answer."""
    batch = service.api.create(create_body(1), timeout=5)
    with pytest.raises(ResultsIncomplete):
        list(service.api.results(batch))


def test_an_unknown_message_batch_is_lost(service: Service) -> None:
    """The API's 404 has a name of its own."""
    with pytest.raises(MessageBatchLost):
        service.api.retrieve("msgbatch_nobody")


@pytest.mark.parametrize("error", [RateLimited, AccountTrouble, SubmissionRefused])
def test_a_refused_create_creates_nothing(service: Service, error: type[Exception]) -> None:
    """A create that was refused may be tried again, and is then the only one."""
    service.refuse(error)
    with pytest.raises(error):
        service.api.create(create_body(1), timeout=5)
    assert service.created() == 0
    service.api.create(create_body(1), timeout=5)
    assert service.created() == 1


@pytest.mark.parametrize("body", [b'{"requests":[\n\n]}', b"{}x", b'{"requests":[{"custom_id":"a'])
def test_a_body_that_is_none_is_refused(service: Service, body: bytes) -> None:
    """A broken or empty body creates nothing, and says so."""
    with pytest.raises(SubmissionRefused):
        service.api.create(Body(body), timeout=5)
    assert service.created() == 0


def test_a_doubled_custom_id_is_refused(service: Service) -> None:
    """The API checks that each custom_id comes once."""
    body = b"".join(create_body(1))
    doubled = body.replace(b"\n]}", b",\n" + body.splitlines()[1] + b"\n]}")
    with pytest.raises(SubmissionRefused):
        service.api.create(Body(doubled), timeout=5)


def test_a_lost_answer_is_uncertain_and_sent_once(service: Service) -> None:
    """The Message Batch exists and will be billed; nobody sent a second create."""
    service.lose()
    with pytest.raises(SubmissionUncertain):
        service.api.create(create_body(2), timeout=5)
    assert (service.creates(), service.created()) == (1, 1)


def test_a_body_is_read_from_its_start_each_time(service: Service) -> None:
    """The same body object can be sent again after a refusal, and arrives whole."""
    body = create_body(3)
    service.refuse(RateLimited)
    with pytest.raises(RateLimited):
        service.api.create(body, timeout=5)
    assert service.api.create(body, timeout=5).request_counts.processing == 3


def _listed(service: Service) -> list[str]:
    return [batch.id for batch in service.api.newest_first()]


def test_the_list_is_newest_first(service: Service) -> None:
    """Whoever created them, all are there, as `retrieve` tells of them."""
    assert _listed(service) == []
    created = [service.api.create(create_body(size, job=f"job{size}"), timeout=5).id for size in (1, 2, 3)]
    assert _listed(service) == created[::-1]
    newest = next(iter(service.api.newest_first()))
    assert newest == service.api.retrieve(created[-1])


def test_the_list_counts_every_request_before_and_after_the_end(service: Service) -> None:
    """The count does not change with the fate: settling tells its own by it."""
    service.api.create(create_body(4), timeout=5)
    assert [batch.request_counts.total for batch in service.api.newest_first()] == [4]
    service.finish()
    [ended] = service.api.newest_first()
    assert (ended.processing_status, ended.request_counts.total) == ("ended", 4)


def test_the_offset_of_the_clocks_is_the_services_less_ours(service: Service) -> None:
    """Each answer says what time it is there, to the second; `created_at` is of the same clock."""
    created = service.api.create(create_body(1), timeout=5)
    assert _listed(service) == [created.id]
    created_at = datetime.fromisoformat(created.created_at)
    for ours_is_ahead in (timedelta(), timedelta(minutes=15), timedelta(minutes=-15)):
        offset = service.offset(created_at + ours_is_ahead)
        assert offset is not None
        assert abs(offset + ours_is_ahead) <= timedelta(seconds=1)


def test_a_running_message_batch_can_be_canceled(service: Service) -> None:
    """It is canceling until it ends; then each row that had no turn says so, and a second cancel changes nothing."""
    batch_id = service.api.create(create_body(3), timeout=5).id
    service.api.cancel(batch_id)
    service.api.cancel(batch_id)
    canceling = service.api.retrieve(batch_id)
    assert (canceling.processing_status, canceling.request_counts.processing) == ("canceling", 3)
    service.finish()
    assert service.api.retrieve(batch_id).request_counts == RequestCounts(canceled=3)
    assert {type(line.result) for line in _lines(service.api, batch_id)} == {Canceled}


def test_an_ended_message_batch_stays_as_it_is(service: Service) -> None:
    """A cancel that comes too late is no error, and takes no answer away."""
    batch_id = service.api.create(create_body(2), timeout=5).id
    service.finish()
    before = service.api.retrieve(batch_id)
    service.api.cancel(batch_id)
    assert service.api.retrieve(batch_id) == before


def test_an_unknown_message_batch_cannot_be_canceled(service: Service) -> None:
    """The API's 404 has the same name as for a look."""
    with pytest.raises(MessageBatchLost):
        service.api.cancel("msgbatch_nobody")


def test_the_fake_can_be_out_of_reach() -> None:
    """The use cases' tests need a service that cannot be reached."""
    fake = FakeBatchApi()
    fake.unreachable = ApiUnavailable("on purpose")
    with pytest.raises(ApiUnavailable):
        fake.retrieve("msgbatch_0")
    with pytest.raises(ApiUnavailable):
        list(fake.newest_first())
    with pytest.raises(ApiUnavailable):
        fake.cancel("msgbatch_0")
