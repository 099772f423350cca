"""Jobs with packs, on the emulator."""

from __future__ import annotations

import csv
import io
from typing import Any

from tests.emulated_job import EmulatedJob
from tests.jobs import KEYS

RULE = "Read the whole review before you decide, and weigh each sentence of it. "
RECIPE = (
    "model: claude-sonnet-5-5\nlane: batch\nmax_tokens: 64\n"
    f"system: '{RULE * 40}'\nprompt: '{{{{ x }}}}'\n"
    "answer: {label: {enum: [good, bad]}, score: integer}\n"
)


def packed(size: object = 10, more: str = "") -> str:
    """Return a recipe with packs."""
    return f"{RECIPE}pack: {size}\n{more}"


def table(rows: int, **kinds: str) -> bytes:
    """Return a CSV file; `kinds` are words for the emulator, by row: `r7="[[pack_missing]]"`."""
    lines = ["x", *(f"row {number} is nice {kinds.get(f'r{number}', '')}" for number in range(rows))]
    return "".join(f"{line}\n" for line in lines).encode()


def output(job: EmulatedJob) -> list[dict[str, str]]:
    """Return the output's rows."""
    return list(csv.DictReader(io.StringIO(job.result("output.csv").decode())))


def answers(job: EmulatedJob) -> list[tuple[str, str, str]]:
    """Return each row's answer and status."""
    return [(row["label"], row["score"], row["_status"]) for row in output(job)]


def sent(job: EmulatedJob, round_number: int) -> list[dict[str, Any]]:
    """Return the requests of a round; none if there is no such round."""
    return job.requests(round_number=round_number) if job.store.exists(KEYS.requests(0, round_number)) else []


def rows_of(request: dict[str, Any]) -> int:
    """Return how many rows a request has."""
    content = request["params"]["messages"][-1]["content"]
    return 1 if isinstance(content, str) else len(content) - 1
