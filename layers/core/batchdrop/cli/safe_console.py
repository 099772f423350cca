"""Print data without letting it steer the terminal: a cell may hold escape sequences, or turn the text around."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_KEPT = "\t\n\r"
_CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]  # C0, delete and C1: 0x9b begins a sequence as ESC [ does
_TURNING = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]  # marks that change directions
_CLEAN = {code: "\ufffd" for code in _CONTROLS if chr(code) not in _KEPT} | dict.fromkeys(_TURNING)


def printable(text: str) -> str:
    """Return a text whose control characters are shown as U+FFFD, without marks that change its direction."""
    return text.translate(_CLEAN)


class SafeConsole(Console):
    """A console that prints every text as `printable`. Its own colours and cursor movements are as usual."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Return the segments of an object, cleaned."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)
