"""A job's progress, told to a terminal and to a pipe, from views made by hand."""

import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from batchdrop.cli.job.job_view import JobView, ShardView, Stage
from batchdrop.cli.job.picture import picture
from batchdrop.cli.job.progress import follow, follow_in_lines
from batchdrop.report.tally import Tally

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ESCAPE = "\x1b"
JOB_STAGES = [Stage.STARTING, Stage.SPLITTING, Stage.ANSWERING, Stage.CLOSING, Stage.SUCCEEDED, Stage.FAILED]


def _shards(*stages: Stage) -> list[ShardView]:
    tally = Tally(rows=1_000, answered=990, unusable=7, failed=2, rejected=1)
    return [
        ShardView(number, 1_000, 999, stage, f"msgbatch_{number}", tally if stage is Stage.COLLECTED else None)
        for number, stage in enumerate(stages)
    ]


VIEWS = [
    JobView("job-1", Stage.STARTING),
    JobView("job-1", Stage.STARTING),
    JobView("job-1", Stage.SPLITTING, _shards(Stage.WAITING), 1_000),
    JobView("job-1", Stage.ANSWERING, _shards(Stage.ANSWERING, Stage.WAITING), 2_000),
    JobView("job-1", Stage.ANSWERING, _shards(Stage.ANSWERING, Stage.WAITING), 2_000),
    JobView("job-1", Stage.CLOSING, _shards(Stage.COLLECTED, Stage.FAILED), 2_000),
    JobView("job-1", Stage.FAILED, _shards(Stage.COLLECTED, Stage.FAILED), 2_000, "SubmissionUncertain"),
]


def _looks(views: list[JobView]) -> Callable[[], JobView]:
    """A job that looks like each of the views in turn; asking for more is an error."""
    return iter(views).__next__


def _followed(views: list[JobView], *, terminal: bool) -> tuple[str, JobView]:
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=140, color_system="standard" if terminal else None)
    last = follow(_looks(views), console=console, pause=lambda _seconds: None)
    return written.getvalue(), last


def test_a_pipe_says_something_while_waiting() -> None:
    """After five minutes without a change: the age, the next poll, the cost so far, and how to cancel."""
    shards = _shards(Stage.ANSWERING, Stage.COLLECTED)
    shards[0].began_at = NOW
    views = [
        JobView("job-1", Stage.ANSWERING, shards, 2_000, began_at=NOW, at=NOW + timedelta(minutes=minutes))
        for minutes in (1, 3, 5, 6, 7, 10, 12)
    ]
    ended = JobView("job-1", Stage.SUCCEEDED, shards, 2_000, at=NOW + timedelta(minutes=13))
    lines = _followed([*views, ended], terminal=False)[0].splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("job-1  still answering; the oldest open shard was sent 6 min")
    assert "next poll within 22 s" in lines[1]
    assert lines[1].endswith("`batchdrop cancel job-1` stops it and keeps its answers")
    assert "12 min" in lines[2]


def test_pipe_gets_a_line_for_each_change() -> None:
    """No escape sequence, no line twice."""
    written, _ = _followed(VIEWS, terminal=False)
    assert ESCAPE not in written
    assert written.splitlines() == [
        "job-1  starting",
        "job-1  splitting  1,000 rows, shards: 1 waiting",
        "job-1  answering  2,000 rows, shards: 1 answering, 1 waiting",
        "job-1  closing  2,000 rows, shards: 1 collected, 1 failed",
        "job-1  failed  2,000 rows, shards: 1 collected, 1 failed",
    ]


def test_lines_are_never_broken() -> None:
    """A pipe has no width: a long line stays one line."""
    written = io.StringIO()
    view = JobView("job-with-a-long-id" * 8, Stage.SUCCEEDED, _shards(Stage.COLLECTED), 1_000)
    follow(lambda: view, console=Console(file=written, width=40), pause=lambda _seconds: None)
    assert len(written.getvalue().splitlines()) == 1


@pytest.mark.parametrize("terminal", [True, False])
def test_ends_with_the_job(terminal: bool) -> None:  # noqa: FBT001 - pytest's parameter
    """It looks until the job has ended, not once more, and returns that view."""
    _, last = _followed(VIEWS, terminal=terminal)
    assert last is VIEWS[-1]


def test_terminal_keeps_the_last_picture() -> None:
    """What stays on the screen says how the job and each of its shards ended."""
    written, _ = _followed(VIEWS, terminal=True)
    assert ESCAPE in written
    last = written.rpartition("job job-1")[2]
    for words in (
        "failed",
        "shard 0",
        "1,000 rows",
        "990 answered, 7 unusable, 2 failed, 1 rejected",
        "msgbatch_0",
        "shard 1",
    ):
        assert words in last


def test_terminal_shows_the_stages() -> None:
    """While a job runs, its stages stand in their order, before its shards."""
    console = Console(file=io.StringIO(), width=140, record=True)
    console.print(picture(VIEWS[3], width=140))
    shown = console.export_text()
    assert "job job-1 starting → splitting → answering → closing" in shown
    assert "0 of 2,000 rows" in shown
    assert re.search(r"shard 0 .*1,000 rows +answering +msgbatch_0 *\n +shard 1 .* waiting", shown)


def test_pauses_between_looks() -> None:
    """It waits between two looks, not after the last one."""
    pauses: list[float] = []
    follow(_looks(VIEWS), console=Console(file=io.StringIO()), pause=pauses.append)
    assert len(pauses) == len(VIEWS) - 1
    assert all(seconds > 0 for seconds in pauses)


@pytest.mark.parametrize("job", JOB_STAGES)
@pytest.mark.parametrize("shard", [Stage.WAITING, Stage.ANSWERING, Stage.COLLECTED, Stage.FAILED])
def test_every_stage_can_be_shown(job: Stage, shard: Stage) -> None:
    """No stage of a job with no stage of a shard breaks the picture."""
    console = Console(file=io.StringIO(), width=140, record=True)
    console.print(picture(JobView("job-1", job, _shards(shard), 1_000)))
    shown = console.export_text()
    assert job.value in shown
    assert ("990 answered" if shard is Stage.COLLECTED else shard.value) in shown


def test_programs_get_an_object_for_each_change() -> None:
    """One line each; the last one holds the end, open shards stand by themselves."""
    written: list[dict[str, Any]] = []
    last = follow_in_lines(_looks(VIEWS), written.append, pause=lambda _seconds: None)
    assert last is VIEWS[-1]
    assert [one["stage"] for one in written] == ["starting", "splitting", "answering", "closing", "failed"]
    assert written[2]["shards"] == {"answering": 1, "waiting": 1}
    assert [one["message_batch"] for one in written[2]["open_shards"]] == ["msgbatch_0"]
    assert (written[-1]["rows"], written[-1]["error"]) == (2_000, "SubmissionUncertain")
    assert json.loads(json.dumps(written, default=str))


def test_time_alone_is_not_a_change() -> None:
    """A rate that falls while nothing happens fills no log."""
    views = [JobView("job-1", Stage.ANSWERING, _shards(Stage.ANSWERING), 1_000, began_at=NOW) for _ in range(5)]
    for number, view in enumerate(views):
        view.at = NOW + timedelta(minutes=number)
    written, _ = _followed([*views, JobView("job-1", Stage.FAILED, _shards(Stage.FAILED), 1_000)], terminal=False)
    assert len(written.splitlines()) == 2
