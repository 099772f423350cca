"""Show a job's progress: a live picture on a terminal, a line per change in a pipe, JSON lines for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta

from rich.console import Console
from rich.live import Live

from batchdrop.cli.job.figures import dollars, duration, rate
from batchdrop.cli.job.job_view import ENDED, SHARD_OPEN, JobView, ShardView, Stage
from batchdrop.cli.job.pace import Pace, job_pace, shard_pace
from batchdrop.cli.job.picture import picture
from batchdrop.job.polling import JITTER, POLL_FIRST_WAIT, POLL_LONGEST_WAIT, POLL_SHARE_OF_AGE

LOOK_SECONDS = 0.4
QUIET = timedelta(minutes=5)  # then a pipe gets a line, although nothing has changed
Look = Callable[[], JobView]
Pause = Callable[[float], None]


def follow(
    look: Look,
    *,
    console: Console,
    pause: Pause,
    seconds: float = LOOK_SECONDS,
    until: Collection[Stage] = ENDED,
) -> JobView:
    """Show a job until it ends, or reaches another stage of `until`; return its last view.

    `pause` waits `seconds` between two polls.
    """
    views = _views(look, pause, seconds, until)
    if not console.is_terminal:
        return _print_changes(views, console)
    view = JobView("")
    with Live(console=console, refresh_per_second=8, transient=True) as live:
        for view in views:
            live.update(picture(view, width=console.width, height=console.height))
    console.print(picture(view, width=console.width))
    return view


def follow_in_lines(
    look: Look, write: Callable[[dict[str, object]], None], *, pause: Pause, seconds: float = LOOK_SECONDS
) -> JobView:
    """Write a JSON object at each change until the job ends; the last one has its end. Return the last view."""
    view, last = JobView(""), ""
    for view in _views(look, pause, seconds):
        changed = _line(view, Pace(0, 0))
        if changed != last:
            write(as_object(view))
            last = changed
    return view


def as_object(view: JobView) -> dict[str, object]:
    """Return a view as JSON values; ended shards are only counted."""
    pace = job_pace(view)
    return {
        "job_id": view.job_id,
        "stage": view.stage.value,
        "rows": view.rows,
        "done": pace.done,
        "rows_per_second": pace.rate,
        "seconds_left": pace.seconds_left,
        "usd": pace.usd,
        "shards": dict(_counts(view)),
        "open_shards": [_shard_object(shard, view) for shard in view.shards if shard.stage is Stage.ANSWERING],
        "error": view.error,
    }


def _shard_object(shard: ShardView, view: JobView) -> dict[str, object]:
    pace = shard_pace(shard, view)
    return {
        "shard": shard.shard,
        "stage": shard.stage.value,
        "rows": shard.rows,
        "done": pace.done,
        "round": shard.rounds - 1,
        "message_batch": shard.batch_id,
        "rows_per_second": pace.rate,
        "seconds_left": pace.seconds_left,
    }


def _views(look: Look, pause: Pause, seconds: float, until: Collection[Stage] = ENDED) -> Iterator[JobView]:
    while True:
        view = look()
        yield view
        if view.stage in until:
            return
        pause(seconds)


def _print_changes(views: Iterator[JobView], console: Console) -> JobView:
    """Print a line for each change, and one every few minutes without a change, so that a log shows life."""
    view, last = JobView(""), ""
    said_at: datetime | None = None
    for view in views:
        changed = _line(view, Pace(0, 0))
        is_quiet = view.at is not None and said_at is not None and view.at - said_at >= QUIET
        if changed != last:
            console.print(_line(view, job_pace(view)), soft_wrap=True, highlight=False, markup=False)
        elif is_quiet:
            console.print(waiting_line(view), soft_wrap=True, highlight=False, markup=False)
        if changed != last or is_quiet or said_at is None:
            last, said_at = changed, view.at
    return view


def waiting_line(view: JobView) -> str:
    """Return what a job waits for: how long already, when it is looked at again, its cost so far, how to cancel."""
    pace, began = job_pace(view), [shard.began_at for shard in view.shards if shard.began_at and not shard.ended_at]
    words = [f"{view.job_id}  still {view.stage.value}"]
    if view.at is not None and began:
        age = (view.at - min(began)).total_seconds()
        words += [f"the oldest open shard was sent {duration(age)} ago", f"next poll within {duration(next_poll(age))}"]
    words += [f"about {duration(pace.seconds_left)} left"] if pace.seconds_left else []
    words += [f"{dollars(pace.usd)} so far"] if pace.usd else []
    return "; ".join([*words, f"`batchdrop cancel {view.job_id}` stops it and keeps its answers"])


def next_poll(age: float) -> float:
    """Return the longest wait until the next poll of a Message Batch of this age, in seconds."""
    wait = min(max(POLL_SHARE_OF_AGE * age, POLL_FIRST_WAIT), POLL_LONGEST_WAIT)
    return wait * (1 + JITTER)


def _counts(view: JobView) -> Counter[str]:
    return Counter(shard.stage.value for shard in view.shards)


def _line(view: JobView, pace: Pace) -> str:
    """Return a view in one line. Times and rates change all the time, so they come from `pace`."""
    if not view.shards:
        return f"{view.job_id}  {view.stage.value}"
    shards = ", ".join(f"{count:,} {stage}" for stage, count in _counts(view).items())
    done = sum(shard.done for shard in view.shards if shard.stage in SHARD_OPEN)
    words = [f"{view.job_id}  {view.stage.value}  {view.rows:,} rows, shards: {shards}"]
    words += [f"{done:,} requests done in open shards"] if done else []
    words += [f"{dollars(pace.usd)} so far"] if pace.usd else []
    words += [rate(pace.rate)] if pace.rate else []
    words += [f"about {duration(pace.seconds_left)} left"] if pace.seconds_left else []
    return "; ".join(words)
