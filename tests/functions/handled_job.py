"""A job that the real handlers do step by step: its file, its recipe, and the steps so far."""

from __future__ import annotations

import json
from typing import Any

from batchdrop.job.upload import parse_inbox_key
from tests.functions.lambdas import STATE, UPLOAD, Functions

DAY = 86_400.0
JOB: str = UPLOAD["job_id"]
KEY: str = UPLOAD["key"]
PAGE = f"{parse_inbox_key(KEY).results_prefix(JOB)}status.html"
SECRET_PROMPT = "MARMALADE"
SECRET_CELL = "PORCUPINE"
RECIPE = (
    f"model: claude-haiku-5-5\nmax_tokens: 256\nsystem: {SECRET_PROMPT}\nprompt: '{SECRET_PROMPT} {{{{ review }}}}'\n"
)
FILE = f'id,review\n1,"{SECRET_CELL}, good\nand cheap"\n2,{SECRET_CELL} bad\n3\n4,日本 {SECRET_CELL}\n'.encode()


def dropped(functions: Functions, body: bytes = FILE, recipe: str = RECIPE) -> dict[str, Any]:
    """Put the recipe and the file; return the state machine's input."""
    functions.cloud.put("recipes/sentiment.yaml", recipe.encode())
    return {"upload": functions.cloud.put(KEY, body)}


def split(functions: Functions, recipe: str = RECIPE) -> dict[str, Any]:
    """Split the file."""
    task = dropped(functions, recipe=recipe)
    functions.invoke("split_upload", task)
    return task


def submitted(functions: Functions, shard: int = 0) -> dict[str, Any]:
    """Send a shard; return the state that the state machine goes on with."""
    items = json.loads(functions.cloud.get(f"jobs/{JOB}/shards.json"))
    return functions.invoke("submit_shard", {**STATE, **items[shard]})


def whole_job(functions: Functions) -> dict[str, Any]:
    """Run all steps as the state machine does; return the last answer."""
    task = split(functions)
    states = [submitted(functions, shard) for shard in range(2)]
    functions.cloud.emulator.advance(DAY)
    for state in states:
        ended = functions.invoke("poll_batch", state)
        assert ended["ended"]
        functions.invoke("collect_results", ended)
    return functions.invoke("close_job", task)


def places_of(functions: Functions) -> dict[str, Any]:
    """Return the processing queue's places."""
    item = functions.cloud.table.get_item(Key={"job": "processing_queue", "fact": "places"})["Item"]
    state: dict[str, Any] = json.loads(item["text"])
    return state
