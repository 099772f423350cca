"""One odd field of a Message Batch, or of a page of the list: it costs nobody else anything, and nothing crashes."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchdrop.adapters.claude.create_batch import AnthropicBatchCreator
from batchdrop.answers.result import MessageBatch
from batchdrop.batch_lane.settle_submission import Settled
from batchdrop.errors import ApiUnavailable, BatchdropError, ResultsIncomplete, SubmissionUncertain
from tests.bodies import create_body
from tests.fakes import START, succeeded
from tests.jobs import JOB, VISIBLE_AFTER, World, dropped, reviews

DATE = {"date": "Sun, 22 Nov 2026 12:00:00 GMT"}
MISSING = "(missing)"


def _batch(name: str) -> dict[str, Any]:
    """Return a Message Batch as the API writes it: ended, with two answers."""
    return {
        "id": name,
        "type": "message_batch",
        "processing_status": "ended",
        "request_counts": {"processing": 0, "succeeded": 2, "errored": 0, "canceled": 0, "expired": 0},
        "created_at": START.isoformat(),
        "ended_at": START.isoformat(),
        "expires_at": START.isoformat(),
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": f"https://api.test/v1/messages/batches/{name}/results",
    }


FIELDS = tuple(_batch(""))
ODD: list[Any] = [
    *(MISSING, None, "", 0, -1, 1.5, True, [], {}, [[None]], {"succeeded": None}, {"succeeded": "2"}),
    *({"succeeded": -2}, {"succeeded": 2.5}, {"processing": 2**70}, "2026-11-22T12:00:00", "\u0000", "x" * 5_000),
]
fields, odd = st.sampled_from(FIELDS), st.sampled_from(ODD)


def _changed(known: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    return {name: old if name != field else value for name, old in known.items() if name != field or value != MISSING}


def _page(*batches: dict[str, Any]) -> dict[str, Any]:
    return {"data": batches, "has_more": False, "first_id": batches[0]["id"], "last_id": batches[-1]["id"]}


def _answering(body: object) -> AnthropicBatchCreator:
    """Return an API with one answer to everything but a download of results, which are our own."""
    lines = [
        msgspec.json.encode({"custom_id": f"{JOB}-00000-{row:06}", "result": succeeded(f"re: {row}")}) + b"\n"
        for row in range(2)
    ]

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/results"):
            return httpx2.Response(200, content=b"".join(lines))
        return httpx2.Response(200, content=msgspec.json.encode(body), headers=DATE)

    return AnthropicBatchCreator(api_key="k", base_url="https://api.test", transport=httpx2.MockTransport(answer))


def _sound(name: str) -> MessageBatch:
    return msgspec.convert(_batch(name), MessageBatch)


@given(st.integers(0, 2), fields, odd)
def test_an_odd_message_batch_hides_no_other(place: int, field: str, value: Any) -> None:
    """The others are listed as they are. A list with one that has no id proves nothing."""
    batches = [_batch("a"), _batch("b"), _batch("c")]
    name = batches[place]["id"]
    batches[place] = _changed(batches[place], field, value)
    try:
        listed = [*_answering({"data": batches, "has_more": False, "last_id": "c"}).newest_first()]
    except ApiUnavailable:
        assert field == "id"
        return
    assert [batch for at, batch in enumerate(listed) if at != place] == [
        _sound(other) for other in "abc" if other != name
    ]
    assert (listed[place].id == name) == (field != "id")


@given(st.sampled_from(["data", "has_more", "last_id", "first_id"]), odd)
def test_an_odd_page_is_no_list(field: str, value: Any) -> None:
    """It is read again later: what it does not show may exist."""
    page = _changed(_page(_batch("a")), field, value)
    try:
        listed = [*_answering(page).newest_first()]
    except ApiUnavailable:
        return
    assert listed in ([_sound("a")], [])
    assert listed or (field, value) == ("data", [])


@given(fields, odd)
def test_an_odd_answer_to_a_create_or_a_look_is_read_or_unreadable(field: str, value: Any) -> None:
    """Only the id and the status are needed."""
    api = _answering(_changed(_batch("a"), field, value))
    try:
        looked, created = api.retrieve("a"), api.create(create_body(1), timeout=5)
    except ApiUnavailable:
        assert field in {"id", "processing_status"}
        with pytest.raises(SubmissionUncertain):
            api.create(create_body(1), timeout=5)
        return
    assert looked == created
    assert looked.request_counts.total in {0, 2, 2**70}
    assert (looked.id == "a") == (field != "id")


def _world() -> World:
    world = dropped(reviews(2))
    world.split()
    return world


@given(fields, odd)
def test_ours_is_never_absent_because_it_is_odd(field: str, value: Any) -> None:
    """It is adopted, or it stays undecided."""
    if field == "id" and isinstance(value, str) and value not in {"", MISSING}:
        return  # another id is another Message Batch
    world = _world()
    world.api.lose_next = SubmissionUncertain("lost")
    with pytest.raises(SubmissionUncertain):
        world.submit()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    world.api = _answering(_page(_batch("z")) | {"data": [_changed(_batch("ours"), field, value)]})  # type: ignore[assignment] # the real adapter
    vars(world.api)["key_print"] = "print"
    assert world.settle() in {Settled("accepted", "ours"), Settled("open")}


LAST = {"id", "processing_status", "results_url"}  # without them nothing can be read


@given(fields, odd)
@example("request_counts", None)
@example("request_counts", MISSING)
def test_an_odd_message_batch_is_polled_and_collected(field: str, value: Any) -> None:
    """Whatever its counts and dates are, the answers are delivered: at the latest with a second download."""
    world = _world()
    batch_id = world.submit().batch_id
    world.api = _answering(_changed(_batch(batch_id), field, value))  # type: ignore[assignment] # the real adapter
    assert isinstance(world.poll(batch_id).ended, bool)
    for _ in range(2):
        try:
            collected = world.collect(batch_id)
        except (ApiUnavailable, ResultsIncomplete):
            continue
        assert collected.tally is not None
        assert collected.tally.answered == 2
        return
    assert field in LAST


@given(fields, odd)
def test_an_odd_answer_to_a_create_crashes_nothing(field: str, value: Any) -> None:
    """The id is taken, or the create is settled."""
    world = _world()
    world.api = _answering(_changed(_batch("ours"), field, value))  # type: ignore[assignment] # the real adapter
    try:
        assert world.submit().batch_id
    except BatchdropError as error:
        assert isinstance(error, SubmissionUncertain)  # noqa: PT017 - either is fine
    [sent] = world.ledger.submissions(JOB)
    assert sent.state in {"accepted", "sent"}
