"""The emulator's own books, in this process or over HTTP: what it was asked, what it did, what it charged."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Protocol

from batchdrop.local.claude_api.batch_body import ID_WIDTH
from batchdrop.local.claude_api.batches import Batch
from batchdrop.local.claude_api.results import IDS_FILE, result_blocks
from batchdrop.local.claude_api.state import EmulatorState
from batchdrop.local.claude_api.testing import Emulator

HEADERS = {"x-api-key": "sk-judge", "anthropic-version": "2026-10-21"}


@dataclass(frozen=True)
class Booked:
    """A Message Batch. `is_touched`: somebody canceled or deleted it."""

    id: str
    custom_ids: list[str]
    is_touched: bool


@dataclass(frozen=True)
class Result:
    """What became of one request. `text` is the answer's, if there is one."""

    custom_id: str
    type: str
    text: str
    model: str = ""
    batch_id: str = ""


@dataclass(frozen=True)
class Charge:
    """One request that was billed."""

    custom_id: str
    batch_id: str
    usd: Decimal
    model: str


class Books(Protocol):
    """All that the judge wants to know of the emulator."""

    def batches(self) -> list[Booked]:
        """Return all Message Batches, whoever created them."""

    def results(self) -> Iterator[Result]:
        """Yield what became of each request, in all Message Batches."""

    def charges(self) -> Iterator[Charge]:
        """Yield the batch lane's bill."""


class StateBooks:
    """The books of an emulator in this process: true also where a fault spoils its answers."""

    def __init__(self, state: EmulatorState) -> None:
        self._state = state

    def batches(self) -> list[Booked]:
        """Return all Message Batches."""
        return [
            Booked(batch.id, _custom_ids(batch), batch.cancel_at is not None or batch.deleted)
            for batch in self._state.batches.all()
        ]

    def results(self) -> Iterator[Result]:
        """Yield what became of each request; those that were cut off were not asked, and are left out."""
        for batch in self._state.batches.all():
            for line in batch.ready.result().results.lines(batch.done(self._state.clock.now())):
                yield replace(_result(line), batch_id=batch.id)

    def downloads(self) -> Iterator[list[Result]]:
        """Yield the whole results of each Message Batch that ended, as they are downloaded."""
        now = self._state.clock.now()
        for batch in self._state.batches.all():
            if batch.ended(now):
                lines = b"".join(result_blocks(batch, now, None)).splitlines()
                yield [_result(line) for line in lines]

    def charges(self) -> Iterator[Charge]:
        """Yield the batch lane's bill."""
        for entry in self._state.bill.entries(self._state.clock.now()):
            if entry.lane == "live":
                continue
            assert entry.custom_id is not None
            assert entry.batch_id is not None
            yield Charge(entry.custom_id, entry.batch_id, Decimal(entry.usd), entry.model)

    def live_charges(self) -> list[Decimal]:
        """Return what the live lane's answers cost; the Messages API names no request in its bill."""
        entries = self._state.bill.entries(self._state.clock.now())
        return [Decimal(entry.usd) for entry in entries if entry.lane == "live"]


class HttpBooks:
    """The books of an emulator in another process. Its faults must be cleared first: they would spoil these answers."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def batches(self) -> list[Booked]:
        """Return all Message Batches that ended and were not deleted."""
        page = json.loads(self._get("/v1/messages/batches?limit=1000"))
        assert not page["has_more"]
        return [
            Booked(one["id"], [found.custom_id for found in self._results_of(one)], bool(one["cancel_initiated_at"]))
            for one in page["data"]
        ]

    def results(self) -> Iterator[Result]:
        """Yield what became of each request."""
        for batch in json.loads(self._get("/v1/messages/batches?limit=1000"))["data"]:
            yield from self._results_of(batch)

    def charges(self) -> Iterator[Charge]:
        """Yield the bill."""
        for entry in self._emulator.bill():
            yield Charge(entry["custom_id"], entry["batch_id"], Decimal(entry["usd"]), entry["model"])

    def _results_of(self, batch: dict[str, Any]) -> list[Result]:
        if batch["results_url"] is None:
            return []
        lines = self._get(f"/v1/messages/batches/{batch['id']}/results").splitlines()
        return [_result(line) for line in lines]

    def _get(self, path: str) -> bytes:
        request = urllib.request.Request(self._emulator.base_url + path, headers=HEADERS)
        with urllib.request.urlopen(request, timeout=60) as answer:
            body: bytes = answer.read()
        return body


def _custom_ids(batch: Batch) -> list[str]:
    packed = (batch.folder / IDS_FILE).read_bytes()
    return [packed[place : place + ID_WIDTH].decode().rstrip() for place in range(0, len(packed), ID_WIDTH)]


def _result(line: bytes) -> Result:
    found = json.loads(line)
    message = found["result"].get("message", {})
    text = "".join(block.get("text", "") for block in message.get("content", []))
    return Result(found["custom_id"], found["result"]["type"], text, message.get("model", ""))
