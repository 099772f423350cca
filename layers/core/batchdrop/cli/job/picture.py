"""Draw a job on the terminal: its stages, a bar for the job, and a bar for each open shard."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from batchdrop.cli.job.figures import dollars, duration, rate
from batchdrop.cli.job.job_view import ENDED, HELD, JobView, ShardView, Stage
from batchdrop.cli.job.pace import Pace, job_pace, shard_pace

SHARDS_SHOWN = 12  # if there are more, only open and failed ones have a line
ROOM_AROUND = 6  # terminal lines that are not for shards
NARROW, WIDE = 90, 140  # terminal columns: fewest details below NARROW, all from WIDE on

_STYLES = {
    Stage.COLLECTED: "green",
    Stage.FAILED: "red",
    Stage.ANSWERING: "yellow",
    Stage.SUCCEEDED: "green",
    Stage.UNAPPROVED: "yellow",
}
_JOB_STAGES = (Stage.STARTING, Stage.SPLITTING, Stage.ANSWERING, Stage.CLOSING)
_SHOWN_FIRST = (Stage.ANSWERING, Stage.FAILED, Stage.WAITING, Stage.COLLECTED, Stage.NOTHING)


def picture(view: JobView, *, width: int = 120, height: int | None = None) -> RenderableType:
    """Return a job's picture for a terminal of that size; without `height`, for a page that scrolls."""
    lines: list[RenderableType] = [_head(view, width)]
    if view.shards:
        lines += [_whole(view, width), _shards(view, width, _room(height))]
    return Group(*lines)


def _room(height: int | None) -> int:
    return SHARDS_SHOWN if height is None else max(1, min(SHARDS_SHOWN, height - ROOM_AROUND))


def _head(view: JobView, width: int) -> RenderableType:
    head = Table.grid(padding=(0, 1))
    mark = Text("●", style=_STYLES.get(view.stage, "white")) if view.stage in ENDED else Spinner("dots", style="cyan")
    name, stages = Text(f"job {view.job_id}", style="bold"), _stages(view.stage)
    if name.cell_len + stages.cell_len + 4 <= width:
        head.add_row(mark, name, stages)
    else:
        head.add_row(mark, name)
        head.add_row("", stages)
    return head


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


def _whole(view: JobView, width: int) -> RenderableType:
    pace = job_pace(view)
    words = [f"{pace.done:,} of {pace.rows:,} rows"]
    words += [dollars(pace.usd)] if pace.usd is None or pace.usd else []
    words += [rate(pace.rate)] if pace.rate else []
    words += [f"about {duration(pace.seconds_left)} left"] if pace.seconds_left else []
    grid = Table.grid(padding=(0, 1))
    grid.add_row("", _bar(pace, 12 if width < NARROW else 30), Text(" · ".join(words), overflow="fold"))
    return grid


def _bar(pace: Pace, width: int, *, pulses: bool = False) -> ProgressBar:
    return ProgressBar(total=max(1, pace.rows), completed=pace.done, width=width, pulse=pulses)


def _shards(view: JobView, width: int, room: int) -> RenderableType:
    shown = _shown(view, room)
    grid = Table.grid(padding=(0, 2))
    for shard in shown:
        cells = _shard_line(shard, view, width).cells(width)
        while len(grid.columns) < len(cells):
            grid.add_column(no_wrap=True, overflow="ellipsis")
        grid.add_row(*cells)
    rest = Counter(shard.stage for shard in view.shards)
    rest.subtract(Counter(shard.stage for shard in shown))
    counts = ", ".join(f"{count:,} {stage.value}" for stage, count in rest.items() if count)
    if not counts:
        return grid
    others = f"  and {len(view.shards) - len(shown):,} more shards: " if shown else f"  {len(view.shards):,} shards: "
    return Group(grid, Text(others + counts, style="dim")) if shown else Text(others + counts, style="dim")


def _shown(view: JobView, room: int) -> list[ShardView]:
    """Return the shards that have a line: all if they are few, else open and failed ones."""
    if len(view.shards) <= room:
        return view.shards
    wanted = {Stage.ANSWERING, Stage.FAILED} if len(view.shards) > SHARDS_SHOWN else set(Stage)
    chosen = sorted(
        (shard for shard in view.shards if shard.stage in wanted), key=lambda shard: _SHOWN_FIRST.index(shard.stage)
    )
    return sorted(chosen[:room], key=lambda shard: shard.shard)


@dataclass(frozen=True, slots=True)
class _ShardLine:
    """The cells of one shard's line."""

    name: str
    bar: ProgressBar
    rows: str
    words: Text
    rate: str
    money: str
    batch_id: Text

    def cells(self, width: int) -> tuple[RenderableType, ...]:
        if width < NARROW:
            return (self.name, self.bar, self.words)
        most = (self.name, self.bar, self.rows, self.words, self.rate, self.money)
        return most if width < WIDE else (*most, self.batch_id)


def _shard_line(shard: ShardView, view: JobView, width: int) -> _ShardLine:
    pace = shard_pace(shard, view)
    return _ShardLine(
        name=f"  shard {shard.shard}",
        bar=_bar(
            pace,
            8 if width < NARROW else 10 if width < WIDE else 16,
            pulses=shard.stage is Stage.ANSWERING and not pace.done,
        ),
        rows=f"{shard.rows:,} rows",
        words=_words(shard, view, pace),
        rate=rate(pace.rate) if pace.rate else "",
        money=dollars(pace.usd) if shard.tally else "",
        batch_id=Text(shard.batch_id, style="dim", no_wrap=True),
    )


def _words(shard: ShardView, view: JobView, pace: Pace) -> Text:
    if shard.tally is None:
        return Text(shard.stage.value + _how_long(shard, view, pace), style=_STYLES.get(shard.stage, "dim"))
    tally = shard.tally
    counts = [f"{tally.answered:,} answered"]
    counts += [f"{tally.unusable:,} unusable"] if tally.unusable else []
    counts += [f"{tally.failed:,} failed"] if tally.failed else []
    counts += [f"{tally.rejected:,} rejected"] if tally.rejected else []
    return Text(", ".join(counts), style="green")


def _how_long(shard: ShardView, view: JobView, pace: Pace) -> str:
    """Return how long an open shard has been open. Its Message Batch tells nothing else until it ends."""
    if shard.stage is not Stage.ANSWERING:
        return ""
    again = f", round {shard.rounds}" if shard.rounds > 1 else ""
    since = (view.at - shard.began_at).total_seconds() if view.at and shard.began_at else 0.0
    left = f", about {duration(pace.seconds_left)} left" if pace.seconds_left else ""
    return again + (f", {duration(since)}" if since >= 1 else "") + left
