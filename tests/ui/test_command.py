"""`batchdrop ui` as users type it: where it listens, whom it lets in, and that it leaves nothing behind."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from psutil import CONN_LISTEN

from tests.cli.commands import BATCHDROP, Command, start
from tests.local.polling import eventually
from tests.project import ROOT

pytestmark = pytest.mark.stack
RECIPE = "model: claude-haiku-5-5\nmax_tokens: 64\nprompt: 'Classify: {{ review }}'\n"


def _address(command: Command) -> str:
    def told() -> str:
        assert command.process.poll() is None, command.output
        return next((line for line in command.output.splitlines() if line.startswith("{")), "")

    return str(json.loads(eventually(told, what="the address"))["url"])


def test_the_command_from_start_to_ctrl_c(tmp_path: Path) -> None:
    """It listens on 127.0.0.1 only; its own stack becomes ready behind the first page; Ctrl-C ends all of it."""
    folder = tmp_path / "ui"
    folder.mkdir()
    file = ROOT / "examples" / "reviews.csv"
    command = start([BATCHDROP, "ui", file, "--no-browser", "--json"], folder)
    try:
        entrance = _address(command)
        with httpx2.Client() as client:
            assert client.get(entrance.partition("/enter")[0]).status_code == 401
            assert client.get(entrance).status_code == 200
            client.headers["cookie"] = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
            about = entrance.partition("/enter")[0] + "/about"
            assert "reviews.csv" in client.get(about).text
            eventually(lambda: "the stack at http://127.0.0.1:" in client.get(about).text, what="the stack's start")
        listening = [one.laddr.ip for one in _connections(command) if one.status == CONN_LISTEN]
        assert set(listening) == {"127.0.0.1"}
        command.interrupt()
        assert command.ended() == 130
        command.nothing_is_left()
    finally:
        command.kill_all()


def test_ctrl_c_during_a_try(tmp_path: Path) -> None:
    """A service that never answers keeps nobody waiting: the command ends, and so does all that came of it."""
    folder = tmp_path / "ui"
    folder.mkdir()
    with socket.socket() as silent, ThreadPoolExecutor(1) as pool:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        service = f"http://127.0.0.1:{silent.getsockname()[1]}"
        file = ROOT / "examples" / "reviews.csv"
        command = start(
            [BATCHDROP, "ui", file, "--no-browser", "--json"],
            folder,
            ANTHROPIC_BASE_URL=service,
            ANTHROPIC_API_KEY="sk-test",
        )
        try:
            entrance = _address(command)
            address = entrance.partition("/enter")[0]
            with httpx2.Client(headers={"origin": address}) as client:
                client.get(entrance)
                client.headers["cookie"] = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
                form = {"recipe": RECIPE, "rows": "2"}
                pool.submit(client.post, f"{address}/try/run", data=form, timeout=120)
                silent.settimeout(60)
                connection, _ = silent.accept()  # the try has begun
                command.interrupt()
                assert command.ended(seconds=30) == 130
                connection.close()
            command.nothing_is_left()
        finally:
            command.kill_all()


def _connections(command: Command) -> list[Any]:
    return [one for process in command.processes() for one in process.net_connections("inet")]
