"""Whether a shown output is still like the real one: the same lines, but for numbers, times, ids and places."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LIKE = (
    (re.compile(r"\x1b\[[0-9;?]*[A-Za-z]"), ""),
    (re.compile(r"\d{8}T\d{6}-[0-9a-f]{10}(-r\d+)?"), "<job>"),
    (re.compile(r"msgbatch_\w+"), "<message batch>"),
    (re.compile(r"batchdrop-\d{12}-[a-z0-9-]+"), "<bucket>"),
    (re.compile(r"\d[\d,.]* (?:s|m|min|h|d)\b(?: \d+ (?:s|m|min|h)\b)*"), "<time>"),
    (re.compile(r"\d[\d,.]* rows/(?:s|min|h)"), "<rate>"),
    (re.compile(r"\d[\d,.]*"), "0"),
    (re.compile(r"(?<= )/\S+"), "<path>"),
    (re.compile(r"━+"), "━"),
    (re.compile(r"\s+"), " "),
)


def missing(shown: Iterable[str], real: str) -> list[str]:
    """Return the shown lines that the real output has nothing like; `…` stands for anything."""
    lines = {_plain(line) for line in re.split(r"[\r\n]+", real)}
    return [line for line in shown if _plain(line) not in {"", "…"} and not _is_among(line, lines)]


def _plain(line: str) -> str:
    for pattern, instead in _LIKE:
        line = pattern.sub(instead, line)
    return line.strip()


def _is_among(line: str, lines: set[str]) -> bool:
    plain = _plain(line)
    pattern = re.compile(".*".join(re.escape(part) for part in plain.split("…")))
    return plain in lines or any(pattern.fullmatch(real) for real in lines)
