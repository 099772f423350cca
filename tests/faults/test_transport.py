"""The harness speaks to the emulator without a socket: what a client sees must be the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import msgspec
import pytest

from batchdrop.local.claude_api.app import create_app
from batchdrop.local.claude_api.faults import InjectedFault
from batchdrop.local.claude_api.settings import Settings
from batchdrop.local.claude_api.state import EmulatorState
from batchdrop.local.claude_api.testing import running_emulator
from tests.faults.transport import BASE_URL, EmulatorTransport

PATH = "/v1/messages/batches"
HEADERS = {"x-api-key": "any", "anthropic-version": "2026-10-21"}
PARAMS = {"model": "claude-haiku-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
BODY = msgspec.json.encode({"requests": [{"custom_id": f"r{number}", "params": PARAMS} for number in range(4)]})

FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "accept_then_drop", "endpoint": "batches.create"},
    {"kind": "drop_before_accept", "endpoint": "batches.create"},
    {"kind": "error_after_accept", "endpoint": "batches.create", "status": 529},
    {"kind": "rate_limited", "endpoint": "batches.create"},
    {"kind": "results_dropped", "endpoint": "batches.results"},
    {"kind": "results_short", "endpoint": "batches.results"},
)


def _seen(client: httpx2.Client, advance: Callable[[float], object]) -> list[str]:
    """Return what a client sees of a create, a retrieve and a download."""
    seen: list[str] = []
    batch = {"id": "none"}
    for method, end, body in (
        ("POST", "", BODY),
        ("POST", "", BODY),
        ("GET", "", b""),
        *(("GET", "/results", b""),) * 2,
    ):
        path = PATH if method == "POST" else f"{PATH}/{batch['id']}{end}"
        try:
            answer = client.request(method, path, content=body, headers={"content-type": "application/json"})
        except httpx2.HTTPError as error:
            # Over a socket, a connection that is dropped ends by a FIN or a RST, as it happens.
            dropped = isinstance(error, (httpx2.RemoteProtocolError, httpx2.ReadError))
            seen.append("dropped" if dropped else f"{type(error).__name__}: {error}")
            continue
        seen.append(f"{answer.status_code} {len(answer.content.splitlines())} {answer.headers['content-type']}")
        if method == "POST" and answer.status_code == 200:
            batch = answer.json()
            advance(3600.0)
    return seen


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["kind"])
def test_faults_look_the_same_with_and_without_a_socket(fault: dict[str, Any]) -> None:
    """Same statuses, same bodies, same errors of httpx2."""
    with running_emulator() as emulator, httpx2.Client(base_url=emulator.base_url, headers=HEADERS) as client:
        emulator.inject(**fault)
        over_socket = _seen(client, emulator.advance)
    state = EmulatorState(Settings(speed=0))
    try:
        transport = EmulatorTransport(create_app(state))
        with httpx2.Client(base_url=BASE_URL, headers=HEADERS, transport=transport) as client:
            state.faults.inject(msgspec.convert(fault, InjectedFault))
            without = _seen(client, state.clock.advance)
    finally:
        state.close()
    assert without == over_socket
