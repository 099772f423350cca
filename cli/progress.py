"""A job's progress on the terminal: a live table where there is one, a line for each change where there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from cli.job_view import ENDED, HELD, JobView, ShardView, Stage

SHARDS_SHOWN = 12  # more than these are told by their number only
LOOK_SECONDS = 0.4

_STYLES = {
    Stage.COLLECTED: "green",
    Stage.FAILED: "red",
    Stage.ASKING: "yellow",
    Stage.SUCCEEDED: "green",
    Stage.UNAPPROVED: "yellow",
}
_JOB_STAGES = (Stage.STARTING, Stage.SPLITTING, Stage.ASKING, Stage.CLOSING)


def follow(
    look: Callable[[], JobView],
    *,
    console: Console,
    pause: Callable[[float], None],
    until: Collection[Stage] = ENDED,
) -> JobView:
    """Show a job until it ends, or is at another stage of `until`; return its last view.

    `pause` waits between two looks.
    """
    views = _views(look, pause, until)
    if not console.is_terminal:
        return _print_changes(views, console)
    view = JobView("")
    with Live(console=console, refresh_per_second=8, transient=True) as live:
        for view in views:
            live.update(_picture(view))
    console.print(_picture(view))
    return view


def _views(look: Callable[[], JobView], pause: Callable[[float], None], until: Collection[Stage]) -> Iterator[JobView]:
    while True:
        view = look()
        yield view
        if view.stage in until:
            return
        pause(LOOK_SECONDS)


def _print_changes(views: Iterator[JobView], console: Console) -> JobView:
    view, last = JobView(""), ""
    for view in views:
        line = _line(view)
        if line != last:
            console.print(line, soft_wrap=True, highlight=False, markup=False)
            last = line
    return view


def _line(view: JobView) -> str:
    counts = Counter(shard.stage for shard in view.shards)
    shards = ", ".join(f"{count} {stage.value}" for stage, count in counts.items())
    return f"{view.job_id}  {view.stage.value}" + (f"  {view.rows:,} rows, shards: {shards}" if shards else "")


def _picture(view: JobView) -> RenderableType:
    head = Table.grid(padding=(0, 1))
    mark = Text("●", style=_STYLES.get(view.stage, "white")) if view.stage in ENDED else Spinner("dots", style="cyan")
    head.add_row(mark, Text(f"job {view.job_id}", style="bold"), _stages(view.stage))
    return Group(head, _shards(view)) if view.shards else head


def _stages(stage: Stage) -> Text:
    if stage in HELD:
        return Text(stage.value, style=_STYLES.get(stage, "red"))
    now = _JOB_STAGES.index(stage)
    text = Text()
    for number, name in enumerate(_JOB_STAGES):
        style = "green" if number < now else "bold cyan" if number == now else "dim"
        text.append(name.value, style=style)
        text.append(" → " if number + 1 < len(_JOB_STAGES) else "", style="dim")
    return text


def _shards(view: JobView) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for shard in view.shards[:SHARDS_SHOWN]:
        table.add_row(
            f"  shard {shard.shard}",
            f"{shard.rows:,} rows",
            _bar(shard),
            _words(shard),
            Text(shard.batch_id, style="dim"),
        )
    rest = len(view.shards) - SHARDS_SHOWN
    if rest > 0:
        done = sum(shard.stage == Stage.COLLECTED for shard in view.shards)
        table.add_row(
            f"  and {rest:,} more", f"{view.rows:,} rows", "", f"{done:,} of {len(view.shards):,} shards collected", ""
        )
    return table


def _bar(shard: ShardView) -> ProgressBar:
    steps = {Stage.WAITING: 0, Stage.ASKING: 1, Stage.COLLECTED: 2, Stage.FAILED: 2}
    return ProgressBar(total=2, completed=steps[shard.stage], width=16)


def _words(shard: ShardView) -> Text:
    if shard.tally is None:
        return Text(shard.stage.value, style=_STYLES.get(shard.stage, "dim"))
    tally = shard.tally
    counts = [f"{tally.answered:,} answered"]
    counts += [f"{tally.failed:,} failed"] if tally.failed else []
    counts += [f"{tally.rejected:,} rejected"] if tally.rejected else []
    return Text(", ".join(counts), style="green")
