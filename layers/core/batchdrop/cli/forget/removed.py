"""What a `batchdrop forget` removed, or would remove."""

from __future__ import annotations

import msgspec


class Removed(msgspec.Struct, frozen=True, omit_defaults=True):
    """One place, and what goes there. `rows` counts rows that are emptied, or answers; `objects` counts whole files."""

    place: str
    what: str
    rows: int = 0
    objects: int = 0


class Forgetting(msgspec.Struct):
    """The report of a forget. `wanted` names what is forgotten, in words.

    `is_done` is False for a look without `--yes`, and while something is left. `left` says what to do about that.
    """

    wanted: str
    is_done: bool = False
    is_dry: bool = True
    removed: list[Removed] = []
    left: list[str] = []

    def add(self, place: str, what: str, *, rows: int = 0, objects: int = 0) -> None:
        """Add a place where something goes."""
        self.removed.append(Removed(place, what, rows, objects))


def report_lines(report: Forgetting) -> list[str]:
    """Return a report as lines of text."""
    lines = [f"{'this would be forgotten' if report.is_dry else 'forgotten'}: {report.wanted}"]
    width = max((len(one.place) for one in report.removed), default=0)
    lines += [f"  {one.place:<{width}}  {one.what}" for one in report.removed]
    if not report.removed:
        lines.append("  nothing of it was found")
    lines += [f"left: {one}" for one in report.left]
    if report.is_dry:
        lines.append("nothing was removed yet. Add --yes to remove it for good")
    elif report.left:
        lines.append("not complete yet. No answer of it is used from now on. See what is left, then run this again")
    else:
        lines.append("complete: all versions of it are deleted")
    return lines
