"""A running job's events: what has changed, then the end; each look at a job serves all pages."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from batchdrop.cli.job.job_view import JobView, Stage
from batchdrop.cli.ui.jobs.events import event, job_events
from batchdrop.cli.ui.jobs.feed import SharedTexts, Texts
from tests.jobs import JOB


def _events(stages: list[Stage], waited: list[float]) -> list[str]:
    looks = iter(stages)

    async def look() -> JobView:
        return JobView(JOB, next(looks))

    async def parts(view: JobView) -> dict[str, str]:
        return {"live": view.stage.value, "below": "same"}

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def all_of_them() -> list[str]:
        return [one async for one in job_events(look, parts, seconds=5, sleep=sleep)]

    return asyncio.run(all_of_them())


def test_only_what_has_changed_is_sent() -> None:
    """A part once, until it changes; a sign of life in a quiet time; and the end."""
    waited: list[float] = []
    sent = _events([Stage.STARTING, *[Stage.ANSWERING] * 4, Stage.SUCCEEDED], waited)
    assert sent == [
        event("live", "starting"),
        event("below", "same"),
        event("live", "answering"),
        ": still here\n\n",
        event("live", "succeeded"),
        event("end", "succeeded"),
    ]
    assert timedelta(seconds=sum(waited)) == timedelta(seconds=25)


def test_texts_are_made_once_for_all_pages() -> None:
    """Fifty pages of a job cost as much as one. The view before is at hand for what has not changed."""
    texts, made = SharedTexts(), list[Texts | None]()

    def make(before: Texts | None) -> dict[str, str]:
        made.append(before)
        return {"live": str(len(made))}

    first, second = JobView(JOB, Stage.ANSWERING), JobView(JOB, Stage.ANSWERING)
    assert [texts.of(first, make) for _ in range(50)] == [{"live": "1"}] * 50
    assert texts.of(second, make) == {"live": "2"}
    assert made == [None, Texts(first, {"live": "1"})]


def test_no_text_begins_another_event() -> None:
    """A cell with line ends stays the data of its own event."""
    for text in ("a\n\nevent: end\ndata: x", "a\r\revent: end\r\r", "a\r\n\r\nevent: end"):
        lines: list[Any] = event("live", text).split("\n")
        assert lines[0] == "event: live"
        assert lines[-2:] == ["", ""]
        assert all(line.startswith("data: ") and "\r" not in line for line in lines[1:-2])
