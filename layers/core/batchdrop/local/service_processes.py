"""Start ministack and the emulator, and wait until they answer."""

import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from batchdrop.local.child_environment import ministack_environment
from batchdrop.local.parent_watchdog import REMOVES_ENV
from batchdrop.local.stack_spec import StackSpec

_WATCHDOG_FILE = Path(__file__).with_name("parent_watchdog.py")
_PACKAGE_ROOT = Path(__file__).parents[2]
_LISTENING = re.compile(r"listening on (http://\S+)")
_LOG_TAIL_BYTES = 2000
# Loopback only, never through a user's proxy.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Service:
    """A started process and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def has_ended(self) -> bool:
        """Return whether the process has ended."""
        return self.process.poll() is not None

    def last_output(self) -> str:
        """Return the name, the exit code and the end of the log."""
        tail = self.log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()
        return f"{self.name} ended with exit code {self.process.returncode}: {tail or 'it wrote nothing'}"


@dataclass
class Ministack:
    """A started ministack."""

    service: Service
    url: str
    identity: str

    @classmethod
    def start(cls, environment: Mapping[str, str], spec: StackSpec, *, log: Path) -> "Ministack":
        """Start ministack on the spec's port, or on a free one."""
        port, identity = spec.ministack_port or free_port(), f"batchdrop-{uuid.uuid4().hex}"
        own = ministack_environment(
            environment,
            port=port,
            wait_scale=spec.wait_scale,
            identity=identity,
            temp_dir=spec.temp_dir,
            bucket_data=spec.bucket_data,
            aws_calls=spec.aws_calls,
            commands=spec.commands,
        )
        service = _spawn("ministack", ["ministack"], own, log, keeps=spec.keeps_open)
        return cls(service, f"http://127.0.0.1:{port}", identity)

    def answers(self) -> bool:
        """Return whether this ministack, and no other, answers on its port."""
        try:
            with _OPENER.open(f"{self.url}/_ministack/health", timeout=2) as response:
                return bool(json.load(response).get("edition") == self.identity)
        except (OSError, ValueError):
            return False


@dataclass
class Claude:
    """A started emulator of the Claude API."""

    service: Service

    @classmethod
    def start(cls, environment: Mapping[str, str], arguments: Sequence[str], *, log: Path) -> "Claude":
        """Start the emulator on a free port."""
        own = dict(environment) | {"PYTHONPATH": str(_PACKAGE_ROOT), REMOVES_ENV: environment["TMPDIR"]}
        return cls(_spawn("claude_api", ["batchdrop.local.claude_api", "--port", "0", *arguments], own, log))

    def url(self) -> str | None:
        """Return its base URL; None until it listens."""
        found = _LISTENING.search(self.service.log.read_text(errors="replace"))
        return found.group(1) if found else None


def free_port() -> int:
    """Return a free loopback port. Another process may take it first, so check who answers there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _spawn(
    name: str,
    module_and_arguments: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    keeps: Sequence[int] = (),
) -> Service:
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", os.fspath(_WATCHDOG_FILE), *module_and_arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=environment["TMPDIR"],
            pass_fds=keeps,
        )
    return Service(name, process, log)
