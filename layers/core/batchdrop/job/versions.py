"""The versions of a job: its first output is version 1, and each retry writes the next one."""

from __future__ import annotations

import re

_LATER = re.compile(r"(?P<first>.+)-v(?P<number>[1-9]\d*)")


def first_version(job_id: str) -> str:
    """Return the id of the job's first version, which is the id of the job."""
    later = _LATER.fullmatch(job_id)
    return later["first"] if later else job_id


def version_of(job_id: str) -> int:
    """Return which version of its job this is, from 1."""
    later = _LATER.fullmatch(job_id)
    return int(later["number"]) if later else 1


def with_version(job_id: str, number: int) -> str:
    """Return the id of this version of the same job."""
    first = first_version(job_id)
    return first if number == 1 else f"{first}-v{number}"
