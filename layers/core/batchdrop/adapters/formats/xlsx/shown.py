"""Write a number as its cell shows it, for prompts: zeros, decimals, thousands, percent, currency."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import NamedTuple

from batchdrop.adapters.formats.xlsx.formats import NumberFormat

_BUILT_IN = {
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    5: '"$"#,##0;("$"#,##0)',
    6: '"$"#,##0;("$"#,##0)',
    7: '"$"#,##0.00;("$"#,##0.00)',
    8: '"$"#,##0.00;("$"#,##0.00)',
    9: "0%",
    10: "0.00%",
    37: "#,##0;(#,##0)",
    38: "#,##0;(#,##0)",
    39: "#,##0.00;(#,##0.00)",
    40: "#,##0.00;(#,##0.00)",
}
_TEXT_FORMAT = 49
_EXACT = 15  # significant digits that a spreadsheet keeps
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|\[\$(?P<currency>[^\]-]*)(?:-[^\]]*)?\]|(?P<color>\[[A-Za-z0-9 ]+\])'
    r"|[_*].|(?P<digits>[0#?][0#?,]*(?:\.[0#?]*)?,*|\.[0#?]+)|(?P<percent>%)|(?P<plain>[-+() $€£¥/:]|[^\x00-\x7f])"
)


class ShownInt(int):
    """A number of a cell, with the text that the cell shows. Templates calculate with the number."""

    shown: str

    def __str__(self) -> str:
        """Return what the cell shows."""
        return self.shown


class ShownFloat(float):
    """Likewise, with a fraction."""

    shown: str

    def __str__(self) -> str:
        """Return what the cell shows."""
        return self.shown


class _Section(NamedTuple):
    """One of a code's sections: the texts around the digits, and how these are written."""

    before: str
    after: str
    whole: int  # digits before the point, at least
    decimals: int
    optional: int  # decimals that are left out if they are zeros
    thousands: bool
    scale: int  # powers of ten: 2 for each percent sign, -3 for each trailing comma


def shown(number: float, number_format: NumberFormat) -> int | float:
    """Return a number with the text that its cell shows; itself if the format is one that is not known here."""
    text = shown_text(number, number_format)
    if text is None or text == str(number):
        return number
    kept: ShownInt | ShownFloat = ShownInt(number) if isinstance(number, int) else ShownFloat(number)
    kept.shown = text
    return kept


def shown_text(number: float, number_format: NumberFormat) -> str | None:
    """Return what a cell shows; None for a format that is not known here."""
    if number_format in {0, _TEXT_FORMAT}:
        return _general(number)
    code = _BUILT_IN.get(number_format) if isinstance(number_format, int) else number_format
    sections = _sections(code) if code else None
    if sections is None:
        return None
    exact = Decimal(repr(number))
    if exact.adjusted() > _EXACT:  # a cell shows such numbers as ####, or rounded
        return None
    if exact < 0 and len(sections) > 1:
        return _written(-exact, sections[1])
    if not exact and len(sections) > 2:  # noqa: PLR2004 - the third is for zero
        return _written(exact, sections[2])
    return _written(exact, sections[0])


def _general(number: float) -> str | None:
    """Return a number without the digits that no spreadsheet shows: 0.1 + 0.2 is 0.3."""
    if isinstance(number, int):
        return None
    rounded = float(f"{number:.{_EXACT}g}")
    return str(int(rounded)) if rounded.is_integer() and abs(rounded) < 10**_EXACT else repr(rounded)


@lru_cache(maxsize=1024)
def _sections(code: str) -> tuple[_Section, ...] | None:
    """Return the sections of a code for positive, negative and zero numbers; None if one is not understood."""
    sections = tuple(map(_section, re.findall(r'(?:"[^"]*"|\\.|[^;])+', code)[:3]))
    known = tuple(section for section in sections if section is not None)
    return known if known and len(known) == len(sections) else None


def _section(code: str) -> _Section | None:
    at, texts, digits, percents = 0, ["", ""], "", 0
    while at < len(code):
        token = _TOKEN.match(code, at)
        if token is None or (token["digits"] and digits):
            return None
        at = token.end()
        if token["digits"]:
            digits = token["digits"]
            continue
        percents += token["percent"] is not None
        pieces = (token["quoted"], token["escaped"], token["currency"], token["percent"], token["plain"])
        texts[bool(digits)] += next((piece for piece in pieces if piece is not None), "")
    if not digits:
        return None
    plain = digits.rstrip(",")
    grouped, _, decimals = plain.partition(".")
    scale = 2 * percents - 3 * (len(digits) - len(plain))
    return _Section(
        texts[0],
        texts[1],
        len(re.sub("[^0?]", "", grouped)),
        len(decimals),
        len(decimals) - len(decimals.rstrip("#")),
        "," in grouped,
        scale,
    )


def _written(number: Decimal, section: _Section) -> str:
    places = Decimal(1).scaleb(-section.decimals)
    rounded = number.scaleb(section.scale).quantize(places, rounding=ROUND_HALF_UP)
    sign, text = ("-" if rounded < 0 else ""), format(abs(rounded), "f")
    whole, _, decimals = text.partition(".")
    whole = whole.lstrip("0").rjust(section.whole, "0")
    if section.thousands:
        whole = f"{int(whole or 0):,}".rjust(section.whole, "0") if whole else ""
    kept = decimals[: section.decimals - section.optional] + decimals[section.decimals - section.optional :].rstrip("0")
    return f"{sign}{section.before}{whole}{'.' if kept else ''}{kept}{section.after}".strip()
