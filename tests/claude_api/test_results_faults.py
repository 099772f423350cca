"""Spoilt results downloads, as the official SDK sees them."""

from typing import Any

import httpx2
import pytest
from anthropic import Anthropic

from batchdrop.local.claude_api.testing import RunningEmulator
from tests.claude_api.asks import finished, requests


def raw_results(client: Anthropic, emulator: RunningEmulator, kind: str, count: int = 10, **fields: Any) -> list[bytes]:
    """The lines of a download that a fault spoilt, the rest of a broken one included."""
    batch = finished(client, emulator, requests(count))
    emulator.inject(kind, **fields)
    with client.messages.batches.with_streaming_response.results(batch.id) as response:
        return b"".join(response.iter_bytes()).splitlines(keepends=True)


def test_short_results_end_cleanly(client: Anthropic, emulator: RunningEmulator) -> None:
    """Whole lines are missing, and HTTP has no complaint; the next download is whole."""
    lines = raw_results(client, emulator, "results_short", lines=3)
    assert len(lines) == 7
    assert all(line.endswith(b"}\n") for line in lines)
    batch = next(iter(client.messages.batches.list()))
    assert len(list(client.messages.batches.results(batch.id))) == 10


def test_results_cut_in_the_middle_of_a_line_end_cleanly(client: Anthropic, emulator: RunningEmulator) -> None:
    """The last line is a piece of JSON, and HTTP has no complaint."""
    lines = raw_results(client, emulator, "results_cut_mid_line")
    assert len(lines) == 10
    assert not lines[-1].endswith(b"\n")


def test_a_dropped_download_is_a_remote_protocol_error(client: Anthropic, emulator: RunningEmulator) -> None:
    """Not an anthropic.APIError; what came before it was delivered."""
    batch = finished(client, emulator, requests(10))
    emulator.inject("results_dropped", fraction=0.5)
    seen: list[str] = []
    with pytest.raises(httpx2.RemoteProtocolError):
        seen.extend(line.custom_id for line in client.messages.batches.results(batch.id))
    assert len(set(seen)) == 5


def test_lines_may_come_twice(client: Anthropic, emulator: RunningEmulator) -> None:
    """`lines` of them, again at the end."""
    lines = raw_results(client, emulator, "results_doubled", lines=2)
    assert (len(lines), len(set(lines))) == (12, 10)


def test_lines_of_nobody_may_come(client: Anthropic, emulator: RunningEmulator) -> None:
    """With custom_ids that were not asked."""
    batch = finished(client, emulator, requests(4))
    emulator.inject("results_unknown_ids", lines=2)
    ids = {line.custom_id for line in client.messages.batches.results(batch.id)}
    assert ids == {f"row-{n}" for n in range(4)} | {"nobody-asked-0", "nobody-asked-1"}


def test_result_and_error_types_may_be_unknown(client: Anthropic, emulator: RunningEmulator) -> None:
    """The SDK passes on what it does not know."""
    batch = finished(client, emulator, requests(4))
    emulator.inject("results_unknown_type")
    types: list[str] = [line.result.type for line in client.messages.batches.results(batch.id)]
    assert sorted(types) == ["postponed", "succeeded", "succeeded", "succeeded"]
    emulator.inject("results_unknown_error_type")
    found: list[Any] = [line.result for line in client.messages.batches.results(batch.id)]
    assert [result.error.error.type for result in found if result.type == "errored"] == ["quota_haze_error"]


def test_results_url_may_be_on_a_foreign_host(client: Anthropic, emulator: RunningEmulator) -> None:
    """Once the batch has ended; the SDK would send the key there."""
    emulator.inject("results_foreign_host")
    batch = client.messages.batches.create(requests=requests(1))
    assert client.messages.batches.retrieve(batch.id).results_url is None
    emulator.advance(3600)
    url = client.messages.batches.retrieve(batch.id).results_url
    assert url == f"https://results.example.invalid/v1/messages/batches/{batch.id}/results"
    again = client.messages.batches.retrieve(batch.id).results_url
    assert again is not None
    assert again.startswith(emulator.base_url)


def test_the_list_may_tell_of_a_foreign_host(client: Anthropic, emulator: RunningEmulator) -> None:
    """Of what has ended, and only there; running ones use the fault up no more than in `retrieve`."""
    emulator.inject("results_foreign_host", "batches.list")
    batch = client.messages.batches.create(requests=requests(1))
    assert [one.results_url for one in client.messages.batches.list()] == [None]
    emulator.advance(3600)
    own = client.messages.batches.retrieve(batch.id).results_url
    listed, again = ([one.results_url for one in client.messages.batches.list()] for _ in range(2))
    assert listed == [f"https://results.example.invalid/v1/messages/batches/{batch.id}/results"]
    assert again == [own]
