"""The live lane's world on fakes and virtual time: one slice, and as many workers as a test wants."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from batchdrop.job.layout import JobKeys
from batchdrop.live_lane.answer_requests import Answered, Waiting, answer_requests
from batchdrop.live_lane.fleet_permits import FleetPermits
from batchdrop.live_lane.slice import Slice
from tests.bodies import create_body
from tests.fakes import FakeLedger, FakeObjectStore
from tests.live_fakes import FakeLeases, FakeMessageApi, FakePermits
from tests.virtual_time import LoopClock, at_once

JOB = "job"
KEYS = JobKeys(JOB)
WAITING = Waiting(offload=at_once, jitter=lambda: 0.5)


@dataclass
class SliceWorld:
    """A shard of `rows` requests, all of them in one slice, and what asks it."""

    rows: int = 10
    max_tokens: int = 16
    api: FakeMessageApi = field(default_factory=FakeMessageApi)
    store: FakeObjectStore = field(default_factory=FakeObjectStore)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    leases: FakeLeases = field(default_factory=FakeLeases)
    permits: FakePermits = field(default_factory=FakePermits)
    piece: Slice = field(init=False)

    def __post_init__(self) -> None:
        body = b"".join(create_body(self.rows, job=JOB, content="row"))
        body = body.replace(b'"max_tokens":16,', b'"max_tokens":%d,' % self.max_tokens)
        self.store.write(KEYS.requests(0), body)
        self.piece = Slice(JOB, 0, 0, 7, body.index(b"\n") + 1, body.rindex(b"\n") + 1, self.rows)

    async def work(self, *, seconds: float = 900.0, window: int = 4, **options: Any) -> Answered:
        """Run one worker; its invocation may take so many seconds."""
        clock = options.pop("clock", None) or LoopClock(seconds)
        permits = FleetPermits(self.permits, clock=clock, share=1.0, offload=at_once, jitter=lambda: 0.5)
        parts: dict[str, Any] = {
            "store": self.store, "ledger": self.ledger, "leases": self.leases, "api": self.api, "permits": permits,
            "clock": clock, "window": window, "waiting": WAITING, **options,
        }  # fmt: skip
        try:
            return await answer_requests(self.piece, **parts)
        finally:
            await permits.close()

    @property
    def flushes(self) -> dict[str, bytes]:
        """What stands in the bucket of the slice."""
        return self.store.under(KEYS.live_answers(0, 0, 7))

    @property
    def lines(self) -> list[dict[str, Any]]:
        """All result lines, in the order of their rows."""
        lines = [json.loads(line) for body in self.flushes.values() for line in body.splitlines()]
        return sorted(lines, key=lambda line: str(line["custom_id"]))

    @property
    def told(self) -> list[str]:
        """What each line says: the answer's text, the error's type, or that it may be paid."""
        return [_told(line["result"]) for line in self.lines]


def _told(result: dict[str, Any]) -> str:
    if result["type"] == "succeeded":
        return str(result["message"]["content"][0]["text"])
    return str(result["error"]["error"]["type"] if "error" in result else result["type"])
