"""The file that a schedule drops, its recipe, and the S3 event that tells of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from tests.faults.api import START
from tests.faults.pack_schedule import RULES as PACK_RULES
from tests.faults.schedule import BAD, OTHER_MODEL, ROOM_OF_WAVES, UNSURE_BELOW, Schedule
from tests.faults.store import etag_of

BUCKET = "bucket"
RECIPE_KEY = "recipes/judge.yaml"
RECIPE = """\
model: claude-haiku-5-5
max_tokens: %d
prompt: "Say something about {{ text }}"
max_rounds: %d
"""
TYPED = "answer: {answer: string}\n"
ESCALATED = (
    "answer: {answer: string, confidence: number}\n"
    f"escalate: {{to: {OTHER_MODEL}, when: [confidence < {UNSURE_BELOW}, invalid, refusal, max_tokens]}}\n"
)
HEADER = "id,text,note"
RULES = "Keep it short and kind. " * 160  # more than the 1,024 tokens that the prompt cache keeps
NOTES = ('"a, b"', '"two\nlines"', '"so ""quoted"""', "", "007", "naïve 中文 🙂")


def inbox_key(schedule: Schedule) -> str:
    """Return where the file is dropped."""
    return f"inbox/judge/{table_name(schedule)}.{schedule.format}"


def table_name(schedule: Schedule) -> str:
    """Return the file's name without its type."""
    return f"table-{schedule.seed}"


def files(schedule: Schedule) -> dict[str, bytes]:
    """Return the bucket's objects at the start."""
    typed = ESCALATED if schedule.escalates else TYPED if schedule.retries_invalid or schedule.pack else ""
    max_tokens = 64 if schedule.live is None else schedule.live.max_tokens
    max_tokens = ROOM_OF_WAVES if schedule.goes_in_waves else max_tokens
    recipe = RECIPE % (max_tokens, schedule.max_rounds) + typed + _retry(schedule) + _lane(schedule)
    is_random = ", random: true" if schedule.drawn else ""
    recipe += f"sample: {{rows: {schedule.sample}, lane: batch{is_random}}}\n" if schedule.sample else ""
    if schedule.max_cost_usd is not None:
        recipe += f"max_cost_usd: {schedule.max_cost_usd:.8f}\n"
    recipe += "dedupe: true\n" if schedule.repeats else ""
    recipe += "remember: 90d\nsubject: text\n" if schedule.remembered else ""
    recipe += "pilot: true\n" if schedule.pilot else ""
    recipe += f"system: {{text: '{RULES}', cache: {'true' if schedule.primed else 'false'}}}\n" * schedule.pilot
    grouped = f"{{rows: {schedule.pack}, by: note, shared: 'All about {{{{ note }}}}'}}"
    pack = grouped if schedule.is_grouped else schedule.pack
    recipe += f"system: '{PACK_RULES}'\npack: {pack}\n" if schedule.pack else ""
    lines = row_texts(schedule)
    if schedule.format == "csv":
        lines = [HEADER, *lines]
    return {RECIPE_KEY: recipe.encode(), inbox_key(schedule): "".join(f"{line}\n" for line in lines).encode()}


def _retry(schedule: Schedule) -> str:
    keys = ["max_tokens: x2"] * schedule.raises_max_tokens + ["invalid: 1"] * schedule.retries_invalid
    return f"retry: {{{', '.join(keys)}}}\n" if keys else ""


def _lane(schedule: Schedule) -> str:
    if schedule.live is None:
        return ""
    keys = [f"lane: {schedule.live.lane}"]
    keys += [f"finish_within: {schedule.live.finish_within}s"] * bool(schedule.live.finish_within)
    keys += ["on_leftovers: live"] * schedule.live.leftovers_live
    return "".join(f"{key}\n" for key in keys)


def row_texts(schedule: Schedule) -> list[str]:
    """Return the text of each row as it stands in the file."""
    return [_row(schedule.format, number, kind, schedule.origin(number)) for number, kind in enumerate(schedule.rows)]


def _row(kind_of_file: str, number: int, kind: str, origin: int) -> str:
    if kind == BAD:
        return f"{number},too,many,cells" if kind_of_file == "csv" else f"row {number} is no JSON"
    text = f"thing number {origin} {kind}".strip()
    if kind_of_file == "csv":
        return f"{number},{text},{NOTES[number % len(NOTES)]}"
    return json.dumps({"id": number, "text": text, "note": NOTES[number % len(NOTES)]}, ensure_ascii=False)


def event(schedule: Schedule, *, at: float = -1) -> dict[str, Any]:
    """Return S3's event of an upload `at` seconds after the start; each delivery brings the same one."""
    body = files(schedule)[inbox_key(schedule)]
    record = {
        "eventTime": (START + timedelta(seconds=at)).isoformat(),
        "s3": {
            "bucket": {"name": BUCKET},
            "object": {
                "key": inbox_key(schedule),
                "size": len(body),
                "eTag": etag_of(body),
                "sequencer": f"{schedule.seed:016X}",
            },
        },
    }
    return {"Records": [record]}
