"""Rewrite decoding errors in the API's words: `path.to.field: what is wrong`."""

import re

_MISSING = re.compile(r"Object missing required field `(\w+)`(?: - at `\$(.*)`)?")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`(?: - at `\$(.*)`)?", re.DOTALL)
_OTHER = re.compile(r"(.*?)(?: - at `\$(.*)`)?", re.DOTALL)


def in_api_words(error: Exception, *, under: str = "") -> str:
    """Return the message of a msgspec error (or another) about something at the path `under`."""
    text = str(error)
    for pattern, words in ((_MISSING, "Field required"), (_UNKNOWN, "Extra inputs are not permitted")):
        found = pattern.fullmatch(text)
        if found:
            return f"{_dotted(under, found[2], found[1])}: {words}"
    found = _OTHER.fullmatch(text)
    place = _dotted(under, found[2] if found else None)
    return f"{place}: {found[1]}" if found and place else text


def _dotted(under: str, path: str | None, *names: str) -> str:
    steps = re.findall(r"\w+|\.\.\.", path or "")
    return ".".join([*([under] if under else []), *steps, *names])
