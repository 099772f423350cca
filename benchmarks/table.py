"""Write the table of all benchmarks in Markdown, from benchmarks/results.

    python -m benchmarks.table [--write README.md]

It writes benchmarks/results/table.md with all figures and bars. `--write` also puts the comparisons into a page,
between the lines `<!-- bench:start -->` and `<!-- bench:end -->`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.findings import RESULTS

TABLE = "table.md"
ORDER = ("split", "submit", "collect", "stitch", "whole_job", "small_job", "cold_start")
START, END = "<!-- bench:start -->", "<!-- bench:end -->"
COMPARED = ("split", "submit", "collect", "stitch", "whole_job")
MEASURES = {"cpu_s": "CPU s", "wall_s": "wall s", "peak_rss_mb": "peak RSS MB", "grown_mb": "growth MB"}
COMMON = ("cpu_s", "wall_s", "peak_rss_mb")
Found = dict[str, Any]


def table(found: Iterable[Found]) -> str:
    """Return the benchmarks' results in Markdown: for each a table, its command, and its bars."""
    return "\n\n".join(_section(one) for one in found) + "\n"


def comparisons(found: Iterable[Found]) -> str:
    """Return one Markdown table with all comparisons, and their commands below it."""
    compared = [one for one in found if one["name"] in COMPARED]
    rows = [_row(["", "", *(MEASURES[name] for name in COMMON)]), _row(["---", "---", *("---:" for _ in COMMON)])]
    made = []
    for one in compared:
        rows.append(_row([f"**{one['title']}**", "", *("" for _ in COMMON)]))
        case = None
        for line in one["lines"]:
            told = line["case"] if line["case"] != case else ""
            rows.append(_row([told, line["contender"], *(_figure(line[name]) for name in COMMON)]))
            case = line["case"]
        made.append(f"`{one['command']}` ({one['date']}, commit {one['commit']}, {_runs(one['runs'])})")
    return (
        "\n".join([*rows, "", ", ".join(made) + f"; Python {compared[0]['python']} on {compared[0]['cpus']} cores."])
        + "\n"
    )


def _section(one: Found) -> str:
    names = [name for name in one["lines"][0] if name not in {"case", "contender"}]
    heads = ["", "", *(MEASURES.get(name, name) for name in names)]
    rows = [[line["case"], line["contender"], *(_figure(line[name]) for name in names)] for line in one["lines"]]
    lines = [f"**{one['title']}**", "", _row(heads), _row(["---", "---", *("---:" for _ in names)]), *map(_row, rows)]
    made = f"`{one['command']}`, {one['date']}, commit {one['commit']}, {_runs(one['runs'])}, Python {one['python']}."
    return "\n".join([*lines, "", made, *map(_bar, one["bars"])])


def _runs(runs: int) -> str:
    return "one run" if runs == 1 else f"medians of {runs} runs"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _figure(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"  # noqa: PLR2004 - three digits


def _bar(bar: Found) -> str:
    bound = "at most" if bar["is_most"] else "at least"
    return f"- {'✓' if bar['holds'] else '✗'} {bar['what']}: {_figure(bar['measured'])} ({bound} {bar['limit']:g})"


def put(page: str, written: str) -> str:
    """Return a page with the table between its markers. Raises ValueError if the page lacks them."""
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"the page needs the lines {START} and {END}, in this order")
    return f"{before}{START}\n{written}{END}{after}"


def read(folder: Path) -> list[Found]:
    """Return the benchmarks' results in the table's order, without those that were not run."""
    paths = [folder / f"{name}.json" for name in ORDER]
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]


def main() -> int:
    """Write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table")
    parser.add_argument("--write", type=Path, help="the page that has the markers")
    page = parser.parse_args().write
    found = read(RESULTS)
    written = table(found)
    (RESULTS / TABLE).write_text(written, encoding="utf-8")
    if page is not None:
        page.write_text(put(page.read_text(encoding="utf-8"), comparisons(found)), encoding="utf-8")
    print(written)
    return 0


if __name__ == "__main__":
    sys.exit(main())
