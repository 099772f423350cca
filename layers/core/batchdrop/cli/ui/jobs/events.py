"""A running job's events: parts of its page, sent to the browser when they change (server-sent events)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from batchdrop.cli.job.job_view import ENDED, JobView

QUIET_SECONDS = 15.0  # then a comment is sent, so that a closed page is noticed

Look = Callable[[], Awaitable[JobView]]
Parts = Callable[[JobView], Awaitable[dict[str, str]]]


async def job_events(
    look: Look,
    parts: Parts,
    *,
    seconds: float,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[str]:
    """Yield an event for each part of a page that has changed, until the job ends; then the event `end`.

    `parts` are the texts of a view, by the event's name. `seconds` lie between two looks.
    """
    sent: dict[str, str] = {}
    quiet = 0.0
    while True:
        view = await look()
        changed = {name: text for name, text in (await parts(view)).items() if sent.get(name) != text}
        sent |= changed
        for name, text in changed.items():
            yield event(name, text)
        quiet = 0.0 if changed else quiet + seconds
        if quiet >= QUIET_SECONDS:
            quiet = 0.0
            yield ": still here\n\n"
        if view.stage in ENDED:
            yield event("end", view.stage.value)
            return
        await sleep(seconds)


def event(name: str, text: str) -> str:
    """Return one event. Each line of the text is a line of its data, so no text can begin another event."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return f"event: {name}\n" + "".join(f"data: {line}\n" for line in lines) + "\n"
