"""Find the JSON of an answer that stands in a Markdown code fence."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)


def fenced(text: str) -> str | None:
    """Return the content of the text's only code fence; None if it has none, or several."""
    if "```" not in text:
        return None
    found = _FENCE.findall(text)
    return found[0] if len(found) == 1 else None
