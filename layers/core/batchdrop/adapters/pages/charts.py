"""Draw charts as inline SVG with pygal. The page's style sheet sets their size and colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from markupsafe import Markup

from batchdrop.adapters.pages.plain_text import shown
from batchdrop.adapters.pages.ticks import Tick
from batchdrop.report.label_examples import Examples

WIDTH, HEIGHT = 440, 240  # CSS pixels: fits a phone unscaled
BAR_HEIGHT = 26
LONGEST_LABEL = 22
SMALL_SCALE = 6
_UNWANTED = {"script", "style"}


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with its title, a sentence about it, its numbers for a table, and example rows of its labels."""

    title: str
    says: str
    heads: tuple[str, str]
    rows: list[tuple[str, int]]
    svg: Markup
    examples: Examples = field(default_factory=dict)


class Bin(NamedTuple):
    """A bin from `start` to `end`, in places on the axis."""

    label: str
    start: float
    end: float
    times: int


def bars(title: str, says: str, rows: Sequence[tuple[str, int]], *, of: str, counts: str = "rows") -> Chart:
    """Return a chart with one horizontal bar per label, so that label names have room."""
    import pygal

    height = BAR_HEIGHT * len(rows) + 40
    chart = pygal.HorizontalBar(**_settings(height), print_values=True, print_values_position="top")
    chart.x_labels = [shown(label, LONGEST_LABEL) or "(empty)" for label, _ in reversed(rows)]
    chart.range = (0, max(count for _, count in rows) * 1.15)
    _whole_scale(chart, rows)
    chart.add("", [count for _, count in reversed(rows)])
    return Chart(title, says, (of, counts), list(rows), _inline(chart, title, says))


def columns(title: str, says: str, rows: Sequence[tuple[str, int]], *, of: str, counts: str = "answers") -> Chart:
    """Return a chart with one column per bin, from left to right; only some bins are labelled."""
    import pygal

    chart = pygal.Bar(**_settings(HEIGHT), x_labels_major_count=5, show_minor_x_labels=False, truncate_label=-1)
    chart.x_labels = [label for label, _ in rows]
    _whole_scale(chart, rows)
    chart.add("", [count for _, count in rows])
    return Chart(title, says, (of, counts), list(rows), _inline(chart, title, says))


def histogram(
    title: str, says: str, bins: Sequence[Bin], ticks: Sequence[Tick], *, of: str, counts: str = "answers"
) -> Chart:
    """Return a chart with one column per bin, in its true width, above an axis with round numbers."""
    import pygal

    rows = [(one.label, one.times) for one in bins]
    chart = pygal.Histogram(**_settings(HEIGHT))
    chart.x_labels = [{"value": place, "label": label} for label, place in ticks]
    _whole_scale(chart, rows)
    chart.add("", [(one.times, one.start, one.end) for one in bins])
    return Chart(title, says, (of, counts), rows, _inline(chart, title, says))


def _whole_scale(chart: Any, rows: Sequence[tuple[str, int]]) -> None:
    """Keep the axis of a chart of few rows at whole numbers."""
    most = max(count for _, count in rows)
    if most < SMALL_SCALE:
        chart.y_labels = list(range(most + 1))


def _settings(height: int) -> dict[str, object]:
    from pygal.style import Style

    style = Style(label_font_size=12, major_label_font_size=12, value_font_size=12, font_family="sans-serif")
    return {
        "width": WIDTH,
        "height": height,
        "style": style,
        "margin": 8,
        "spacing": 6,
        "rounded_bars": 2,
        "explicit_size": False,
        "show_legend": False,
        "include_x_axis": True,
        "integer_scale": True,
        "min_scale": 2,
        "max_scale": 5,
        "formatter": _count,
        "no_prefix": True,
        "js": (),
    }


def _count(value: Any) -> str:
    """Return a count with thousands separators; a histogram's values are a count, a start and an end."""
    return f"{value[0] if isinstance(value, list | tuple) else value:,.0f}"


def _inline(chart: object, title: str, says: str) -> Markup:
    """Return the chart as SVG, with a text description, and without the library's script and style."""
    root: ET.Element = chart.render_tree()  # type: ignore[attr-defined] # pygal ships no types
    for parent in list(root.iter()):
        for child in list(parent):
            if not isinstance(child.tag, str) or child.tag.rpartition("}")[2] in _UNWANTED:
                parent.remove(child)
    root.attrib.update({"class": "chart", "role": "img", "aria-label": f"{title}. {says}"})
    root.attrib.pop("id", None)
    drawn_title = root.find("title")
    if drawn_title is not None:
        drawn_title.text = title
    ET.SubElement(root, "desc").text = says
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - ElementTree has escaped every text
