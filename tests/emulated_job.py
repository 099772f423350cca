"""A whole job through the real use cases, on the emulator and on virtual time. The emulator's bill judges it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import msgspec

from batchdrop.adapters.claude.create_batch import AnthropicBatchCreator
from batchdrop.batch_lane.submit_shard import Submitted
from batchdrop.job.shard_state import ShardState
from batchdrop.local.claude_api.app import create_app
from batchdrop.local.claude_api.bill import Entry
from batchdrop.local.claude_api.clock import EmulatedClock
from batchdrop.local.claude_api.settings import Settings
from batchdrop.local.claude_api.state import EmulatorState
from batchdrop.report.summary import Summary
from tests.fakes import START, FakeClock
from tests.faults.transport import BASE_URL, EmulatorTransport
from tests.jobs import World

POLL = 300.0  # seconds between two polls
BATCH_SECONDS = 1_800.0  # how long a Message Batch takes


class EmulatedJob(World):
    """A world whose API is the emulator, with the product's own adapter before it. Shards are sent one by one."""

    state_of_api: EmulatorState

    def run(self, *, looks: int | None = None) -> Summary:
        """Run the job to its end, and check that the summary says what the emulator billed."""
        summary = super().run(looks=looks)
        assert summary.cost.usd == self.bill, f"summary ${summary.cost.usd}, bill ${self.bill}"
        return summary

    @property
    def bill(self) -> Decimal:
        """What the emulator charges, in dollars."""
        return Decimal(self.charges["usd"])

    @property
    def charges(self) -> dict[str, Any]:
        """The totals of the emulator's bill."""
        return self.state_of_api.bill.summary(self.state_of_api.clock.now())

    def entries(self) -> Iterator[Entry]:
        """Yield the entries of the emulator's bill."""
        return self.state_of_api.bill.entries(self.state_of_api.clock.now())

    @property
    def message_batches(self) -> int:
        """How many Message Batches were created."""
        return sum(1 for _ in self.state_of_api.batches.all())

    def _followed(self, state: ShardState) -> str:
        submitted, polls = self.submit_round(state), 0
        assert isinstance(submitted, Submitted), "shards are sent one by one, so none waits for another"
        while not submitted.is_collected and not self.poll(submitted.batch_id, polls, deadline=state.deadline).ended:
            self.clock.advance(POLL)
            polls += 1
        return submitted.batch_id


@contextmanager
def emulated_job(body: bytes, *, recipe: str, key: str = "inbox/r/f.csv", **settings: object) -> Iterator[EmulatedJob]:
    """Yield a job that is dropped and not yet run. `settings` are the emulator's."""
    clock = FakeClock()

    def seconds() -> float:
        return (clock.now() - START).total_seconds()

    wall = EmulatedClock(start=START.timestamp(), speed=1.0, wall=seconds)
    held = msgspec.convert({"speed": 1.0, "batch_seconds": BATCH_SECONDS, **settings}, Settings)
    state = EmulatorState(held, clock=wall)
    transport = EmulatorTransport(create_app(state))
    api: Any = AnthropicBatchCreator(api_key="sk-any", base_url=BASE_URL, transport=transport)
    job = EmulatedJob(clock=clock, api=api)
    job.state_of_api = state
    job.drop(key, body, recipe=recipe)
    try:
        yield job
    finally:
        transport.close()
        state.close()
