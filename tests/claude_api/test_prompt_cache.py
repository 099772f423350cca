"""The prompt cache bills like the service: what reads, what writes, and for how long."""

import threading
from typing import Any

import pytest
from anthropic import Anthropic

from batchdrop.local.claude_api.prices import MODELS
from batchdrop.local.claude_api.testing import RunningEmulator
from tests.claude_api.asks import finished, params, requests

HOUR = {"type": "ephemeral", "ttl": "1h"}
SONNET = "claude-sonnet-5-5"


def shared(mark: dict[str, str] | None = None, *, words: int = 2000) -> Any:
    """A marked system prompt."""
    return [{"type": "text", "text": "rule " * words, "cache_control": mark or HOUR}]


def read_by(client: Anthropic, emulator: RunningEmulator, count: int, **more: Any) -> int:
    """How many requests of a new Message Batch, which ends, read the cache; the others write."""
    batch = finished(client, emulator, requests(count, **{"system": shared(), **more}))
    lines = list(client.messages.batches.results(batch.id))
    usages = [line.result.message.usage for line in lines if line.result.type == "succeeded"]
    assert all(bool(usage.cache_read_input_tokens) != bool(usage.cache_creation_input_tokens) for usage in usages)
    return sum(bool(usage.cache_read_input_tokens) for usage in usages)


def test_a_cold_message_batch_writes_in_each_request(client: Anthropic, emulator: RunningEmulator) -> None:
    """Its requests run side by side, so none finds what another one writes."""
    assert read_by(client, emulator, 25) == 0


def test_after_a_message_batch_of_one_all_requests_read(client: Anthropic, emulator: RunningEmulator) -> None:
    """The prefix was written before they began."""
    emulator.settings(batch_seconds=60)
    client.messages.batches.create(requests=requests(1, system=shared()))
    emulator.advance(120)
    assert read_by(client, emulator, 25) == 25


def test_a_prefix_that_is_still_being_written_is_not_read(client: Anthropic, emulator: RunningEmulator) -> None:
    """A Message Batch that begins before the first one's answer is cold."""
    emulator.settings(batch_seconds=600)
    client.messages.batches.create(requests=requests(1, system=shared()))
    emulator.advance(300)
    assert read_by(client, emulator, 5) == 0


@pytest.mark.parametrize(("share", "least", "most"), [(0.5, 80, 120), (0.0, 0, 0), (0.9, 165, 195)])
def test_a_test_sets_the_hit_rate_of_warm_message_batches(
    client: Anthropic, emulator: RunningEmulator, share: float, least: int, most: int
) -> None:
    """By seeded chance; the others write again."""
    finished(client, emulator, requests(1, system=shared()))
    emulator.settings(warm_hit_rate=share)
    client.messages.batches.create(requests=requests(1, system=shared()))  # keeps the entry, whatever it does
    emulator.advance(200)
    assert least <= read_by(client, emulator, 200) <= most


def test_cold_message_batches_may_have_hits_too(client: Anthropic, emulator: RunningEmulator) -> None:
    """Reports differ, so a test can say so."""
    emulator.settings(cold_hit_rate=0.3)
    assert 30 <= read_by(client, emulator, 200) <= 90


@pytest.mark.parametrize(("mark", "seconds"), [({"type": "ephemeral"}, 300), (HOUR, 3600)])
def test_entries_expire(client: Anthropic, emulator: RunningEmulator, mark: dict[str, str], seconds: int) -> None:
    """Five minutes or an hour after the last read or write."""
    emulator.settings(batch_seconds=1)
    reads = []
    for pause in (0, seconds - 20, seconds - 20, seconds + 20):
        emulator.advance(pause)
        batch = client.messages.batches.create(requests=requests(1, system=shared(mark)))
        emulator.advance(2)
        (line,) = client.messages.batches.results(batch.id)
        assert line.result.type == "succeeded"
        reads.append(bool(line.result.message.usage.cache_read_input_tokens))
    assert reads == [False, True, True, False]


def test_the_two_apis_share_no_cache(client: Anthropic, emulator: RunningEmulator) -> None:
    """A prefix that a Messages call wrote is cold for a Message Batch, and the other way round."""
    client.messages.create(**params("x", system=shared()))
    emulator.advance(10)
    assert read_by(client, emulator, 3) == 0
    emulator.reset()
    finished(client, emulator, requests(1, system=shared()))
    assert not client.messages.create(**params("x", system=shared())).usage.cache_read_input_tokens


def test_messages_calls_at_the_same_time_all_write(client: Anthropic, emulator: RunningEmulator) -> None:
    """An entry can be read once the answer that wrote it has begun."""
    emulator.settings(latency_seconds=0.3)
    usages: list[Any] = []

    def call() -> None:
        usages.append(client.messages.create(**params("x", system=shared())).usage)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [bool(usage.cache_creation_input_tokens) for usage in usages] == [True] * 4
    call()
    assert usages[-1].cache_read_input_tokens


@pytest.mark.parametrize(
    ("model", "tokens"),
    [(SONNET, 1024), ("claude-haiku-5-5", 1024), ("claude-haiku-4-5", 4096), ("claude-opus-4-5", 4096)],
)
def test_the_least_prefix_depends_on_the_model(client: Anthropic, model: str, tokens: int) -> None:
    """A shorter one is silently not cached."""
    assert MODELS[model].least_prefix == tokens
    each = 1.0 if MODELS[model].old_tokens else 1.3
    for size, is_cached in ((tokens * 0.98, False), (tokens * 1.02, True)):
        system: Any = [{"type": "text", "text": "x" * round(size * 4 / each), "cache_control": HOUR}]
        usage = client.messages.create(**{**params("x", system=system), "model": model}).usage
        assert bool(usage.cache_creation_input_tokens) == is_cached
