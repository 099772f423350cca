"""Repair what programs write that is almost JSON, without a change to anything else."""

from __future__ import annotations

import re

from batchdrop.adapters.formats.text.encodings import BOM

_STRING_OR_CONSTANT = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|-?\b(?:NaN|Infinity)\b', re.DOTALL)
# A whole surrogate pair, half of one (the group), or another escape.
_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)
_UNKNOWN = r"\ufffd"


def repaired(text: str) -> str:
    """Return JSON text with null for NaN and infinities, U+FFFD for halves of surrogate pairs, and no leading mark."""
    return _STRING_OR_CONSTANT.sub(_repaired, text.removeprefix(BOM))


def _repaired(match: re.Match[str]) -> str:
    found = match[0]
    if not found.startswith('"'):
        return "null"
    return _ESCAPE.sub(lambda escape: _UNKNOWN if escape[1] else escape[0], found) if "\\u" in found else found
