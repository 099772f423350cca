"""Guess the encoding of a file that could not be decoded, for the error message."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator

from batchdrop.adapters.formats.text.encodings import Encoding, by_zeros

# Encodings in which tables are found; of two that give the same text, the first is named.
_LANGUAGES = {
    "cp1252": "Western European, Windows",
    "cp1250": "Central European, Windows",
    "cp1251": "Cyrillic, Windows",
    "cp1253": "Greek, Windows",
    "cp1254": "Turkish, Windows",
    "cp1255": "Hebrew, Windows",
    "cp1256": "Arabic, Windows",
    "cp1257": "Baltic, Windows",
    "cp1258": "Vietnamese, Windows",
    "cp874": "Thai, Windows",
    "iso8859-15": "Western European",
    "iso8859-2": "Central European",
    "iso8859-5": "Cyrillic",
    "iso8859-7": "Greek",
    "iso8859-9": "Turkish",
    "koi8-r": "Cyrillic, Unix",
    "mac-roman": "Western European, Macintosh",
    "cp850": "Western European, DOS",
    "cp932": "Japanese, Windows",
    "euc_jp": "Japanese, Unix",
    "gb18030": "Chinese",
    "big5": "Chinese, traditional",
    "cp949": "Korean",
}
# Encodings that a more common one replaces.
_SAME = {
    "iso8859-1": "cp1252",
    "mac-iceland": "mac-roman",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "tis-620": "cp874",
    "iso8859-11": "cp874",
    "iso8859-6": "cp1256",
    "iso8859-8": "cp1255",
    "iso8859-13": "cp1257",
    "koi8-u": "koi8-r",
    "cp437": "cp850",
    "cp858": "cp850",
}
_MULTIBYTE = {"cp932", "euc_jp", "gb18030", "big5", "cp949"}
_SAMPLE = 1 << 15  # bytes before and after the place
_HIGH = re.compile(rb"[\x80-\xff]+")
_FRAMES = re.compile("[\u2500-\u25ff]")
_WORD = re.compile(r"[^\W\d_]+")
# Symbols of everyday texts in any language; the dashes and quotes are U+2013 to U+201E.
_USUAL = frozenset("€£§©®™°«»·…\u2013\u2014\u2018\u2019\u201a\u201c\u201d\u201e•†‰±²³µ¼½¾\u00d7÷¡¿¢¥")
_FEW = 2  # high bytes that do not show the language: most likely symbols
MOST_NAMED = 3
SHOWN_CHARS = 40  # characters of the line


def advice(around: bytes, at: int, read_as: Encoding) -> str:
    """Return the advice for bytes that could not be decoded: those of the line that starts at `at` in `around`."""
    lines = _telling_lines(around, at)
    sample = b"".join(lines)
    if read_as.name != "utf-8" and _fits(sample, "utf-8"):
        return "The text around it is UTF-8: remove `input.encoding` from the recipe"
    if read_as.unit > 1 or 2 * sum(_fits(line, read_as.name) for line in lines) > len(lines):
        return "The text around it is, so fix this row"
    if read_as.name == "utf-8" and _is_mostly_utf8(sample):
        return "Other letters of the text around it are, so fix this row"
    likely = likely_encodings(sample, read_as, by_zeros(around[:4096]) or _utf16(around[: 2 * _SAMPLE]))
    if not likely:
        return "Set `input: {encoding: …}` in the recipe to the file's encoding, or save the file as UTF-8"
    line = around[at : at + _SAMPLE].splitlines()[0]
    described = "; or like ".join(f"{_described(name)}: '{_shown(line, name)}'" for name in likely)
    return (
        f"The text around it looks like {described}. Set `input: {{encoding: {likely[0]}}}` in the recipe if that is "
        "right, or save the file as UTF-8"
    )


def likely_encodings(sample: bytes, read_as: Encoding, zeros: str | None = None) -> list[str]:
    """Return at most three encodings of these bytes that give different texts, the likeliest first.

    `zeros` is the encoding that their zero bytes suggest.
    """
    if zeros:
        return [zeros]
    found: dict[str, str] = {}
    for name in sorted(_ranked(sample), key=lambda name: _oddity(sample, name)):
        text = _text(sample, name)
        if name != read_as.name and text is not None:
            found.setdefault(text, name)
    return list(found.values())[:MOST_NAMED]


def _ranked(sample: bytes) -> Iterable[str]:
    """Return the known encodings, the likeliest first."""
    from chardet import detect_all

    names = [found["encoding"] for found in detect_all(sample, ignore_threshold=True)]
    ranked = [_known(name) for name in names if name]
    is_few = sum(map(len, _HIGH.findall(sample))) <= _FEW
    if is_few or not _foreign(_text(sample, "cp1252") or "?"):
        ranked.insert(0, "cp1252")
    return dict.fromkeys(name for name in (*ranked, "cp1252", "cp1250", "cp850") if name in _LANGUAGES)


def _known(name: str) -> str:
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return name
    return _SAME.get(found, found)


def _oddity(sample: bytes, name: str) -> int:
    """Return how odd the text would be.

    Frames are, words of two scripts, capitals within words, more symbols than letters, and pairs of bytes where each
    stands alone.
    """
    stands_alone = all(len(high) == 1 for high in _HIGH.findall(sample))
    text = _text(sample, name) or ""
    is_odd = _has_mixed_words(text) + _has_inner_capitals(text) + _is_symbols(text)
    return 2 * (name in _MULTIBYTE and stands_alone) + 2 * bool(_FRAMES.search(text)) + is_odd


def _is_symbols(text: str) -> bool:
    foreign = _foreign(text)
    return len(foreign) > _FEW and 2 * sum(unicodedata.category(letter)[0] in "LM" for letter in foreign) < len(foreign)


def _foreign(text: str) -> list[str]:
    """Return what is neither ASCII nor a usual symbol."""
    return [letter for letter in text if not letter.isascii() and letter not in _USUAL]


def _has_inner_capitals(text: str) -> bool:
    """Return whether a capital beyond ASCII stands within a word of small letters, as in `MÅller`."""
    tails = [word[1:] for word in _WORD.findall(text) if not word[1:].isascii() and not word.isupper()]
    return any(letter.isupper() and not letter.isascii() for tail in tails for letter in tail)


def _has_mixed_words(text: str) -> bool:
    return any(len({*_scripts(word)}) > 1 for word in _WORD.findall(text) if not word.isascii())


def _scripts(word: str) -> Iterator[str]:
    """Yield the script of each letter, by the first word of its name; Japanese and Chinese count as one."""
    for letter in word:
        script = unicodedata.name(letter, "?").partition(" ")[0].partition("-")[0]
        yield "CJK" if script in {"HIRAGANA", "KATAKANA", "HALFWIDTH", "IDEOGRAPHIC", "FULLWIDTH"} else script


def _text(sample: bytes, name: str) -> str | None:
    """Return the decoded sample; None if it is not in the encoding, or has control characters in it."""
    try:
        text = sample.decode(name)
    except UnicodeDecodeError:
        return None
    return None if any(unicodedata.category(letter) in {"Cc", "Co", "Cn"} for letter in {*text} - {*"\t\r\n"}) else text


def _described(name: str) -> str:
    return f"{name} ({_LANGUAGES[name]})" if name in _LANGUAGES else name


def _shown(line: bytes, name: str) -> str:
    text = " ".join(line.decode(name, "ignore").split())
    first = next((at for at, letter in enumerate(text) if not letter.isascii()), 0)
    start = max(0, first - SHOWN_CHARS // 2)
    shown = text[start : start + SHOWN_CHARS]
    return f"{'…' if start else ''}{shown}{'…' if start + SHOWN_CHARS < len(text) else ''}"


def _telling_lines(around: bytes, at: int) -> list[bytes]:
    """Return the lines around a place that are not ASCII: only they help to find the encoding."""
    lines = around[max(0, at - _SAMPLE) : at + _SAMPLE].splitlines(keepends=True)
    return [line for line in lines if not line.isascii()]


def _is_mostly_utf8(sample: bytes) -> bool:
    """Return whether more letters beyond ASCII are UTF-8 than bytes are not: by chance, hardly any would be."""
    broken = sample.decode("utf-8", "replace").count("\ufffd")
    letters = sum(not letter.isascii() for letter in sample.decode("utf-8", "ignore"))
    return letters > broken


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
