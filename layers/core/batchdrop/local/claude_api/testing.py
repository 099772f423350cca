"""Use the emulator in a test: start it on a free port, advance its clock, inject faults, read its bill."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from batchdrop.local.claude_api.app import create_app
from batchdrop.local.claude_api.clock import EmulatedClock
from batchdrop.local.claude_api.server import EmulatorServer, listening_socket
from batchdrop.local.claude_api.settings import Settings
from batchdrop.local.claude_api.state import EmulatorState

_START_SECONDS = 10.0


class Emulator:
    """A running emulator, controlled through its control endpoints."""

    def __init__(self, base_url: str) -> None:
        """`base_url` is e.g. `http://127.0.0.1:8080`, without a slash at the end."""
        self.base_url = base_url

    def advance(self, seconds: float) -> float:
        """Advance the emulated clock; return its time, in seconds since the epoch."""
        return float(self._call("POST", "/_control/clock", {"advance_seconds": seconds})["epoch"])

    def now(self) -> float:
        """Return the emulated time, in seconds since the epoch."""
        return float(self._call("GET", "/_control/clock")["epoch"])

    def settings(self, **changes: object) -> dict[str, Any]:
        """Change settings by name (see `Settings`), and return them all."""
        return self._call("POST", "/_control/settings", changes)

    def inject(self, kind: str, endpoint: str = "", **fields: object) -> dict[str, Any]:
        """Inject a fault (see `faults.InjectedFault` for its fields); return it with its id."""
        fault = {"kind": kind, "endpoint": endpoint, **fields}
        laid: dict[str, Any] = self._call("POST", "/_control/faults", fault)["faults"][0]
        return laid

    def faults(self) -> list[dict[str, Any]]:
        """Return all faults, with how often each happened."""
        return list(self._call("GET", "/_control/faults")["faults"])

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._call("DELETE", "/_control/faults")

    def bill(self) -> list[dict[str, Any]]:
        """Return one entry for each request charged so far."""
        return list(self._call("GET", "/_bill")["entries"])

    def bill_summary(self) -> dict[str, Any]:
        """Return the bill's totals: requests, usd (a decimal string), by_batch, tokens, duplicate_custom_ids."""
        return self._call("GET", "/_bill?summary=1")

    def calls(self) -> list[dict[str, Any]]:
        """Return the last calls, oldest first."""
        return list(self._call("GET", "/_control/calls")["calls"])

    def call_summary(self) -> dict[str, Any]:
        """Return the calls' counts: total, by_endpoint, peak_per_minute, bodies."""
        return self._call("GET", "/_control/calls?summary=1")

    def reset(self) -> None:
        """Reset everything except the clock: batches, bill, calls, faults, caches, settings."""
        self._call("POST", "/_control/reset", {})

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Call a control endpoint; raises urllib.error.HTTPError if the emulator refuses the call."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base_url + path, content, method=method)  # noqa: S310 - our own http URL
        with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310 - our own http URL
            answer: dict[str, Any] = json.load(response)
        return answer


class RunningEmulator(Emulator):
    """An emulator in this process, with direct access to its state and clock."""

    def __init__(self, base_url: str, state: EmulatorState) -> None:
        """Combine the address and the state."""
        super().__init__(base_url)
        self.state = state


@contextmanager
def running_emulator(
    *,
    clock: EmulatedClock | None = None,
    folder: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    **settings: object,
) -> Iterator[RunningEmulator]:
    """Run an emulator in a thread; `settings` are named as in `Settings`.

    `speed` is 0 unless given, so that only `advance` moves the clock. Raises msgspec.ValidationError for unknown
    settings and TimeoutError if the server does not start.
    """
    held = msgspec.convert({"speed": 0.0, **settings}, Settings)
    state = EmulatorState(held, clock=clock, folder=folder)
    listener = listening_socket(host, port)
    started = threading.Event()
    server = EmulatorServer(create_app(state), on_start=started.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True, name="claude_api")
    thread.start()
    try:
        if not started.wait(_START_SECONDS):
            msg = "the emulator did not start"
            raise TimeoutError(msg)
        yield RunningEmulator(f"http://{host}:{listener.getsockname()[1]}", state)
    finally:
        server.stop()
        thread.join(_START_SECONDS)
        listener.close()
        state.close()
