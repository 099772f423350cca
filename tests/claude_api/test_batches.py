"""Message Batches through the official SDK, method by method."""

import asyncio
from datetime import timedelta

import anthropic
import httpx2
import pytest
from anthropic import Anthropic, AsyncAnthropic
from anthropic.types.messages import MessageBatch

from batchdrop.local.claude_api.testing import RunningEmulator
from tests.claude_api.asks import HEADERS, fates, finished, requests


def test_create_answers_with_a_batch_in_progress(client: Anthropic) -> None:
    """All counts but `processing` are zero, and there is no results_url."""
    batch = client.messages.batches.create(requests=requests(3))
    assert batch.id.startswith("msgbatch_")
    assert (batch.type, batch.processing_status) == ("message_batch", "in_progress")
    assert batch.request_counts.to_dict() == {
        "processing": 3,
        "succeeded": 0,
        "errored": 0,
        "canceled": 0,
        "expired": 0,
    }
    assert batch.expires_at - batch.created_at == timedelta(hours=24)
    assert (batch.results_url, batch.ended_at, batch.cancel_initiated_at, batch.archived_at) == (None,) * 4


def test_counts_stay_zero_until_the_whole_batch_ended(client: Anthropic, emulator: RunningEmulator) -> None:
    """Half way through, half the requests are done, yet the counts do not say so."""
    emulator.settings(batch_seconds=100)
    batch = client.messages.batches.create(requests=requests(4))
    emulator.advance(60)
    half = client.messages.batches.retrieve(batch.id)
    emulator.advance(41)
    ended = client.messages.batches.retrieve(batch.id)
    assert (half.request_counts.processing, half.request_counts.succeeded) == (4, 0)
    assert half.processing_status == "in_progress"
    assert (ended.request_counts.processing, ended.request_counts.succeeded) == (0, 4)
    assert ended.processing_status == "ended"
    assert ended.ended_at is not None


def test_duration_is_base_plus_requests_by_rate(client: Anthropic, emulator: RunningEmulator) -> None:
    """10 requests at 1 a second after a base of 5 s end at 15 s."""
    emulator.settings(batch_seconds=5, requests_per_second=1)
    batch = client.messages.batches.create(requests=requests(10))
    emulator.advance(14.9)
    assert client.messages.batches.retrieve(batch.id).processing_status == "in_progress"
    emulator.advance(0.2)
    ended = client.messages.batches.retrieve(batch.id)
    assert ended.ended_at is not None
    assert ended.ended_at - batch.created_at == timedelta(seconds=15)


def test_results_url_is_on_the_requested_host(client: Anthropic, emulator: RunningEmulator) -> None:
    """It is absolute, and built from the Host header."""
    batch = finished(client, emulator, requests(1))
    assert batch.results_url == f"{emulator.base_url}/v1/messages/batches/{batch.id}/results"
    headers = {**HEADERS, "host": "api.elsewhere.test"}
    seen = httpx2.get(f"{emulator.base_url}/v1/messages/batches/{batch.id}", headers=headers).json()
    assert seen["results_url"] == f"http://api.elsewhere.test/v1/messages/batches/{batch.id}/results"


def test_results_come_for_every_request_in_another_order(client: Anthropic, emulator: RunningEmulator) -> None:
    """Each custom_id once, with a message in the SDK's shape."""
    batch = finished(client, emulator, requests(50))
    lines = list(client.messages.batches.results(batch.id))
    ids = [line.custom_id for line in lines]
    assert sorted(ids) == sorted(f"row-{n}" for n in range(50))
    assert ids != [f"row-{n}" for n in range(50)]
    message = lines[0].result.message if lines[0].result.type == "succeeded" else None
    assert message is not None
    assert (message.role, message.type, message.stop_reason) == ("assistant", "message", "end_turn")
    assert message.usage.service_tier == "batch"


def test_the_same_seed_gives_the_same_order(emulator: RunningEmulator) -> None:
    """The order is arbitrary, but repeatable."""
    orders = []
    for _ in range(2):
        emulator.reset()
        with Anthropic(api_key="k", base_url=emulator.base_url, max_retries=0) as client:
            orders.append(list(fates(client, finished(client, emulator, requests(20)).id)))
    assert orders[0] == orders[1]


def test_results_before_the_end_are_refused(client: Anthropic, emulator: RunningEmulator) -> None:
    """The SDK sees no results_url; asked directly, the path is a 404."""
    batch = client.messages.batches.create(requests=requests(1))
    with pytest.raises(anthropic.AnthropicError, match="No `results_url`"):
        client.messages.batches.results(batch.id)
    direct = httpx2.get(f"{emulator.base_url}/v1/messages/batches/{batch.id}/results", headers=HEADERS)
    assert direct.status_code == 404


def test_streamed_results_are_the_raw_lines(client: Anthropic, emulator: RunningEmulator) -> None:
    """`with_streaming_response.results` gives the bytes."""
    batch = finished(client, emulator, requests(7))
    with client.messages.batches.with_streaming_response.results(batch.id) as response:
        assert len(list(response.iter_lines())) == 7


def test_a_body_made_beforehand_is_accepted_as_it_is(client: Anthropic) -> None:
    """`client.post(content=...)`, with one request a line, and with other white space."""
    inner = b'{"custom_id":"%s","params":{"model":"claude-haiku-5-5","max_tokens":9,"messages":[]}}'
    bodies = (
        b'{"requests":[\n' + inner % b"a" + b",\n" + inner % b"b" + b"\n]}",
        b'\n {  "requests" :\t[' + inner % b"a" + b"   ,   " + inner % b"b" + b"]\r\n}\n",
    )
    for body in bodies:
        batch = client.post("/v1/messages/batches", content=body, cast_to=MessageBatch)
        assert batch.request_counts.processing == 2


def test_chunked_bodies_are_taken_and_counted(client: Anthropic, emulator: RunningEmulator) -> None:
    """A generator is sent chunked; the second attempt of the same generator is an empty body, a 400."""
    pieces = (piece for piece in (b'{"requests":[', b'{"custom_id":"a","params":{}}', b"]}"))
    client.post("/v1/messages/batches", content=pieces, cast_to=MessageBatch)
    assert emulator.call_summary()["bodies"] == {"chunked": 1, "content_length": 0}
    with pytest.raises(anthropic.BadRequestError, match="empty"):
        client.post("/v1/messages/batches", content=pieces, cast_to=MessageBatch)


def test_list_is_newest_first_and_pages_by_itself(client: Anthropic, emulator: RunningEmulator) -> None:
    """The SDK's auto-paging sees each batch once."""
    made = []
    for _ in range(7):
        made.append(client.messages.batches.create(requests=requests(1)).id)
        emulator.advance(1)
    first = client.messages.batches.list(limit=3)
    assert (first.has_more, first.first_id, first.last_id) == (True, made[6], made[4])
    assert [batch.id for batch in first] == made[::-1]
    assert [batch.id for batch in client.messages.batches.list()] == made[::-1]


def test_before_id_gives_the_page_just_before(client: Anthropic) -> None:
    """Pages towards the newer ones are the nearest, and still newest first."""
    made = [client.messages.batches.create(requests=requests(1)).id for _ in range(5)]
    page = client.messages.batches.list(before_id=made[0], limit=2)
    assert [batch.id for batch in page.data] == [made[2], made[1]]
    assert page.has_more is True
    last = client.messages.batches.list(before_id=made[2], limit=2)
    assert ([batch.id for batch in last.data], last.has_more) == ([made[4], made[3]], False)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "after_id=msgbatch_none", "after_id=a&before_id=b"]
)
def test_bad_pages_are_refused(emulator: RunningEmulator, query: str) -> None:
    """Limit is 1 to 1000; cursors are ids of batches, one at a time."""
    assert httpx2.get(f"{emulator.base_url}/v1/messages/batches?{query}", headers=HEADERS).status_code == 400


def test_an_empty_list_has_no_cursors(client: Anthropic) -> None:
    """first_id and last_id are null."""
    page = client.messages.batches.list()
    assert (page.data, page.has_more, page.first_id, page.last_id) == ([], False, None, None)


def test_another_key_sees_the_batch(client: Anthropic, emulator: RunningEmulator) -> None:
    """All keys are of one workspace."""
    batch = client.messages.batches.create(requests=requests(1))
    with Anthropic(api_key="another", base_url=emulator.base_url) as other:
        assert [seen.id for seen in other.messages.batches.list()] == [batch.id]


def test_a_cancel_midway_keeps_what_was_done(client: Anthropic, emulator: RunningEmulator) -> None:
    """Done requests are succeeded, the rest canceled, after a while as `canceling`."""
    emulator.settings(batch_seconds=100, cancel_seconds=5)
    batch = client.messages.batches.create(requests=requests(10))
    emulator.advance(40.5)
    canceling = client.messages.batches.cancel(batch.id)
    assert canceling.processing_status == "canceling"
    assert canceling.cancel_initiated_at is not None
    emulator.advance(6)
    ended = client.messages.batches.retrieve(batch.id)
    assert (ended.request_counts.succeeded, ended.request_counts.canceled) == (4, 6)
    assert ended.ended_at == canceling.cancel_initiated_at + timedelta(seconds=5)
    found = list(fates(client, batch.id).values())
    assert (found.count("succeeded"), found.count("canceled"), len(found)) == (4, 6, 10)


def test_a_second_cancel_changes_nothing_and_one_after_the_end_is_refused(
    client: Anthropic,
    emulator: RunningEmulator,
) -> None:
    """cancel_initiated_at stays."""
    batch = client.messages.batches.create(requests=requests(2))
    first = client.messages.batches.cancel(batch.id)
    emulator.advance(1)
    assert client.messages.batches.cancel(batch.id).cancel_initiated_at == first.cancel_initiated_at
    emulator.advance(60)
    with pytest.raises(anthropic.BadRequestError, match="already ended"):
        client.messages.batches.cancel(batch.id)


def test_what_is_not_done_in_24_hours_expires(client: Anthropic, emulator: RunningEmulator) -> None:
    """A batch twice as slow as that has half of it expired, and only the other half billed."""
    emulator.settings(batch_seconds=48 * 3600)
    batch = client.messages.batches.create(requests=requests(10))
    emulator.advance(24 * 3600 - 1)
    assert client.messages.batches.retrieve(batch.id).processing_status == "in_progress"
    emulator.advance(1)
    ended = client.messages.batches.retrieve(batch.id)
    assert ended.ended_at == batch.expires_at
    assert ended.request_counts.expired + ended.request_counts.succeeded == 10
    assert 5 <= ended.request_counts.expired <= 6
    found = list(fates(client, batch.id).values())
    assert found.count("expired") == ended.request_counts.expired
    assert emulator.bill_summary()["requests"] == ended.request_counts.succeeded


def test_results_are_gone_after_29_days(client: Anthropic, emulator: RunningEmulator) -> None:
    """archived_at is set and results_url is null again; a url kept from before is a 404."""
    batch = finished(client, emulator, requests(1))
    assert batch.results_url is not None
    emulator.advance(29 * 86400)
    later = client.messages.batches.retrieve(batch.id)
    assert later.results_url is None
    assert later.archived_at == batch.created_at + timedelta(days=29)
    assert httpx2.get(batch.results_url, headers=HEADERS).status_code == 404


def test_only_an_ended_batch_can_be_deleted(client: Anthropic, emulator: RunningEmulator) -> None:
    """Deleted, it is gone everywhere but on the bill."""
    batch = client.messages.batches.create(requests=requests(2))
    with pytest.raises(anthropic.BadRequestError, match="still being processed"):
        client.messages.batches.delete(batch.id)
    emulator.advance(3600)
    deleted = client.messages.batches.delete(batch.id)
    assert (deleted.id, deleted.type) == (batch.id, "message_batch_deleted")
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(batch.id)
    assert list(client.messages.batches.list()) == []
    assert emulator.bill_summary()["requests"] == 2


def test_the_asynchronous_sdk_does_the_same(emulator: RunningEmulator) -> None:
    """create, retrieve, list, cancel, results and delete, awaited."""

    async def life() -> tuple[list[str], list[str], str]:
        async with AsyncAnthropic(api_key="k", base_url=emulator.base_url, max_retries=0) as client:
            batches = client.messages.batches
            kept = await batches.create(requests=requests(3))
            stopped = await batches.create(requests=requests(3))
            await batches.cancel(stopped.id)
            emulator.advance(3600)
            assert (await batches.retrieve(kept.id)).processing_status == "ended"
            listed = [batch.id async for batch in batches.list(limit=1)]
            types: list[str] = [line.result.type async for line in await batches.results(kept.id)]
            assert [line.result.type async for line in await batches.results(stopped.id)] == ["canceled"] * 3
            deleted = await batches.delete(stopped.id)
            return listed, types, deleted.id

    listed, types, deleted = asyncio.run(life())
    assert types == ["succeeded"] * 3
    assert len(listed) == 2
    assert deleted == listed[0]
