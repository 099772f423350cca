"""What gateways make of responses, and Message Batches with odd counts, as they come over the wire."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from anthropic import Anthropic

from batchdrop.local.claude_api.testing import RunningEmulator
from tests.claude_api.asks import HEADERS, finished, post, requests

BATCHES = "/v1/messages/batches"
BOM = b"\xef\xbb\xbf"
SHAPES: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "bom": lambda body: body.removeprefix(BOM),
    "crlf": lambda body: body.removeprefix(b"\r\n").removesuffix(b"\r\n").replace(b"\r\n", b"\n"),
}


def _raw(emulator: RunningEmulator, path: str) -> tuple[bytes, str | None]:
    """Return the bytes of a body as they came, and their encoding."""
    with httpx2.Client() as http, http.stream("GET", emulator.base_url + path, headers=HEADERS) as response:
        return b"".join(response.iter_raw()), response.headers.get("content-encoding")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("path", ["", "/{}", "/{}/results"])
def test_a_body_may_be_changed_on_its_way(client: Anthropic, emulator: RunningEmulator, shape: str, path: str) -> None:
    """Objects, lists and results: undone, it is what the API wrote."""
    path = BATCHES + path.format(finished(client, emulator, requests(5)).id)
    plain, _ = _raw(emulator, path)
    emulator.inject("odd_body", "batches.*", shape=shape)
    changed, encoding = _raw(emulator, path)
    assert changed != plain
    assert SHAPES[shape](changed) == plain
    assert encoding == (shape if shape in {"gzip", "deflate"} else None)
    assert _raw(emulator, path) == (plain, None)


def test_a_body_may_be_cut(client: Anthropic, emulator: RunningEmulator) -> None:
    """HTTP has no complaint."""
    path = f"{BATCHES}/{finished(client, emulator, requests(5)).id}"
    plain, _ = _raw(emulator, path)
    emulator.inject("odd_body", shape="cut")
    assert _raw(emulator, path)[0] == plain[: len(plain) // 2]


COUNTS: dict[str, Any] = {
    "null": None,
    "text": {"processing": "0", "succeeded": "5", "errored": "0", "canceled": "0", "expired": "0"},
    "zero": {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
    "more": {"processing": 0, "succeeded": 6, "errored": 0, "canceled": 0, "expired": 0},
    "fewer": {"processing": 0, "succeeded": 4, "errored": 0, "canceled": 0, "expired": 0},
}


@pytest.mark.parametrize("counts", [*COUNTS, "missing"])
def test_counts_may_be_odd(client: Anthropic, emulator: RunningEmulator, counts: str) -> None:
    """In retrieve, unless the fault says where."""
    path = f"{BATCHES}/{finished(client, emulator, requests(5)).id}"
    emulator.inject("odd_counts", counts=counts)
    shown = json.loads(_raw(emulator, path)[0])
    assert shown.get("request_counts", "missing") == COUNTS.get(counts, "missing")
    assert json.loads(_raw(emulator, path)[0])["request_counts"]["succeeded"] == 5


@pytest.mark.parametrize(("counts", "is_odd"), [("null", True), ("zero", False), ("more", False), ("fewer", False)])
def test_some_counts_are_wrong_after_the_end_only(emulator: RunningEmulator, counts: str, *, is_odd: bool) -> None:
    """Until then, all requests are in `processing`."""
    batch_id = post(emulator, {"requests": requests(5)}).json()["id"]
    emulator.inject("odd_counts", counts=counts, times=-1)
    shown = json.loads(_raw(emulator, f"{BATCHES}/{batch_id}")[0])
    assert (shown["request_counts"] is None) == is_odd


def test_a_create_may_be_answered_with_another_id(emulator: RunningEmulator) -> None:
    """It was accepted all the same. Without another Message Batch there is nothing to confuse it with."""
    emulator.inject("create_other_id", times=2)
    first, second, third = (post(emulator, {"requests": requests(count)}).json()["id"] for count in (1, 2, 3))
    created = [batch.id for batch in reversed(emulator.state.batches.all())]
    assert (first, second, third) == (created[2], created[2], created[1])


def test_a_create_may_be_answered_with_a_certain_id(emulator: RunningEmulator) -> None:
    """That of another client, say."""
    first = post(emulator, {"requests": requests(1)}).json()["id"]
    post(emulator, {"requests": requests(2)})
    emulator.inject("create_other_id", batch_id=first)
    assert post(emulator, {"requests": requests(3)}).json()["id"] == first


def test_a_results_url_may_be_relative(client: Anthropic, emulator: RunningEmulator) -> None:
    """Without a host."""
    batch = finished(client, emulator, requests(1))
    emulator.inject("results_foreign_host", host="")
    shown = json.loads(_raw(emulator, f"{BATCHES}/{batch.id}")[0])
    assert shown["results_url"] == f"{BATCHES}/{batch.id}/results"
