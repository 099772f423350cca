"""The CPU that packs add to collecting: the filter that turns a pack's result line into lines of rows.

    python -m benchmarks.pack_filter [--quick] [--smoke]

A shard of 100,000 rows in packs of 20, with a label and a score each. CPU seconds of this process, the best of nine.
"""

from __future__ import annotations

import sys
import time

import msgspec

from batchdrop.answers import custom_id
from batchdrop.answers.columns import Column, NewColumns
from batchdrop.answers.fields import answer_schema
from batchdrop.answers.pack_lines import PackLines
from batchdrop.answers.pack_members import PackMembers
from batchdrop.answers.shape import AnswerShape
from benchmarks.findings import begin
from benchmarks.split import JOB

SIZE = 20
LINES = 20  # in a block, as the store yields them
MOST = 5.0  # microseconds a row
RUNS = 9  # of half a second: the best one had the machine to itself
OWN = custom_id.prefix(JOB, 0)
FIELDS = {"label": {"enum": ["positive", "negative"]}, "score": "number"}


def lines_of(rows: int) -> list[bytes]:
    """Return the result lines of a shard in packs."""
    objects = [{"row": number, "label": "positive", "score": 0.5} for number in range(1, SIZE + 1)]
    text = msgspec.json.encode({"rows": objects}).decode()
    usage = {
        "input_tokens": 2_400, "output_tokens": 260, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}, "service_tier": "batch",
    }  # fmt: skip
    message = {
        "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5",
        "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    result = {"type": "succeeded", "message": message}
    firsts = (custom_id.after(OWN, first) for first in range(0, rows, SIZE))
    return [msgspec.json.encode({"custom_id": name, "result": result}) for name in firsts]


def members_of(rows: int) -> PackMembers:
    """Return the packs: neighbours, which changes nothing here."""
    members = PackMembers(rows)
    for first in range(0, rows, SIZE):
        members.add([*range(first, first + SIZE)], [280] * SIZE)
    return members


def seconds(rows: int) -> float:
    """Return the CPU seconds that the filter takes for so many rows."""
    schema = answer_schema(FIELDS, name="recipes/r.yaml")
    shape = AnswerShape(NewColumns((Column("label"), Column("score", "number"))), schema=schema)
    lines, filtered = lines_of(rows), PackLines(members_of(rows), OWN, shape, shared=2_600)
    shape.takes_all(())  # the validator is made once for a job
    began, found = time.process_time(), 0
    for first in range(0, len(lines), LINES):
        found += filtered.expanded(lines[first : first + LINES]).count(b"\n")
    taken = time.process_time() - began
    if found != rows:
        raise RuntimeError(f"{found} lines of {rows} rows")
    return taken


def main() -> int:
    """Measure, and compare with the bar."""
    found = begin("pack_filter", "What packs add to collecting", runs=RUNS)
    rows = found.of_scale(full=100_000, quick=20_000, smoke=2_000)
    best = min(seconds(rows) for _ in range(RUNS))
    each = best / rows * 1e6
    found.line(f"{rows:,} rows in packs of {SIZE}", "the filter", {"cpu_s": round(best, 3), "us_a_row": round(each, 2)})
    found.bar("microseconds a row", each, MOST, is_most=True)
    return found.write()


if __name__ == "__main__":
    sys.exit(main())
