"""Check that this machine can run the embedded stack."""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from batchdrop.cli.doctor.findings import Finding, ok, problem, warning
from batchdrop.cli.job.figures import size
from batchdrop.cli.run.running_stacks import running_stacks

OLDEST_PYTHON = (3, 11)
LITTLE_DISK = 2_000_000_000  # bytes: an embedded stack unpacks 250 MB of layers; its bucket is in memory
TOO_LITTLE_DISK = 500_000_000


def machine_checks(project: Path) -> Iterator[Finding]:
    """Check this machine. `project` is the checkout."""
    yield _python()
    yield _uv(project)
    yield _disk()
    yield _port()
    yield from _stacks()


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        return problem("python", f"{version} is too old", "install Python 3.13, then `make clean setup`")
    if sys.version_info[:2] < (3, 13):
        return warning(
            "python", f"{version} works, but Lambda runs 3.13", "install Python 3.13, then `make clean setup`"
        )
    return ok("python", f"{version}, as in Lambda" if sys.version_info[:2] == (3, 13) else version)


def _uv(project: Path) -> Finding:
    own = project / ".tools" / "uv" / "bin" / "uv"
    found = own if own.is_file() else shutil.which("uv")
    if found:
        return ok("uv", "there")
    return warning("uv", "missing; `make build` and `make lock` need it", "`make setup` installs it")


def _disk() -> Finding:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < TOO_LITTLE_DISK:
        return problem("disk", f"{size(free)} free in {folder}", "free some space, or set TMPDIR to a larger disk")
    if free < LITTLE_DISK:
        return warning("disk", f"{size(free)} free in {folder}", "free some space, or set TMPDIR to a larger disk")
    return ok("disk", f"{size(free)} free in {folder}")


def _port() -> Finding:
    try:
        with socket.create_server(("127.0.0.1", 0)):
            return ok("ports", "a server can listen on 127.0.0.1")
    except OSError as error:
        fix = "allow it in your firewall or sandbox; the embedded stack needs it"
        return problem("ports", f"nothing can listen on 127.0.0.1: {error}", fix)


def _stacks() -> Iterator[Finding]:
    for one in running_stacks():
        yield ok("up", f"`batchdrop up` runs at {one.endpoint_url} (process {one.pid})")
