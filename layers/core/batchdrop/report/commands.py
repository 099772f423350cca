"""Write `batchdrop` commands that work where a job ran: on AWS, in a `batchdrop up`, or in a `batchdrop run`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

FAILED_FILE = "failed.jsonl"
JOB = "%job%"  # stands for the job's id; a shell needs no quotes around it


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands of one stack. `options` name it.

    `own` replaces commands by name, for a stack that has ended when they are read; an empty one is not shown.
    """

    options: tuple[str, ...] = ()
    own: Mapping[str, str] = field(default_factory=dict)

    @property
    def can_retry(self) -> bool:
        """Return whether some rows can be sent again; else `retry` runs the whole file again."""
        return self.own.get("retry", "batchdrop retry").startswith("batchdrop retry")

    def resume(self, job_id: str) -> str:
        """Return the command that goes on with a job; empty if there is none."""
        return self._written("resume", job_id)

    def retry(self, job_id: str) -> str:
        """Return the command that sends a job's rows without a usable answer again; empty if there is none."""
        return self._written("retry", job_id)

    def merge(self, job_id: str) -> str:
        """Return the command that sends fixed lines of a job's failed.jsonl; empty if there is none."""
        return self._written("merge", job_id, "drop", FAILED_FILE, "--into")

    def _written(self, name: str, job_id: str, *words: str) -> str:
        if name in self.own:
            return self.own[name].replace(JOB, job_id)
        return shlex.join(["batchdrop", *(words or [name]), job_id, *self.options])


def commands_of(own: str = "", *, endpoint_url: str = "", stack: str = "", region: str = "") -> Commands:
    """Return the commands for a stack. `own` is the JSON object that a `batchdrop run` sets; it replaces all else."""
    if own:
        return Commands(own=msgspec.json.decode(own, type=dict[str, str]))
    if endpoint_url:
        return Commands(("--endpoint-url", endpoint_url))
    named = ("--stack", stack) if stack else ()
    return Commands((*named, "--region", region) if region and stack else named)
