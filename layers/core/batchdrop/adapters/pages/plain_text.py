"""Make foreign text safe to show: invisible characters and direction marks become code points."""

from __future__ import annotations

import re

LONGEST = 4_000  # characters shown of any one text

# Control characters (except tab and newline), marks that change the text direction, and lone surrogates.
_UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\ud800-\udfff]")


def shown(text: object, most: int = LONGEST) -> str:
    """Return text with invisible characters as code points, cut to `most` characters. It is not escaped for HTML."""
    whole = str(text)
    cut = whole if len(whole) <= most else whole[: most - 1] + "…"
    return _UNSHOWN.sub(lambda found: f"\\u{ord(found[0]):04x}", cut.replace("\r\n", "\n"))
