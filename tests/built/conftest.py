"""The world of the built functions: moto's server, which other processes can reach, and the emulator."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from batchdrop.local.claude_api.testing import RunningEmulator, running_emulator
from tests.aws import REGION
from tests.functions.lambdas import Cloud, cloud, declared_variables, environment
from tools.invoke.artifacts import built
from tools.invoke.runtime import BuiltFunction, running

KEYS: dict[str, Any] = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
Run = Callable[..., BuiltFunction]


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    """An emulator whose clock moves only when told."""
    with running_emulator() as running:
        yield running


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """AWS as moto serves it; its URL."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def sky(aws: str, emulator: RunningEmulator) -> Cloud:
    """What the template creates."""

    def client(service: Any) -> Any:
        return boto3.client(service, region_name=REGION, endpoint_url=aws, **KEYS)

    tables = boto3.resource("dynamodb", region_name=REGION, endpoint_url=aws, **KEYS)
    client("sqs").create_queue(QueueName="live")
    return cloud(emulator, client, tables)


@pytest.fixture(scope="module")
def run(sky: Cloud, aws: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Start a built function; it stays warm until the module ends. `hangs`: AWS takes its calls, and never answers."""
    built()
    folder: Path = tmp_path_factory.mktemp("built")
    warm: dict[tuple[str, bool], BuiltFunction] = {}
    with ExitStack() as functions, socket.create_server(("127.0.0.1", 0)) as silent:
        silent_url = f"http://127.0.0.1:{silent.getsockname()[1]}"

        def started(function: str, *, hangs: bool = False) -> BuiltFunction:
            if (function, hangs) not in warm:
                declared = declared_variables(function)
                own = {name: value for name, value in environment(sky).items() if name in declared}
                credentials = {name.upper(): value for name, value in KEYS.items()}
                endpoint = {"AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": silent_url if hangs else aws}
                one = running(function, {**own, **credentials, **endpoint}, folder, timeout=2 if hangs else 900)
                warm[function, hangs] = functions.enter_context(one)
            return warm[function, hangs]

        yield started
