"""TokenCounter: the fake and the SDK's adapter on the emulator keep the same promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx2
import msgspec
import pytest

from batchdrop.adapters.claude.count_tokens import AnthropicTokenCounter
from batchdrop.errors import AccountTrouble, ApiUnavailable, CountRefused, RateLimited
from batchdrop.local.claude_api.testing import RunningEmulator, running_emulator
from batchdrop.split.ports import TokenCounter
from tests.callers import ACCESS_KEY, CALLERS, access
from tests.counting_fakes import FakeTokenCounter

Counters = Callable[..., TokenCounter]


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    """One for all."""
    with running_emulator() as running:
        yield running


@pytest.fixture(params=["fake", *CALLERS])
def counters(request: pytest.FixtureRequest, emulator: RunningEmulator) -> Iterator[Counters]:
    """Make a counter with room for so many counts, and a good key or none."""
    emulator.reset()
    made: list[AnthropicTokenCounter] = []

    def make(*, room: int = 1_000, key_is_good: bool = True) -> TokenCounter:
        if request.param == "fake":
            return FakeTokenCounter(room=room, key_is_good=key_is_good)
        emulator.settings(count_tokens_rpm=room)
        key = "sk-good" if key_is_good else "sk-revoked"
        made.append(AnthropicTokenCounter(**access(request.param, emulator, key=key)))
        if request.param == "role" and not key_is_good:
            emulator.settings(aws_expired_keys=[ACCESS_KEY])
        return made[-1]

    yield make
    for one in made:
        one.close()


def _params(text: str = "Hello there", **changes: Any) -> bytes:
    asked = {"role": "user", "content": text}
    return msgspec.json.encode({"model": "claude-haiku-5-5", "max_tokens": 64, "messages": [asked], **changes})


def test_a_prompt_has_its_tokens(counters: Counters) -> None:
    """What says how to answer is left out: it is no input."""
    counter = counters()
    few = counter.count(_params(metadata={"user_id": "u"}, stop_sequences=["x"], service_tier="auto"))
    assert (
        0 < few == counter.count(_params(max_tokens=9)) < counter.count(_params("Hello there " * 50, system="Be kind."))
    )


def test_many_threads_may_count(counters: Counters) -> None:
    """Each gets its own answer."""
    counter = counters()
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(counter.count, [_params("x" * 40 * size) for size in range(1, 30)]))
    assert counts == sorted(set(counts))


def test_a_bad_key_is_account_trouble(counters: Counters) -> None:
    """Nothing more can be counted."""
    with pytest.raises(AccountTrouble, match=r"401|ExpiredToken"):
        counters(key_is_good=False).count(_params())


def test_an_unknown_model_is_refused(counters: Counters) -> None:
    """The job would fail for it, too."""
    with pytest.raises(CountRefused, match="404"):
        counters().count(_params(model="gpt"))


def test_too_many_counts_come_later(counters: Counters) -> None:
    """A limit of its own."""
    counter = counters(room=2)
    counter.count(_params())
    counter.count(_params())
    with pytest.raises(RateLimited, match="429"):
        counter.count(_params())


@pytest.mark.parametrize(("workspace", "header"), [("", None), ("wrkspc_1", "wrkspc_1")])
def test_a_count_names_the_workspace(workspace: str, header: str | None) -> None:
    """As every other call does: a key of several workspaces has limits in each."""
    named: list[str | None] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        named.append(request.headers.get("anthropic-workspace-id"))
        return httpx2.Response(200, json={"input_tokens": 5})

    transport = httpx2.MockTransport(handler)
    counter = AnthropicTokenCounter(api_key="k", base_url="http://api.test", transport=transport, workspace=workspace)
    with closing(counter):
        assert counter.count(_params()) == 5
    assert named == [header]


@pytest.mark.parametrize("status", [400, 413])
def test_a_refused_prompt_is_told(status: int) -> None:
    """In the API's words."""
    body = {"error": {"type": "x", "message": "too long"}}
    told = pytest.raises(CountRefused, match=f"{status}.*too long")
    with _answering(lambda _: httpx2.Response(status, json=body)) as counter, told:
        counter.count(_params())


def _dropped(_: httpx2.Request) -> httpx2.Response:
    message = "connection reset"
    raise httpx2.ConnectError(message)


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: httpx2.Response(500, json={"error": {"type": "api_error", "message": "no"}}),
        lambda _: httpx2.Response(302, headers={"location": "https://example.com"}),
        lambda _: httpx2.Response(200, content=b"<html>"),
        lambda _: httpx2.Response(200, json={"tokens": 5}),
        _dropped,
    ],
    ids=["500", "redirect", "a page", "no count", "dropped"],
)
def test_an_api_that_cannot_be_reached_is_unavailable(answer: Callable[[httpx2.Request], httpx2.Response]) -> None:
    """Asked once, with no waiting inside."""
    asked: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return answer(request)

    with _answering(handler) as counter, pytest.raises(ApiUnavailable):
        counter.count(_params())
    assert len(asked) == 1


def test_what_is_no_request_is_not_sent() -> None:
    """Ready-made lines may hold anything."""
    with _answering(_dropped) as counter, pytest.raises(CountRefused, match="it is not a request"):
        counter.count(b"[]")


def _answering(handler: Callable[[httpx2.Request], httpx2.Response]) -> closing[AnthropicTokenCounter]:
    transport = httpx2.MockTransport(handler)
    return closing(AnthropicTokenCounter(api_key="k", base_url="http://api.test", transport=transport))
