"""Guess the encoding of a file that could not be decoded, for the error message."""

from __future__ import annotations

from batchdrop.adapters.formats.text.encodings import Encoding, by_zeros

# Encodings in which tables are found, the most frequent first: of two that fit equally, the first is named.
_LANGUAGES = {
    "cp932": "Japanese, Windows",
    "euc_jp": "Japanese, Unix",
    "gb18030": "Chinese",
    "big5": "Chinese, traditional",
    "cp949": "Korean",
    "cp1252": "Western European, Windows",
    "cp1251": "Cyrillic, Windows",
    "koi8_r": "Cyrillic, Unix",
    "cp1250": "Central European, Windows",
    "iso8859_2": "Central European",
    "mac_roman": "Western European, Macintosh",
}
_SAMPLE = 1 << 15  # bytes before and after the place


def advice(around: bytes, at: int, read_as: Encoding) -> str:
    """Return the advice for bytes that could not be decoded: those of the line that starts at `at` in `around`."""
    lines = _telling_lines(around, at)
    sample = b"".join(lines)
    if read_as.name != "utf-8" and _fits(sample, "utf-8"):
        return "The text around it is UTF-8: remove `input.encoding` from the recipe"
    if read_as.unit > 1 or 2 * sum(_fits(line, read_as.name) for line in lines) > len(lines):
        return "The text around it is, so fix this row"
    likely = likely_encodings(sample, read_as, by_zeros(around[:4096]) or _utf16(around[: 2 * _SAMPLE]))
    if not likely:
        return "Set `input: {encoding: …}` in the recipe to the file's encoding, or save the file as UTF-8"
    described = " or ".join(f"{name} ({_LANGUAGES[name]})" if name in _LANGUAGES else name for name in likely)
    return (
        f"The text around it looks like {described}: set `input: {{encoding: {likely[0]}}}` in the recipe, "
        "or save the file as UTF-8"
    )


def likely_encodings(sample: bytes, read_as: Encoding, zeros: str | None = None) -> list[str]:
    """Return the one or two most likely encodings of these bytes; none if nothing fits.

    `zeros` is the encoding that their zero bytes suggest.
    """
    if zeros:
        return [zeros]
    from charset_normalizer import from_bytes

    order = [name for name in _LANGUAGES if name != read_as.name]
    ranked: dict[str, tuple[float, float, int]] = {}
    for match in from_bytes(sample, cp_isolation=order, enable_fallback=False):
        for name in match.could_be_from_charset:
            ranked[name] = (round(match.chaos, 1), -round(match.coherence, 1), order.index(name))
    found = sorted(ranked, key=lambda name: ranked[name])
    return found[: 1 if _is_clear([ranked[name] for name in found]) else 2]


def _is_clear(ranks: list[tuple[float, float, int]]) -> bool:
    return len(ranks) > 1 and ranks[0][:2] < ranks[1][:2]


def _telling_lines(around: bytes, at: int) -> list[bytes]:
    """Return the lines around a place that are not ASCII: only they help to find the encoding."""
    lines = around[max(0, at - _SAMPLE) : at + _SAMPLE].splitlines(keepends=True)
    return [line for line in lines if not line.isascii()]


def _fits(sample: bytes, encoding: str) -> bool:
    try:
        sample.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _utf16(sample: bytes) -> str | None:
    """Return the UTF-16 of a text with few ASCII characters: all its zeros are on one side of the code units."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if bool(even) == bool(odd):
        return None
    return "utf-16-le" if odd else "utf-16-be"
