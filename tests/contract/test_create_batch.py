"""The API's adapters alone: every way in which a call can go wrong, and what goes over the wire."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import msgspec
import pytest

from batchdrop.adapters.claude import read_batches
from batchdrop.adapters.claude.create_batch import AnthropicBatchCreator
from batchdrop.answers.result import Errored, MessageBatch, RequestCounts
from batchdrop.answers.result_line import ResultLine
from batchdrop.errors import (
    AccountTrouble,
    ApiUnavailable,
    BatchdropError,
    MessageBatchLost,
    RateLimited,
    ResultsIncomplete,
    SubmissionRefused,
    SubmissionUncertain,
)
from batchdrop.local.claude_api.testing import RunningEmulator
from tests.bodies import Body, create_body
from tests.callers import CALLERS, access

DAY = 86_400.0
MAGIC_ERROR = "[[errored:quota_haze_error]]"


@pytest.fixture(params=CALLERS)
def api(request: pytest.FixtureRequest, emulator: RunningEmulator) -> AnthropicBatchCreator:
    """The adapter on the emulator, with a key and with a role."""
    return AnthropicBatchCreator(**access(request.param, emulator))


def _creates(emulator: RunningEmulator) -> list[dict[str, Any]]:
    return [call for call in emulator.calls() if call["endpoint"] == "batches.create"]


def _ended(
    api: AnthropicBatchCreator, emulator: RunningEmulator, *, requests: int = 4, content: str = "hi"
) -> MessageBatch:
    batch_id = api.create(create_body(requests, content=content), timeout=5).id
    emulator.advance(DAY)
    return api.retrieve(batch_id)


CREATE_FAULTS: list[tuple[dict[str, Any], type[BatchdropError]]] = [
    ({"kind": "accept_then_drop"}, SubmissionUncertain),
    ({"kind": "drop_before_accept"}, SubmissionUncertain),
    ({"kind": "accept_then_hang", "seconds": 1}, SubmissionUncertain),
    ({"kind": "hang_before_accept", "seconds": 1}, SubmissionUncertain),
    *(({"kind": "error_after_accept", "status": status}, SubmissionUncertain) for status in (500, 502, 503, 504, 529)),
    *(({"kind": "error_before_accept", "status": status}, SubmissionUncertain) for status in (408, 409, 500, 529)),
    *(({"kind": "error_before_accept", "status": status}, SubmissionRefused) for status in (400, 404, 413)),
    *(({"kind": "error_before_accept", "status": status}, AccountTrouble) for status in (401, 402, 403)),
    ({"kind": "spend_cap"}, AccountTrouble),
    ({"kind": "rate_limited", "retry_after": 900}, RateLimited),
    ({"kind": "rate_limited", "retry_after": None}, RateLimited),
]


@pytest.mark.parametrize(
    ("fault", "error"), CREATE_FAULTS, ids=[f"{fault['kind']}-{fault.get('status', '')}" for fault, _ in CREATE_FAULTS]
)
def test_every_create_fault_has_its_error_and_one_post(
    api: AnthropicBatchCreator, emulator: RunningEmulator, fault: dict[str, Any], error: type[BatchdropError]
) -> None:
    """Each way a create can fail is sorted by what was created, and the create is sent exactly once."""
    emulator.inject(endpoint="batches.create", **fault)
    with pytest.raises(error) as caught:
        api.create(create_body(2), timeout=0.3)
    assert type(caught.value) is error
    assert len(_creates(emulator)) == 1


@pytest.mark.parametrize(
    ("key", "status"), [("sk-revoked", "401"), ("sk-unpaid", "402"), ("sk-forbidden", "403")], ids=str
)
def test_a_bad_key_is_account_trouble_everywhere(emulator: RunningEmulator, key: str, status: str) -> None:
    """401, 402 and 403 mean the same for a create and for a look, and the message names the status."""
    api = AnthropicBatchCreator(api_key=key, base_url=emulator.base_url)
    with pytest.raises(AccountTrouble, match=f"HTTP {status}"):
        api.create(create_body(1), timeout=5)
    with pytest.raises(AccountTrouble, match=f"HTTP {status}"):
        api.retrieve("msgbatch_1")


def test_nothing_listens() -> None:
    """A refused connection sent nothing: the create may be repeated."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
        api = AnthropicBatchCreator(api_key="sk-test", base_url=address)
        with pytest.raises(ApiUnavailable):
            api.create(create_body(1), timeout=5)
        with pytest.raises(ApiUnavailable):
            api.retrieve("msgbatch_1")


def test_a_create_has_a_content_length(api: AnthropicBatchCreator, emulator: RunningEmulator) -> None:
    """The body is not sent chunked, and arrives to the byte."""
    body = create_body(50)
    api.create(body, timeout=5)
    [call] = _creates(emulator)
    assert (call["chunked"], call["bytes_in"]) == (False, body.size)


def test_reading_sends_what_the_sdk_sends() -> None:
    """Key and version are the SDK's business; what goes without it says the same, and a create's type is JSON."""
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(529)

    api = _on(answer)
    with pytest.raises(SubmissionUncertain):
        api.create(create_body(1), timeout=5)
    with pytest.raises(RateLimited):
        api.retrieve("b")
    create, look = (request.headers for request in sent)
    assert create["content-type"] == "application/json"
    assert "transfer-encoding" not in create
    assert create["authorization"] == look["authorization"] == "Bearer sk-test"
    assert create["anthropic-version"] == look["anthropic-version"]
    assert {str(request.url.copy_with(path="/")) for request in sent} == {"https://api.test/"}


def _on(answer: Callable[[httpx2.Request], httpx2.Response]) -> AnthropicBatchCreator:
    return AnthropicBatchCreator(api_key="sk-test", base_url="https://api.test", transport=httpx2.MockTransport(answer))


UNREADABLE = pytest.mark.parametrize(
    "answer", [b"", b"<html>", b'{"id":"x"}', b'{"id": 1}', b'{"id":"\xff"}'], ids=repr
)


@UNREADABLE
def test_an_unreadable_answer_is_uncertain(answer: bytes) -> None:
    """200 with a body that is no Message Batch: something was created, nobody knows what."""
    api = _on(lambda _request: httpx2.Response(200, content=answer))
    with pytest.raises(SubmissionUncertain):
        api.create(create_body(1), timeout=5)


@UNREADABLE
def test_an_unreadable_answer_to_a_question_is_asked_for_again(answer: bytes) -> None:
    """What was asked for changed nothing, so it may be asked again."""
    api = _on(lambda _request: httpx2.Response(200, content=answer))
    with pytest.raises(ApiUnavailable):
        api.retrieve("b")
    with pytest.raises(ApiUnavailable):
        list(api.newest_first())


def test_a_body_that_breaks_while_it_is_read_is_uncertain(
    api: AnthropicBatchCreator, emulator: RunningEmulator
) -> None:
    """A store that fails in the middle of a create leaves a create that nobody can vouch for, and no Message Batch."""

    class Breaking(Body):
        def __iter__(self) -> Iterator[bytes]:
            yield b'{"requests":['
            message = "the store is gone"
            raise OSError(message)

    # A role signs the whole body first, so there is no doubt: nothing was sent.
    with pytest.raises(ApiUnavailable if api.key_print.startswith("aws/") else SubmissionUncertain):
        api.create(Breaking(b"x" * 100), timeout=5)
    assert emulator.bill() == []


READ_FAULTS: list[tuple[dict[str, Any], type[BatchdropError]]] = [
    ({"kind": "drop_before_accept"}, ApiUnavailable),
    ({"kind": "accept_then_drop"}, ApiUnavailable),
    *(({"kind": "error_before_accept", "status": status}, ApiUnavailable) for status in (500, 502, 503, 504)),
    ({"kind": "error_before_accept", "status": 529}, RateLimited),
    ({"kind": "error_before_accept", "status": 404}, MessageBatchLost),
    *(({"kind": "error_before_accept", "status": status}, AccountTrouble) for status in (401, 402, 403)),
    ({"kind": "spend_cap"}, AccountTrouble),
    ({"kind": "rate_limited", "retry_after": 900}, RateLimited),
    ({"kind": "not_found_when_fresh", "seconds": 10 * DAY}, MessageBatchLost),
]
READ_IDS = [f"{fault['kind']}-{fault.get('status', '')}" for fault, _ in READ_FAULTS]


@pytest.mark.parametrize(("fault", "error"), READ_FAULTS, ids=READ_IDS)
def test_every_retrieve_fault_has_its_error(
    api: AnthropicBatchCreator, emulator: RunningEmulator, fault: dict[str, Any], error: type[BatchdropError]
) -> None:
    """Each way a look can fail is sorted by whether looking again helps; the look is not repeated by itself."""
    batch_id = api.create(create_body(1), timeout=5).id
    emulator.inject(endpoint="batches.retrieve", **fault)
    with pytest.raises(error) as caught:
        api.retrieve(batch_id)
    assert type(caught.value) is error
    assert sum(emulator.call_summary()["by_endpoint"]["batches.retrieve"].values()) == 1


@pytest.mark.parametrize(("fault", "error"), READ_FAULTS, ids=READ_IDS)
def test_every_results_fault_has_its_error(
    api: AnthropicBatchCreator, emulator: RunningEmulator, fault: dict[str, Any], error: type[BatchdropError]
) -> None:
    """Results that cannot be had are sorted like looks."""
    batch = _ended(api, emulator)
    emulator.inject(endpoint="batches.results", **fault)
    with pytest.raises(error) as caught:
        list(api.results(batch))
    assert type(caught.value) is error


def test_a_dropped_download_is_unavailable(api: AnthropicBatchCreator, emulator: RunningEmulator) -> None:
    """A connection that breaks in the middle of the results is an error, not an end."""
    batch = _ended(api, emulator, requests=50)
    emulator.inject("results_dropped")
    with pytest.raises(ApiUnavailable):
        list(api.results(batch))


@pytest.mark.parametrize("kind", ["results_short", "results_cut_mid_line", "results_doubled", "results_unknown_ids"])
def test_spoilt_results_are_passed_on(api: AnthropicBatchCreator, emulator: RunningEmulator, kind: str) -> None:
    """A download that ends cleanly looks complete to the adapter: judging it is the use case's business."""
    batch = _ended(api, emulator)
    whole = b"".join(api.results(batch))
    emulator.inject(kind)
    assert b"".join(api.results(batch)) != whole


def test_an_unknown_error_type_is_passed_on(api: AnthropicBatchCreator, emulator: RunningEmulator) -> None:
    """An error type that nobody knew comes through by name."""
    batch = _ended(api, emulator, requests=1, content=MAGIC_ERROR)
    [line] = b"".join(api.results(batch)).splitlines()
    result = msgspec.json.decode(line, type=ResultLine).result
    assert isinstance(result, Errored)
    assert result.error.error.type == "quota_haze_error"


def test_archived_results_are_incomplete() -> None:
    """An ended Message Batch without results_url is told from one without results."""
    batch = MessageBatch("b", "ended", RequestCounts(succeeded=1), "2026-11-22T12:00:00Z")
    with pytest.raises(ResultsIncomplete, match="results_url"):
        list(_on(lambda _request: httpx2.Response(200)).results(batch))


def test_the_list_goes_over_all_pages(
    api: AnthropicBatchCreator, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven Message Batches on pages of three: each once, newest first, the next page when it is needed."""
    monkeypatch.setattr(read_batches, "PAGE", 3)
    created = []
    for _ in range(7):
        created.append(api.create(create_body(1), timeout=5))
        emulator.advance(60)
    assert [batch.id for batch in api.newest_first()] == [batch.id for batch in created[::-1]]
    assert _lists(emulator) == 3
    assert next(api.newest_first()).id == created[6].id
    assert _lists(emulator) == 4


PROXY_PAGES = [
    "<html><body><h1>no</h1></body></html>",
    "",
    '{"error":"no"}',
    '{"error":{"type":"not_found_error","message":"no"}}',
    '{"type":"error","error":null}',
    '{"type":"error","error":{"message":"no"}}',
]


@pytest.mark.parametrize("body", PROXY_PAGES)
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422, 429])
def test_only_the_apis_own_word_refuses_a_create(status: int, body: str) -> None:
    """A proxy answers so after the API accepted, too. Its page does not say that nothing was created."""
    with pytest.raises(SubmissionUncertain):
        _on(lambda _request: httpx2.Response(status, text=body)).create(create_body(1), timeout=5)


def test_the_apis_413_lacks_the_outer_type() -> None:
    """The front of the API writes it; it creates nothing."""
    too_large = {"error": {"type": "request_too_large", "message": "Request exceeds the maximum size"}}
    with pytest.raises(SubmissionRefused):
        _on(lambda _request: httpx2.Response(413, json=too_large)).create(create_body(1), timeout=5)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_proxys_page_says_nothing_about_a_message_batch(status: int) -> None:
    """Neither is the account in trouble, nor is the Message Batch lost: a later look may see it."""
    api = _on(lambda _request: httpx2.Response(status, text=PROXY_PAGES[0]))
    for call in (lambda: api.retrieve("b"), lambda: list(api.newest_first()), lambda: api.cancel("b")):
        with pytest.raises(ApiUnavailable):
            call()


@pytest.mark.parametrize("kind", ["list_null_cursor", "list_lost_cursor"])
def test_a_list_that_breaks_off_is_unavailable(
    api: AnthropicBatchCreator, emulator: RunningEmulator, kind: str
) -> None:
    """What it did show comes first; then it is not taken for a list that was read to its end."""
    emulator.settings(most_listed=1)
    created = [api.create(create_body(1), timeout=5).id for _ in range(2)]
    emulator.inject(kind)
    seen: list[str] = []
    with pytest.raises(ApiUnavailable, match="list of Message Batches"):
        seen.extend(batch.id for batch in api.newest_first())
    assert seen in ([], [created[1]])
    assert [batch.id for batch in api.newest_first()] == created[::-1]


def _lists(emulator: RunningEmulator) -> int:
    counted: dict[str, int] = emulator.call_summary()["by_endpoint"]["batches.list"]
    return sum(counted.values())


CALL_FAULTS = [case for case in READ_FAULTS if case[0]["kind"] != "not_found_when_fresh"]
CALL_IDS = [f"{fault['kind']}-{fault.get('status', '')}" for fault, _ in CALL_FAULTS]


@pytest.mark.parametrize(("fault", "error"), CALL_FAULTS, ids=CALL_IDS)
def test_every_list_fault_has_its_error(
    api: AnthropicBatchCreator, emulator: RunningEmulator, fault: dict[str, Any], error: type[BatchdropError]
) -> None:
    """A list that cannot be read is never an empty list."""
    emulator.inject(endpoint="batches.list", **fault)
    with pytest.raises(error) as caught:
        list(api.newest_first())
    assert type(caught.value) is error


@pytest.mark.parametrize(("fault", "error"), CALL_FAULTS, ids=CALL_IDS)
def test_every_cancel_fault_has_its_error(
    api: AnthropicBatchCreator, emulator: RunningEmulator, fault: dict[str, Any], error: type[BatchdropError]
) -> None:
    """A cancel is sorted like a look, for it can be repeated like one."""
    batch_id = api.create(create_body(1), timeout=5).id
    emulator.inject(endpoint="batches.cancel", **fault)
    with pytest.raises(error) as caught:
        api.cancel(batch_id)
    assert type(caught.value) is error


@pytest.mark.parametrize("answer", [b"", b"<html>", b"{}", b'{"data": [{}], "has_more": false}'], ids=repr)
def test_an_unreadable_list_is_unavailable(answer: bytes) -> None:
    """What is no list says nothing about what was created."""
    with pytest.raises(ApiUnavailable):
        list(_on(lambda _request: httpx2.Response(200, content=answer)).newest_first())
