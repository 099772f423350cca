"""Rows whose columns in the prompt are all empty are sent, skipped or rejected, as the recipe says."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from batchdrop.errors import UploadRejected
from tests.jobs import World, dropped

RECIPE = "model: claude-haiku-5-5\nprompt: 'ask {{ a }} and {{ row[\"b c\"] }}'\n"
TABLE = b'a,b c,d\nx,y,1\n,,2\n" ",\t,3\n,y,4\n'


def _rows(world: World) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(world.result("output.csv").decode(), newline="")))


@pytest.mark.parametrize(
    ("on_empty", "statuses", "requests"),
    [
        ("", ["answered"] * 4, 4),
        ("on_empty: send\n", ["answered"] * 4, 4),
        ("on_empty: skip\n", ["answered", "skipped", "skipped", "answered"], 2),
        ("on_empty: reject\n", ["answered", "rejected", "rejected", "answered"], 2),
        ("on_empty: skip\non_bad_row: stop\n", ["answered", "skipped", "skipped", "answered"], 2),
    ],
)
def test_each_row_has_its_status(on_empty: str, statuses: list[str], requests: int) -> None:
    """One full column is enough to be sent; the reason names the columns; both fates are rejected."""
    world = dropped(TABLE, recipe=RECIPE + on_empty)
    summary = world.run()
    rows = _rows(world)
    assert [row["_status"] for row in rows] == statuses
    assert len(world.requests(0)) == requests
    unsent = [row for row in rows if row["_status"] != "answered"]
    assert all("all columns of the prompt are empty in this row (a, b c)" in row["_error"] for row in unsent)
    assert summary.tally.rejected == len(unsent)
    assert len(world.result("failed.jsonl").splitlines()) == len(unsent)


def test_a_rejected_row_stops_a_strict_job() -> None:
    """`on_bad_row: stop`."""
    with pytest.raises(UploadRejected, match=r"row 2 .*all columns of the prompt are empty"):
        dropped(TABLE, recipe=f"{RECIPE}on_empty: reject\non_bad_row: stop\n").split()


@pytest.mark.parametrize("cell", [None, "", "  ", [], {}])
def test_values_of_json_can_be_empty(cell: Any) -> None:
    """A missing field is another fault: the row does not fit the prompt."""
    lines = [{"x": cell}, {"y": 1}, {"x": 0}, {"x": False}]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    world = dropped(body, key="inbox/r/f.jsonl", recipe="model: m\nprompt: 'ask {{ x }}'\non_empty: skip\n")
    world.run()
    found = [json.loads(line)["_status"] for line in world.result("output.jsonl").splitlines()]
    assert found == ["skipped", "rejected", "answered", "answered"]


def test_a_prompt_of_the_whole_row_is_never_empty() -> None:
    """Nobody knows which columns it reads."""
    recipe = "model: m\nprompt: '{% for cell in row.values() %}{{ cell }},{% endfor %}'\non_empty: skip\n"
    world = dropped(b'{"a":"","b":null}\n', key="inbox/r/f.jsonl", recipe=recipe)
    world.run()
    assert json.loads(world.result("output.jsonl"))["_status"] == "answered"
