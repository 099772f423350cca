"""Print a row's story for people, with long texts cut."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from batchdrop.cli.check.shortened import shortened_values
from batchdrop.cli.job.row_story import Round, RowStory
from batchdrop.job.versions import first_version


def print_story(story: RowStory, console: Console) -> None:
    """Print a row's story. That of a row which was sent again says where its first requests are."""
    console.print(Text.assemble((f"row {story.row:,}", "bold"), f"  of job {story.job_id}, shard {story.shard}"))
    for name, cell in story.cells.items():
        console.print(Text.assemble((f"  {name}", "cyan"), f"  {_shown(cell)}"), soft_wrap=True)
    if story.same_as is not None:
        console.print(Text(f"has the same request as row {story.same_as:,}, and shares its answer"), soft_wrap=True)
    if story.is_sampled:
        console.print(Text("is in the sample, which was sent before the other rows"))
    for one in story.rounds:
        title = f"round {one.round + 1}{_why_escalated(one)}"
        if one.pack:
            rows = ", ".join(f"{number:,}" for number in one.pack)
            console.print(Text(f"{title}: shared a request with rows {rows}", style="bold"), soft_wrap=True)
        _print_json(console, f"{title}: request {one.custom_id}", one.request)
        _print_json(console, f"{title}: result", one.result)
    console.print(Text.assemble(("outcome  ", "bold"), _outcome_words(story)), soft_wrap=True)
    if story.job_id != (first := first_version(story.job_id)):
        console.print(
            Text(f"its first requests: batchdrop show {first} --row {story.row}", style="dim"), soft_wrap=True
        )


def _why_escalated(one: Round) -> str:
    """Return that another model answered, and why; empty if it was the recipe's own."""
    if one.escalated is None:
        return ""
    model = one.request.get("model") if isinstance(one.request, dict) else None
    return f", escalated to {model or 'the other model'} ({one.escalated})"


def _print_json(console: Console, title: str, value: Any) -> None:
    console.print(Text(title, style="bold"), soft_wrap=True)
    if value is None:
        console.print(Text("  (missing: not collected yet, or deleted)", style="dim"))
        return
    text = json.dumps(shortened_values(value), ensure_ascii=False, indent=2)
    console.print(Syntax(text, "json", background_color="default", word_wrap=True))


def _shown(cell: Any) -> str:
    text = shortened_values(cell)
    return text if isinstance(text, str) else json.dumps(text, ensure_ascii=False, default=str)


def _outcome_words(story: RowStory) -> str:
    if story.status is None:
        return "none yet" if story.rounds else "not sent yet"
    answer = "" if story.answer is None else f": {json.dumps(story.answer, ensure_ascii=False, default=str)}"
    return f"{story.status}{answer}" + (f" ({story.error})" if story.error else "")
