"""Text of others, made fit to be shown: what no eye can see, or what would turn its neighbours around, is spelt out."""

from __future__ import annotations

import re

LONGEST = 4_000  # characters shown of any one text

# Controls (but tab and newline), the marks that override or embed directions, and halves of characters.
_UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\ud800-\udfff]")


def shown(text: object, most: int = LONGEST) -> str:
    """Return text with invisible characters as code points, cut to so many characters. It is not escaped for HTML."""
    whole = str(text)
    cut = whole if len(whole) <= most else whole[: most - 1] + "…"
    return _UNSHOWN.sub(lambda found: f"\\u{ord(found[0]):04x}", cut.replace("\r\n", "\n"))
