"""A job with a sample on fakes: the state machine's part between the sample and the rest, played by a few lines."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.finish.show_sample import ShowingParts, Shown, show_sample
from batchdrop.job.approve_job import Approved, approve_job
from batchdrop.job.await_approval import await_approval, wake_waiting
from batchdrop.report.summary import Summary
from tests.approval_fakes import FakeApprovals
from tests.jobs import JOB, RECIPE, World, reviews
from tests.live_fakes import FakeTaskTokens


@dataclass
class SampledWorld(World):
    """A world in which samples are shown and approved."""

    approvals: FakeApprovals = field(default_factory=FakeApprovals)
    tokens: FakeTaskTokens = field(default_factory=FakeTaskTokens)

    def show(self, *, time_is_over: bool = False) -> Shown:
        """Run show_sample."""
        parts = ShowingParts(self.store, self.ledger, self.approvals, self.clock, FileFormats())
        return show_sample(self.upload, parts, time_is_over=time_is_over)

    def wait(self, token: str = "token") -> bool:
        """Run await_approval."""
        parts: dict[str, Any] = {"approvals": self.approvals, "ledger": self.ledger, "tokens": self.tokens}
        return await_approval(JOB, token, clock=self.clock, **parts)

    def approve(self) -> Approved:
        """Run approve_job."""
        return approve_job(JOB, self.clock.now(), approvals=self.approvals, tokens=self.tokens)

    def wake(self) -> int:
        """Wake who waits, as a cancel does."""
        return wake_waiting(JOB, approvals=self.approvals, tokens=self.tokens)

    def sample(self) -> Shown:
        """Split, ask the sample, show it."""
        assert self.split().asks == "sample"
        self.ask(0)
        return self.show()

    def go_on(self) -> Summary:
        """Send every shard, the sample's too, as the state machine does; close the job."""
        for item in self.shard_items:
            if item["requests"]:
                self.ask(item["shard"])
        return self.close()

    @property
    def report(self) -> Any:
        """sample.json."""
        return json.loads(self.result("sample.json"))


def sampled(
    rows: int = 10, sample: Any = 3, *, recipe: str = RECIPE, body: bytes | None = None, **limits: Any
) -> SampledWorld:
    """Return a world with a file of so many rows in its inbox, and a recipe with this sample."""
    text = f"{recipe}sample: {json.dumps(sample)}\n"
    world = SampledWorld(**limits)
    world.drop("inbox/r/f.csv", body or reviews(rows), recipe=text)
    return world
