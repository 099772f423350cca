"""Jobs with packs, on the emulator."""

from __future__ import annotations

import csv
import io
import json
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
    blocks = [] if isinstance(content, str) else [block for block in content if block["text"].startswith("<row ")]
    return len(blocks) or 1


def answer_live(job: EmulatedJob, round_number: int) -> None:
    """Answer a round of packs as a worker of the live lane does."""
    for number, request in enumerate(sent(job, round_number)):
        rows = [{"row": one, "label": "good", "score": 1} for one in range(1, rows_of(request) + 1)]
        line = live_line(request["custom_id"], json.dumps({"rows": rows}))
        job.store.write(KEYS.live_flush(0, round_number, 0, "a", number), line)


def live_line(name: str, text: str) -> bytes:
    """Return a result line of the live lane."""
    usage = {"input_tokens": 1_000, "output_tokens": 200, "service_tier": "standard"}
    message = {
        "model": "claude-sonnet-5-5",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "usage": usage,
    }
    line = {"custom_id": name, "seconds": 1.0, "result": {"type": "succeeded", "message": message}}
    return json.dumps(line).encode() + b"\n"
