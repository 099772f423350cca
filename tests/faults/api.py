"""The emulator of one process, and the product's own adapter in front of it, with a storm on the line between them."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import msgspec

from batchdrop.adapters.claude.create_batch import AnthropicBatchCreator
from batchdrop.local.claude_api.app import create_app
from batchdrop.local.claude_api.batch_body import index_body
from batchdrop.local.claude_api.batches import Batch
from batchdrop.local.claude_api.clock import EmulatedClock
from batchdrop.local.claude_api.faults import InjectedFault
from batchdrop.local.claude_api.settings import Settings
from batchdrop.local.claude_api.state import EmulatorState, body_path
from tests.callers import WORKSPACE, signer
from tests.faults.scheduler import Scheduler
from tests.faults.storm import CREATE_IN_FLIGHT, Storm
from tests.faults.transport import BASE_URL, EmulatorTransport, body_of

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
USUAL_SECONDS = 0.5  # half a call of the API
OTHER_KEY = "sk-other"
OWN_HOST = httpx2.URL(BASE_URL).host
FOREIGN_IDS = ("row-{}", "20261122T120000-ffffffffff-00000-{:06d}", "{}")  # the second is another batchdrop's


class Claude:
    """The emulator, on the time of the run that `begin` named last; one serves all runs of a process."""

    def __init__(self) -> None:
        self._scheduler = Scheduler()
        clock = EmulatedClock(start=START.timestamp(), speed=1.0, wall=lambda: self._scheduler.now)
        self.state = EmulatorState(Settings(speed=1.0), clock=clock)
        self._transport = EmulatorTransport(create_app(self.state))
        self._line = StormyLine(self._transport)
        self.apis = [
            AnthropicBatchCreator(api_key=key, base_url=BASE_URL, transport=self._line) for key in ("sk-any", OTHER_KEY)
        ]
        self.api = self.apis[0]
        self.signer = signer()
        self.signed = AnthropicBatchCreator(signer=self.signer, base_url=BASE_URL, transport=self._line)
        self.strange_hosts: set[str] = set()  # that anything was sent to

    def begin(self, scheduler: Scheduler, storm: Storm, settings: dict[str, object]) -> None:
        """Be as at the start, on this run's time and in its weather."""
        self._scheduler = scheduler
        self._line.begin(storm, self)
        self.strange_hosts.clear()
        self.signer.offset = timedelta()
        self.state.reset()
        self.state.change(settings)

    def of_provider(self) -> AnthropicBatchCreator:
        """Return the adapter of the provider that the emulator is now."""
        return self.signed if self.is_aws else self.api

    @property
    def is_aws(self) -> bool:
        """Return whether the emulator is Claude Platform on AWS."""
        return self.state.settings.provider == "aws"

    def send(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request to the emulator, in no weather at all. Raises RemoteProtocolError."""
        return self._transport.handle_request(request)

    def lay_out(self, fault: dict[str, Any]) -> InjectedFault:
        """Lay out one of the emulator's faults."""
        return self.state.faults.inject(msgspec.convert(fault, InjectedFault))

    def create_foreign(self, requests: int, rng: random.Random) -> Batch:
        """Create a Message Batch as another client of the same workspace does."""
        pattern = rng.choice(FOREIGN_IDS)
        params = {"model": "claude-haiku-5-5", "max_tokens": 20, "messages": [{"role": "user", "content": "theirs"}]}
        body = {"requests": [{"custom_id": pattern.format(number), "params": params} for number in range(requests)]}
        folder = self.state.new_folder()
        body_path(folder).write_bytes(msgspec.json.encode(body))
        batch = self.state.accept(folder, index_body(body_path(folder), max_requests=requests), "2026-10-21")
        if self.is_aws:
            batch.workspace = WORKSPACE
        return batch


class StormyLine(httpx2.BaseTransport):
    """The line to the API: calls take time, are cut off by crashes, and may arrive when their sender is gone."""

    def __init__(self, inner: EmulatorTransport) -> None:
        self._inner = inner

    def begin(self, storm: Storm, claude: Claude) -> None:
        """Serve a run."""
        self._storm = storm
        self._claude = claude

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request. Raises what httpx2 raises, and Crash."""
        if request.url.host != OWN_HOST:
            self._claude.strange_hosts.add(request.url.host)
            message = "No address associated with hostname"
            raise httpx2.ConnectError(message, request=request)
        body = body_of(request)
        endpoint = _endpoint(request)
        in_flight = CREATE_IN_FLIGHT if endpoint == "create" else 0.0

        def effect() -> httpx2.Response:
            self._maybe_foreign(endpoint, body)
            response = self._inner.send(request, body)
            self._storm.log(f"{endpoint} {request.url.path.rpartition('/')[2]}: {response.status_code}")
            return response

        patience = request.extensions["timeout"]["read"]
        wait = self._storm.duration(endpoint, USUAL_SECONDS)
        if wait > patience:
            self._storm.takes(patience)
            self._storm.arrives_later(endpoint, effect, CREATE_IN_FLIGHT)
            message = "The read operation timed out"
            raise httpx2.ReadTimeout(message, request=request)
        self._storm.takes(wait)
        return self._storm.call(endpoint, effect, usual=USUAL_SECONDS, in_flight=in_flight)

    def _maybe_foreign(self, endpoint: str, body: bytes) -> None:
        if endpoint == "create" and self._storm.strikes(self._storm.rates.foreign, "foreign Message Batch"):
            count = len(msgspec.json.decode(body)["requests"])
            self._claude.create_foreign(count, self._storm.rng)


def _endpoint(request: httpx2.Request) -> str:
    path = request.url.path.removeprefix("/v1/messages/batches")
    match request.method, path:
        case "POST", "":
            return "create"
        case "GET", "":
            return "list"
        case "POST", _:
            assert path.endswith("/cancel")
            return "cancel"
    return "results" if re.search("/results$", path) else "retrieve"
