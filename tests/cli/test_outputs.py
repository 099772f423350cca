"""A finished job's files: fetched, and shown so that the answers can be seen."""

import io
import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from rich.console import Console

from batchdrop.cli.bucket import JobBucket
from batchdrop.cli.run.fetching import fetch_files
from batchdrop.cli.run.outputs import ROWS_SHOWN, show_results
from batchdrop.cli.run.transfers import Transfer

SUMMARY: dict[str, Any] = {
    "tally": {"rows": 1_234, "answered": 1_228, "unusable": 2, "failed": 3, "rejected": 1},
    "tokens": [{"input": 1_000, "output": 10}, {"input": 500, "output": 5}],
    "lanes": [{"lane": "batch", "answers": 1_230, "usd": 0.001234}],
    "cost": {"usd": 0.001234, "prices_of": "2026-11-22"},
    "timings": {"total_seconds": 61.26},
    "shards": 2,
    "faults": [],
}


def _shown(folder: Path, *, width: int = 80, **changes: object) -> str:
    console = Console(file=io.StringIO(), width=width, record=True)
    show_results(folder, {**SUMMARY, **changes}, console)
    return console.export_text()


def _csv(folder: Path, rows: int) -> None:
    body = "".join(
        f'{row:03d},"a long text [bold]with brackets[/bold]\nand a newline",good,answered,\n' for row in range(rows)
    )
    (folder / "output.csv").write_text("id,text,answer,_status,_error\n" + body, encoding="utf-8")


def test_fetched_from_the_job_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file of the job, by its own name, and none of another job."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="bucket")
        for key in (
            "results/r/my file/job-1/output.csv",
            "results/r/my file/job-1/summary.json",
            "results/r/x/job-10/output.csv",
        ):
            s3.put_object(Bucket="bucket", Key=key, Body=key.encode())
        folder = tmp_path / "new" / "job-1"
        files = fetch_files(JobBucket(s3, "bucket"), s3, "bucket", "results/r/my file/job-1/", folder, Transfer())
    assert sorted(one.path.name for one in files) == ["output.csv", "summary.json"]
    assert (tmp_path / "new" / "job-1" / "output.csv").read_text() == "results/r/my file/job-1/output.csv"


def test_first_rows_are_shown(tmp_path: Path) -> None:
    """A few rows, one line each, markup in cells taken for text."""
    _csv(tmp_path, 100)
    shown = _shown(tmp_path, width=140)
    assert "a long text [bold]with brackets[/bold] and" in shown
    assert f"{ROWS_SHOWN - 1:03d}" in shown
    assert f"{ROWS_SHOWN:03d}" not in shown


def test_first_rows_are_shown_in_the_files_own_encoding(tmp_path: Path) -> None:
    """An output is as the input was: a German Excel's has semicolons, and no UTF-8."""
    rows = "".join(f"{row};Größe {row}, sehr schön für mich;gut;answered;\n" for row in range(20))
    (tmp_path / "output.csv").write_text("id;text;answer;_status;_error\n" + rows, encoding="cp1252")
    shown = _shown(tmp_path, width=140)
    assert "Größe 1, sehr schön für mich" in shown
    assert "1;Größe" not in shown


def test_answers_fit_on_a_small_terminal(tmp_path: Path) -> None:
    """On 80 columns, the long input cells are cut, not the answer and its status."""
    _csv(tmp_path, 2)
    header, first, *_ = _shown(tmp_path).splitlines()
    assert header.split() == ["id", "text", "answer", "_status", "_error"]
    assert first.split()[-2:] == ["good", "answered"]


def test_json_lines_are_shown(tmp_path: Path) -> None:
    """All fields of the first rows are columns, also one that only a later row has."""
    rows = [{"a": 1, "answer": "yes"}, {"a": 2, "b": [3], "answer": "no"}]
    (tmp_path / "output.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    header, first, second, *_ = _shown(tmp_path).splitlines()
    assert header.split() == ["a", "answer", "b"]
    assert (first.split(), second.split()) == (["1", "yes"], ["2", "no", "[3]"])


@pytest.mark.parametrize("body", ["", "id,text,answer,_status,_error\n"])
def test_output_without_rows(tmp_path: Path, body: str) -> None:
    """An empty output is not an error."""
    (tmp_path / "output.csv").write_text(body)
    assert "1,234 rows" in _shown(tmp_path)


def test_tally_cost_and_places(tmp_path: Path) -> None:
    """One line each, whole, also where a pipe is taken for a terminal of 80 columns."""
    _csv(tmp_path, 1)
    lines = _shown(tmp_path).splitlines()
    assert "1,234 rows = 1,228 answered + 2 unusable + 3 failed + 1 rejected" in lines
    assert any(line.startswith("1,500 tokens in, 15 out: $0.001234") and "61.3 s" in line for line in lines)
    assert f"output   {tmp_path / 'output.csv'}" in lines
    assert f"failed   {tmp_path / 'failed.jsonl'}" in lines
    assert f"summary  {tmp_path / 'summary.json'}" in lines


def test_faults_are_shown(tmp_path: Path) -> None:
    """The first three, with their shard, and markup in them taken for text."""
    faults = [{"type": "Lost", "message": f"[red]no {number}", "shard": number} for number in range(5)]
    shown = _shown(tmp_path, faults=[{"type": "Job", "message": "all of it", "shard": None}, *faults])
    assert "Job: all of it" in shown
    assert "shard 1: Lost: [red]no 1" in shown
    assert "no 2" not in shown


def test_notes_are_shown(tmp_path: Path) -> None:
    """The first three, as text."""
    shown = _shown(tmp_path, notes=[f"[red]note {number}" for number in range(5)])
    assert "note     [red]note 2" in shown
    assert "note 3" not in shown


def test_unknown_price(tmp_path: Path) -> None:
    """A model without a known price costs an unknown sum, not nothing."""
    assert "price unknown" in _shown(tmp_path, cost={"usd": None, "prices_of": "2026-11-22"})


def test_the_price_is_named_by_its_lane(tmp_path: Path) -> None:
    """The live lane costs twice as much, and a late job is answered by both."""
    assert "at the batch price of 2026-11-22" in _shown(tmp_path)
    both = [{"lane": "batch", "answers": 1, "usd": 1}, {"lane": "live", "answers": 1, "usd": 2}]
    assert "at the prices of the batch and live lane of 2026-11-22" in _shown(tmp_path, lanes=both)


ESTIMATE: dict[str, Any] = {
    "input_tokens": 1_400,
    "output_tokens": {"low": 1, "expected": 20, "high": 640},
    "usd": {"low": 0.0009, "expected": 0.0012, "high": 0.0031},
    "actual": {"input_tokens": 1_500, "output_tokens": 15, "usd": 0.001234},
    "ratio": 1.028,
}


def test_the_estimate_is_held_against_what_was_used(tmp_path: Path) -> None:
    """In one line; a summary of an earlier version has none."""
    assert (
        "estimated 1,400 tokens in, 20 out: $0.0012 ($0.00090 to $0.0031); "
        "actual 1,500 in, 15 out: $0.0012, 1.03 times the estimate"
    ) in _shown(tmp_path, estimate=ESTIMATE).splitlines()
    assert "estimated" not in _shown(tmp_path)


def test_an_estimate_without_a_price(tmp_path: Path) -> None:
    """Tokens are told all the same."""
    unknown = {**ESTIMATE, "usd": None, "ratio": None, "actual": {**ESTIMATE["actual"], "usd": None}}
    line = "estimated 1,400 tokens in, 20 out: dollars unknown; actual 1,500 in, 15 out: price unknown"
    assert line in _shown(tmp_path, estimate=unknown).splitlines()
