"""1,000 rows through every format on the embedded stack: the same content comes back, in kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from batchdrop.local.stack import EmbeddedStack, StackOptions
from tests.end_to_end.bench import Bench, EndedJob
from tests.end_to_end.conftest import WAIT_SCALE
from tests.formats.tables import UPLOADS, Table, csv_file, plain, rows_of, table

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]  # sixteen jobs, one after the other

ROWS = rows_of(1_000)
RECIPE = """model: claude-haiku-5-5
max_tokens: 200
prompt: "{{ text }}"
answer:
  label: {enum: [good, bad]}
  score: number
  count: integer
  good: boolean
  tags: {list: string}
"""
OUTPUTS = ["tsv", "jsonl", "json", "parquet", "xlsx"]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, EndedJob]]:
    """One job an input format, and one an output format, by the key of the upload."""
    parameters = {"ShardRows": "500", "ShardConcurrency": "2", "SettleSeconds": "0.5", "LiveRows": "0"}
    options = StackOptions(wait_scale=WAIT_SCALE, log_dir=tmp_path_factory.mktemp("formats"), overrides=parameters)
    with EmbeddedStack(options) as stack:
        bench = Bench(stack)
        bench.recipe("kind", RECIPE)
        drops = {f"inbox/kind/{name}": make(ROWS) for name, make in UPLOADS.items()}
        for output in OUTPUTS:
            bench.recipe(f"to_{output}", f"{RECIPE}output: {{format: {output}}}\n")
            drops[f"inbox/to_{output}/f.csv"] = csv_file(ROWS)
        # One after the other: together they would only wait for each other's processes.
        yield {key: bench.run(key, body) for key, body in drops.items()}


def _output(job: EndedJob) -> tuple[str, Table]:
    [(name, body)] = [(name, body) for name, body in job.files.items() if name.startswith("output.")]
    return name, plain(table(name, body))


def _own(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in ("id", "text", "note")} for row in rows]


def test_every_input_comes_back_in_kind(jobs: dict[str, EndedJob]) -> None:
    """Same format and compression; the rows as they were, each with the answer that it has in every other format."""
    _, expected = _output(jobs["inbox/kind/f.jsonl"])
    assert _own(expected) == plain(ROWS)
    assert {row["_status"] for row in expected} == {"answered"}
    for name in UPLOADS:
        found, rows = _output(jobs[f"inbox/kind/{name}"])
        assert found == f"output.{name.partition('.')[2]}"
        assert rows == expected, name


def test_every_output_can_be_chosen(jobs: dict[str, EndedJob]) -> None:
    """A CSV file comes back as what the recipe says, with the same content."""
    _, expected = _output(jobs["inbox/kind/f.jsonl"])
    for output in OUTPUTS:
        found, rows = _output(jobs[f"inbox/to_{output}/f.csv"])
        assert (found, rows) == (f"output.{output}", expected)
