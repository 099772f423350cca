"""Rate limits, on the emulated clock."""

from datetime import datetime

import anthropic
import pytest
from anthropic import Anthropic

from batchdrop.local.claude_api.clock import EmulatedClock
from batchdrop.local.claude_api.limits import Bucket
from batchdrop.local.claude_api.testing import RunningEmulator
from tests.claude_api.asks import params, requests

GROUPS = ("requests", "tokens", "input-tokens", "output-tokens")


def test_messages_carry_all_the_headers(client: Anthropic, emulator: RunningEmulator) -> None:
    """Limit, remaining, and reset in RFC 3339, for four groups."""
    emulator.settings(messages_rpm=10, messages_itpm=1000, messages_otpm=500)
    headers = client.messages.with_raw_response.create(**params("x")).headers
    for group in GROUPS:
        for part in ("limit", "remaining"):
            assert headers[f"anthropic-ratelimit-{group}-{part}"].isdecimal()
        reset = datetime.fromisoformat(headers[f"anthropic-ratelimit-{group}-reset"])
        assert reset.timestamp() > emulator.now()
    assert headers["anthropic-ratelimit-requests-limit"] == "10"
    assert headers["anthropic-ratelimit-requests-remaining"] == "9"
    assert headers["anthropic-ratelimit-tokens-limit"] in {"500", "1000"}


def test_requests_a_minute_run_out_and_come_back(client: Anthropic, emulator: RunningEmulator) -> None:
    """429 with retry-after and headers; refilled all the time, one every 6 s at 10 a minute."""
    emulator.settings(messages_rpm=10)
    for _ in range(10):
        client.messages.create(**params("x"))
    with pytest.raises(anthropic.RateLimitError, match="10 requests per minute") as caught:
        client.messages.create(**params("x"))
    headers = caught.value.response.headers
    assert headers["retry-after"] == "6"
    assert headers["anthropic-ratelimit-requests-remaining"] == "0"
    emulator.advance(6)
    client.messages.create(**params("x"))
    with pytest.raises(anthropic.RateLimitError):
        client.messages.create(**params("x"))


def test_limits_are_for_each_model(client: Anthropic, emulator: RunningEmulator) -> None:
    """Another model has buckets of its own."""
    emulator.settings(messages_rpm=1)
    client.messages.create(**params("x"))
    client.messages.create(**params("x", model="claude-sonnet-5-5"))
    with pytest.raises(anthropic.RateLimitError):
        client.messages.create(**params("x"))


def test_input_tokens_run_out(client: Anthropic, emulator: RunningEmulator) -> None:
    """By the prompt's size."""
    emulator.settings(messages_itpm=1000)
    client.messages.create(**params("word " * 500))
    with pytest.raises(anthropic.RateLimitError, match="input tokens"):
        client.messages.create(**params("word " * 500))
    client.messages.create(**params("short"))


def test_cache_reads_do_not_count_as_input(client: Anthropic, emulator: RunningEmulator) -> None:
    """A cached prompt can be asked again and again."""
    emulator.settings(messages_itpm=8000)
    system = [{"type": "text", "text": "rule " * 2500, "cache_control": {"type": "ephemeral"}}]
    first = client.messages.with_raw_response.create(**params("x", system=system)).headers
    second = client.messages.with_raw_response.create(**params("x", system=system)).headers
    used = [8000 - int(headers["anthropic-ratelimit-input-tokens-remaining"]) for headers in (first, second)]
    assert used[0] > 3000
    assert used[1] - used[0] < 50


def test_output_tokens_run_out_and_max_tokens_does_not_count(client: Anthropic, emulator: RunningEmulator) -> None:
    """Only what was written counts, known afterwards: the bucket goes into debt, and the next call waits."""
    emulator.settings(messages_otpm=100)
    client.messages.create(**params("short", max_tokens=20_000))
    client.messages.create(**params("[[long:300]]", max_tokens=20_000))
    with pytest.raises(anthropic.RateLimitError, match="output tokens") as caught:
        client.messages.create(**params("short"))
    assert int(caught.value.response.headers["retry-after"]) > 100


def test_batches_have_a_limit_of_their_own(client: Anthropic, emulator: RunningEmulator) -> None:
    """All batches endpoints together, and nothing to do with Messages."""
    emulator.settings(batches_rpm=3, messages_rpm=1)
    client.messages.batches.create(requests=requests(1))
    headers = client.messages.batches.with_raw_response.list().headers
    assert headers["anthropic-ratelimit-requests-remaining"] == "1"
    client.messages.batches.list()
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.batches.list()
    assert caught.value.response.headers["retry-after"] == "20"
    client.messages.create(**params("x"))


def test_the_queue_can_be_full(client: Anthropic, emulator: RunningEmulator) -> None:
    """Requests in processing count, those done do not."""
    emulator.settings(queue_limit=10, batch_seconds=100)
    client.messages.batches.create(requests=requests(8))
    with pytest.raises(anthropic.RateLimitError, match="limit of 10 batch requests"):
        client.messages.batches.create(requests=requests(3))
    client.messages.batches.create(requests=requests(2))
    emulator.advance(60)
    client.messages.batches.create(requests=requests(4))
    assert len(emulator.state.batches.all()) == 3


def test_a_bucket_never_holds_more_than_a_minute() -> None:
    """However long it rests."""
    clock = EmulatedClock(speed=0)
    bucket = Bucket(clock, 60)
    bucket.take(60)
    clock.advance(10)
    assert bucket.level() == pytest.approx(10)
    assert bucket.wait_for(15) == pytest.approx(5)
    assert bucket.wait_for(1000) == pytest.approx(50)
    clock.advance(1000)
    assert bucket.level() == 60


def test_nothing_passes_a_limit_of_zero(client: Anthropic, emulator: RunningEmulator) -> None:
    """A 429, not a division by zero."""
    emulator.settings(messages_rpm=0)
    with pytest.raises(anthropic.RateLimitError):
        client.messages.create(**params("x"))
