"""The picture of a job: at any width, with any number of shards."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from batchdrop.cli.job.job_view import JobView, ShardView, Stage
from batchdrop.cli.job.picture import SHARDS_SHOWN, picture
from batchdrop.report.tally import Tally

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
JOB = "20261122T120000-0123456789"


def shard(number: int, stage: Stage) -> ShardView:
    """A large shard."""
    tally = Tally(rows=100_000, answered=99_990, failed=9, rejected=1) if stage is Stage.COLLECTED else None
    began = None if stage is Stage.WAITING else NOW - timedelta(minutes=90)
    ended = NOW if stage is Stage.COLLECTED else None
    batch = "" if stage is Stage.WAITING else "msgbatch_01rhJ85npLXtp6kuEJ6AVUPf"
    return ShardView(number, 100_000, 100_000, stage, batch, tally, 1, 0, began, ended)


def job(*stages: Stage) -> JobView:
    """A job of such shards."""
    shards = [shard(number, stage) for number, stage in enumerate(stages)]
    began = NOW - timedelta(minutes=90)
    return JobView(JOB, Stage.ANSWERING, shards, 100_000 * len(shards), began_at=began, at=NOW)


def shown(view: JobView, *, width: int, height: int | None = None) -> list[str]:
    """The picture's lines, as a terminal of that size shows them."""
    console = Console(file=io.StringIO(), width=width, record=True)
    console.print(picture(view, width=width, height=height))
    return [line.rstrip() for line in console.export_text().splitlines()]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_one_line_a_shard_at_any_width(width: int) -> None:
    """Nothing wraps but the head, which may take a second line."""
    lines = shown(job(Stage.COLLECTED, Stage.ANSWERING, Stage.WAITING, Stage.FAILED), width=width)
    assert [line.split()[1] for line in lines if line.startswith("  shard")] == ["0", "1", "2", "3"]
    assert all(len(line) <= width for line in lines)
    assert len(lines) <= 8
    assert any("99,990 answered, 9 failed, 1 rejected" in line for line in lines)
    assert any("answering, 1 h 30 min" in line for line in lines)


def test_what_fits_is_shown() -> None:
    """Rows, rate and money from 90 columns on, the Message Batch from 140."""
    collected = {width: shown(job(Stage.COLLECTED), width=width)[-1] for width in (60, 100, 200)}
    assert "100,000 rows" not in collected[60]
    assert "100,000 rows" in collected[100]
    assert "19 rows/s" in collected[100]
    assert "msgbatch" not in collected[100]
    assert "msgbatch_01rhJ85npLXtp6kuEJ6AVUPf" in collected[200]


def test_of_a_thousand_shards_the_open_ones() -> None:
    """Those that are asked, or have failed, have a line; the others are counted."""
    stages = [Stage.COLLECTED] * 900 + [Stage.ANSWERING] * 5 + [Stage.FAILED] + [Stage.WAITING] * 94
    lines = shown(job(*stages), width=100)
    assert [line.split()[1] for line in lines if line.startswith("  shard")] == [
        "900",
        "901",
        "902",
        "903",
        "904",
        "905",
    ]
    assert lines[-1] == "  and 994 more shards: 900 collected, 94 waiting"
    assert "90,100,000 of 100,000,000 rows" in lines[1]


def test_many_open_shards_do_not_leave_the_screen() -> None:
    """As many as there is room for."""
    view = job(*[Stage.ANSWERING] * 40)
    assert len([line for line in shown(view, width=100) if line.startswith("  shard")]) == SHARDS_SHOWN
    few = shown(view, width=100, height=10)
    assert len(few) <= 10
    assert few[-1] == "  and 36 more shards: 36 answering"


def test_a_job_of_collected_shards_only() -> None:
    """One line for all of them."""
    assert shown(job(*[Stage.COLLECTED] * 300), width=100)[-1] == "  300 shards: 300 collected"
