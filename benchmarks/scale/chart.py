"""Line charts as SVG: readable on light and dark backgrounds, and small in a diff."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 74, 170, 44, 52
COLOURS = ("#3b82f6", "#e0703c", "#2ba36f", "#a066d3")  # each at least 3 : 1 on white and on GitHub's dark
DASHES = ("", "7 3", "2 3", "9 3 2 3")  # distinguish lines without colour
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#57606a}"
    ".t{font-size:14px;font-weight:600}"
    ".g{stroke:#8b949e;stroke-opacity:.3}"
    "@media (prefers-color-scheme:dark){text{fill:#c9d1d9}}"
)


@dataclass(frozen=True)
class Line:
    """One line of a chart: its name, and its points (x, y), all above 0."""

    name: str
    points: Sequence[tuple[float, float]]


def chart(title: str, lines: Sequence[Line], *, x_name: str, y_name: str) -> str:
    """Return a chart with logarithmic axes."""
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    across = _Axis(xs, LEFT, WIDTH - RIGHT)
    up = _Axis(ys, HEIGHT - BOTTOM, TOP)
    told, middle = escape(title), (LEFT + WIDTH - RIGHT) // 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{told}">',
        f"<style>{STYLE}</style>",
        f'<text class="t" x="{LEFT}" y="22">{told}</text>',
        *_grid(across, up),
        f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x_name)}</text>',
        f'<text text-anchor="middle" transform="translate(16 {HEIGHT // 2}) rotate(-90)">{escape(y_name)}</text>',
    ]
    labels = _spread([up(line.points[-1][1]) for line in lines])
    for number, (line, label) in enumerate(zip(lines, labels, strict=True)):
        points = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in line.points)
        colour = COLOURS[number % len(COLOURS)]
        dash = f' stroke-dasharray="{DASHES[number % len(DASHES)]}"' if DASHES[number % len(DASHES)] else ""
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.2"{dash}/>')
        parts.append(
            f'<text x="{WIDTH - RIGHT + 8}" y="{label + 4:.1f}" style="fill:{colour}">{escape(line.name)}</text>'
        )
    return "\n".join([*parts, "</svg>\n"])


class _Axis:
    """A logarithmic axis from `start` to `end`, over whole decades."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.low, self.high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self._start + share * (self._end - self._start)

    @property
    def decades(self) -> range:
        """Return the exponents of its ticks."""
        return range(self.low, self.high + 1)


def _grid(across: _Axis, up: _Axis) -> list[str]:
    low, high = HEIGHT - BOTTOM, TOP
    parts = []
    for power in across.decades:
        x = across(10**power)
        parts.append(f'<line class="g" x1="{x:.1f}" y1="{low}" x2="{x:.1f}" y2="{high}"/>')
        parts.append(f'<text x="{x:.1f}" y="{low + 18}" text-anchor="middle">{_tick(power)}</text>')
    for power in up.decades:
        y = up(10**power)
        parts.append(f'<line class="g" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_tick(power)}</text>')
    return parts


def _tick(power: int) -> str:
    return f"{10**power:,}" if power >= 0 else f"{10.0**power:.{-power}f}"


def _spread(places: Sequence[float], gap: float = 15.0) -> list[float]:
    """Move overlapping labels apart, from the top down."""
    moved = dict.fromkeys(range(len(places)), 0.0)
    last = -math.inf
    for number in sorted(moved, key=lambda one: places[one]):
        last = moved[number] = max(places[number], last + gap)
    return [moved[number] for number in range(len(places))]
