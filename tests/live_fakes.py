"""In-memory stand-ins for the live lane's ports. `tests/contract/` holds them to what the real adapters do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from batchdrop.job.ports import TaskGone
from batchdrop.live_lane.lease import Lease
from batchdrop.live_lane.permits import PermitState, Versioned
from batchdrop.live_lane.reply import Answer, Passing, Reply
from tests.fakes import message

PLENTY = {
    f"anthropic-ratelimit-{kind}-{what}": "6000000000"
    for kind in ("requests", "input-tokens", "output-tokens")
    for what in ("limit", "remaining")
}


def prompt_of(params: bytes) -> str:
    """Return the prompt of a request."""
    content: str = msgspec.json.decode(params)["messages"][0]["content"]
    return content


def echoed(prompt: str, **fields: Any) -> Answer:
    """Answer with the prompt."""
    usage = {"input_tokens": 10, "output_tokens": 5, "service_tier": "standard"}
    return Answer(msgspec.json.encode(message(f"re: {prompt}", **{"usage": usage, **fields})), PLENTY)


class FakeMessageApi:
    """Answers each prompt after `seconds` of the loop's time. `script` says otherwise: a Reply, or an error to raise.

    It is told the prompt and how often that was asked before; None leaves the answer to the echo. A Reply in a tuple
    comes after so many seconds: (5.0, Passing(…)).
    """

    def __init__(
        self, *, seconds: float = 1.0, script: Callable[[str, int], Any] = lambda _prompt, _before: None
    ) -> None:
        self.asked: list[str] = []
        self.timeouts: list[float] = []
        self.streamed: list[bool] = []
        self.bodies: list[bytes] = []
        self.betas: list[tuple[str, ...]] = []
        self.open = self.most_open = 0
        self.seconds = seconds
        self.script = script

    async def send(
        self, params: bytes, *, within: float, is_streamed: bool = False, betas: tuple[str, ...] = ()
    ) -> Reply:
        """Answer."""
        prompt = prompt_of(params)
        told = self.script(prompt, self.asked.count(prompt))
        self.asked.append(prompt)
        self.bodies.append(params)
        self.timeouts.append(within)
        self.betas.append(betas)
        self.streamed.append(is_streamed)
        seconds, reply = told if isinstance(told, tuple) else (self.seconds, told)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await asyncio.sleep(min(seconds, within))
        finally:
            self.open -= 1
        if seconds > within:
            return Passing("timeout_error", "no whole answer", is_uncertain=True)
        if isinstance(reply, Exception):
            raise reply
        answer: Reply = echoed(prompt) if reply is None else reply
        return answer


class FakeLeases:
    """Leases in a dictionary."""

    def __init__(self) -> None:
        self._leases: dict[tuple[str, str], Lease] = {}
        self._done: dict[tuple[str, str], int] = {}
        self._released: dict[tuple[str, str], int] = {}

    def take(self, job_id: str, slice_name: str, attempt: str, *, now: datetime, until: datetime) -> Lease:
        """Take the lease if it is free; return what stands then."""
        key = job_id, slice_name
        standing = self._leases.get(key)
        if standing is None:
            self._leases[key] = Lease(job_id, slice_name, attempt, until, 1)
        elif standing.until <= now or standing.attempt == attempt:
            crashes = standing.turn - self._released.get(key, 0)
            turn = standing.turn + 1
            self._leases[key] = replace(standing, attempt=attempt, until=until, turn=turn, crashes=crashes)
        return self._leases[key]

    def renew(self, lease: Lease, until: datetime, *, done: int, tries: str = "") -> bool:
        """Move a lease on; False if another attempt has it."""
        standing = self._leases.get((lease.job_id, lease.slice_name))
        if standing is None or standing.attempt != lease.attempt:
            return False
        self._leases[lease.job_id, lease.slice_name] = replace(standing, until=until, tries=tries)
        self._done[lease.job_id, lease.slice_name] = done
        return True

    def release(self, lease: Lease, now: datetime, *, done: int, tries: str = "") -> None:
        """Let a lease run out now."""
        key = lease.job_id, lease.slice_name
        if self.renew(lease, now, done=done, tries=tries):
            self._leases[key] = replace(self._leases[key], attempt="")
            self._released[key] = self._released.get(key, 0) + 1

    def tries(self, job_id: str, beginning: str) -> list[str]:
        """Return the tries of the slices whose names begin so."""
        leases = [one for key, one in sorted(self._leases.items()) if key[0] == job_id and key[1].startswith(beginning)]
        return [one.tries for one in leases if one.tries]

    def done(self, job_id: str, beginning: str) -> int:
        """Return how many requests have their result line, of the slices whose names begin so."""
        return sum(done for (job, name), done in self._done.items() if job == job_id and name.startswith(beginning))


class FakePermits:
    """Permits in a dictionary. `writes` counts those that came through, `conflicts` the others."""

    def __init__(self) -> None:
        self.standing: dict[str, Versioned] = {}
        self.writes = self.conflicts = 0

    def replace(self, model: str, seen: Versioned, state: PermitState) -> Versioned | None:
        """Write the state if the one that was seen still stands; else return what stands."""
        standing = self.standing.get(model)
        if (standing.version if standing else 0) != seen.version:
            self.conflicts += 1
            return standing or Versioned(None, 0)
        self.standing[model] = Versioned(state, seen.version + 1)
        self.writes += 1
        return None


class FakeTaskTokens:
    """Remembers what was told. Tokens in `gone` have timed out."""

    def __init__(self) -> None:
        self.gone: set[str] = set()
        self.succeeded: dict[str, Any] = {}
        self.failed: dict[str, tuple[str, str]] = {}
        self.beats: list[str] = []

    def succeed(self, token: str, output: bytes) -> None:
        """End a task well. Raises TaskGone."""
        self._check(token)
        self.succeeded[token] = msgspec.json.decode(output)
        self.gone.add(token)

    def fail(self, token: str, error: str, cause: str) -> None:
        """End a task by an error. Raises TaskGone."""
        self._check(token)
        self.failed[token] = (error, cause)
        self.gone.add(token)

    def heartbeat(self, token: str) -> None:
        """Note that a task is alive. Raises TaskGone."""
        self._check(token)
        self.beats.append(token)

    def _check(self, token: str) -> None:
        if token in self.gone:
            raise TaskGone(token)


class FakeQueue:
    """Messages in a list."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, body: str) -> None:
        """Put a message into the queue."""
        self.sent.append(body)
