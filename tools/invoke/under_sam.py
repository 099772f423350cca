"""`sam local invoke`: run a function in AWS's image, in Docker, with access to the stack on this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tools.invoke.artifacts import BUILD, ROOT, logical_id

SAM = ROOT / ".tools/sam/bin/sam"
# The stack listens only on 127.0.0.1. Containers of Docker Desktop reach it by this name; those of a Docker engine on
# Linux cannot.
HOST = "host.docker.internal"
REACHES_HOST = "Docker Desktop"


class SamError(Exception):
    """`sam local invoke` could not run the function; its output is above."""


def can_reach_stack(docker: str | None = None) -> bool:
    """Return whether a Docker engine runs here whose containers can reach this machine's 127.0.0.1."""
    docker = docker or shutil.which("docker")
    if docker is None:
        return False
    command = [docker, "info", "--format", "{{.OperatingSystem}}"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.returncode == 0 and found.stdout.strip() == REACHES_HOST


def invoke_under_sam(
    function: str, event: dict[str, Any], environment: dict[str, str], folder: Path, *, sam: Path = SAM
) -> Any:
    """Return the function's answer; an error is Lambda's JSON error. The log goes to stderr.

    The function sees only the variables of `environment` that the template declares. Raises SamError.
    """
    seen_from_inside = {name: value.replace("127.0.0.1", HOST) for name, value in environment.items()}
    event_file, environment_file = folder / "event.json", folder / "environment.json"
    event_file.write_text(json.dumps(event), encoding="utf-8")
    environment_file.write_text(json.dumps({"Parameters": seen_from_inside}), encoding="utf-8")
    command: list[str | Path] = [sam, "local", "invoke", logical_id(function)]
    command += ["--template", BUILD / "template.yaml", "--event", event_file, "--env-vars", environment_file]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=sys.stderr, text=True, check=False)
    last = done.stdout.strip().rpartition("\n")[2]
    if done.returncode or not last:
        raise SamError(f"sam local invoke ended with exit code {done.returncode}, without an answer of the function")
    try:
        return json.loads(last)
    except ValueError:
        return last
