"""Run a built function in AWS's own runtime interface emulator, with its layers at /opt and its code read-only.

The emulator comes with the SAM CLI. If the machine allows private mounts, /opt and the code are mounted read-only for
this process. Otherwise, the layers are on the path, and Python writes no bytecode.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tools.invoke.artifacts import BUILD, ROOT, layered, logical_id

START_SECONDS = 60.0
ANSWER_SECONDS = 120.0
RUNTIME = ("awslambdaric", "runtime_client*.so", "snapshot_restore_py.py", "simplejson")
MOUNT = (
    'mount --bind "$1" /opt && mount -o remount,ro,bind /opt && '
    'mount --bind "$2" "$2" && mount -o remount,ro,bind "$2" && shift 2 && exec "$@"'
)


class NotRunningError(Exception):
    """The runtime interface did not start; the message is its output."""


@cache
def own_mounts() -> list[str] | None:
    """Return the command that gives a process its own mounts; None if the machine forbids it."""
    for command in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        if shutil.which(command[0]) and not _python().startswith("/opt/"):
            done = subprocess.run([*command, "mount", "--bind", "/var", "/opt"], capture_output=True, check=False)
            if done.returncode == 0:
                return command
    return None


@cache
def _python() -> str:
    """Return the Python for the functions: this one, without its packages."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


@cache
def _interface() -> str:
    """Return AWS's runtime interface emulator from the SAM CLI's package."""
    machine = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine()]
    [found] = (ROOT / ".tools/sam").glob(f"lib/python3.*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}")
    return str(found)


@dataclass
class BuiltFunction:
    """One running function. `log` has its log lines; it takes one invocation at a time."""

    url: str
    log_file: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    def invoke(self, event: dict[str, Any]) -> Any:
        """Return the function's answer; an error is Lambda's JSON error, a timeout its text."""
        request = urllib.request.Request(self.url, json.dumps(event).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:
            body = response.read().decode()
        try:
            return json.loads(body)
        except ValueError:
            return body

    @property
    def log(self) -> str:
        """Return the log of the function and its runtime so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")


@contextmanager
def running(function: str, environment: dict[str, str], folder: Path, *, timeout: int = 60) -> Iterator[BuiltFunction]:
    """Run a function of `.aws-sam/build` with this environment and AWS's time limit, while the context lasts."""
    port, inner = _free_port(), _free_port()
    code, opt = BUILD / logical_id(function), layered(function, folder)
    log_file = folder / f"{function}-{port}.log"
    outer = ["--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    command = [_interface(), *outer, "--runtime-api-address", f"127.0.0.1:{inner}"]
    command += [_python(), "-m", "awslambdaric", "app.handler"]
    mounts = own_mounts()
    at = "/opt" if mounts else str(opt)
    if mounts:
        command = [*mounts, "sh", "-c", MOUNT, "sh", str(opt), str(code), *command]
    variables = {
        **environment,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{_runtime(folder)}:{at}/python",
        "LAMBDA_TASK_ROOT": str(code),
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
        **({} if mounts else {"PYTHONDONTWRITEBYTECODE": "1"}),
    }
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=code, env=variables, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _await(port, process, log_file)
        yield BuiltFunction(f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations", log_file, process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _runtime(folder: Path) -> Path:
    """Return the content of Lambda's /var/runtime: AWS's runtime client, and no other package."""
    runtime = folder / "runtime"
    if not runtime.exists():
        runtime.mkdir()
        [packages] = (Path(sys.prefix) / "lib").glob("python3.*/site-packages")
        for pattern in RUNTIME:
            for path in packages.glob(pattern):
                (runtime / path.name).symlink_to(path)
    return runtime


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _await(port: int, process: subprocess.Popen[bytes], log_file: Path) -> None:
    """Wait until the port is open. Raises NotRunningError if the process ends first, or after a timeout."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NotRunningError(log_file.read_text(encoding="utf-8", errors="replace"))
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise NotRunningError(f"the runtime interface did not open its port within {START_SECONDS:g} s")
