"""Realistic tables of many kinds, for `estimate_error`."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchdrop.requests.content_block import content_block
from batchdrop.requests.row import Cursor, Row

CODE = Path("layers/core/batchdrop")
ENGLISH = (
    "The delivery came two days late and the box was open, but nothing was missing. I would order again, if only for "
    "the price; the quality is what one can expect. My sister's broke after a week! Asked for a refund (order 4471-B), "
    "got an answer within the hour: polite, clear, and no help at all. 5/5 for the design, 1/5 for the battery."
)
JAPANESE = (
    "配送は二日遅れましたが、中身に問題はありませんでした。 デザインはとても気に入っています。 "
    "問い合わせにはすぐ返事が来ました。 "
    "バッテリーがすぐに切れるので、星は二つです。 ケーブル『USB-C』が付属していないのは残念。 また注文します。"
)
RUSSIAN = (
    "Доставка опоздала на два дня, но всё было на месте. Батарея садится за час; цена, впрочем, хорошая. Naïve façade, "
    "Größe und Qualität sind in Ordnung. Ποιότητα είναι καλή."
)
SCHEMA = {"label": {"enum": ["positive", "neutral", "negative"]}, "confidence": "number", "topics": {"list": "string"}}
RULES = "Rule {}: read the whole review before you label it, and mind irony, sarcasm and what is left unsaid. "


@dataclass(frozen=True)
class Table:
    """A table's name, its recipe and its rows."""

    name: str
    recipe: dict[str, Any]
    rows: Callable[[random.Random], Iterator[Row]]


def _texts(texts: Callable[[random.Random], str], many: int) -> Callable[[random.Random], Iterator[Row]]:
    return lambda chance: (Row("", Cursor(rows=row), {"text": texts(chance)}) for row in range(many))


def _words(text: str, least: int, most: int, between: str = " ") -> Callable[[random.Random], str]:
    words = text.split()
    return lambda chance: between.join(chance.choices(words, k=chance.randint(least, most)))


def _code(chance: random.Random) -> str:
    lines = chance.choice(sorted(CODE.rglob("*.py"))).read_text(encoding="utf-8").splitlines()
    start = chance.randrange(max(1, len(lines) - 60))
    return "\n".join(lines[start : start + chance.randint(10, 60)])


def _mixed(chance: random.Random) -> str:
    one = chance.choice([_words(ENGLISH, 1, 10), _words(ENGLISH, 300, 900), _words(JAPANESE, 1, 9, ""), _code])
    return one(chance)


def png(side: int) -> bytes:
    """Return a black image."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    lines = zlib.compress(b"".join(b"\0" + bytes(side) for _ in range(side)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def pdf(pages: int) -> bytes:
    """Return empty pages, like the start of a scanned file."""
    objects = b"".join(b"%d 0 obj << /Type /Page /Parent 1 0 R >> endobj\n" % (page + 3) for page in range(pages))
    return b"%PDF-1.4\n1 0 obj << /Type /Pages /Count " + b"%d >> endobj\n" % pages + objects + b"%%EOF\n"


def _files(many: int, file: Callable[[random.Random], bytes], name: str) -> Callable[[random.Random], Iterator[Row]]:
    def rows(chance: random.Random) -> Iterator[Row]:
        for row in range(many):
            block = content_block(file(chance), name=name, kind=None)
            yield Row("", Cursor(rows=row), {"text": f"file {row}"}, content=(block,))

    return rows


def _recipe(**changes: Any) -> dict[str, Any]:
    return {"model": "claude-haiku-5-5", "max_tokens": 128, "prompt": "Summarise: {{ text }}", **changes}


_LABEL = {
    "max_tokens": 32,
    "system": "Answer with one word, one of: positive, neutral, negative.",
    "prompt": "{{ text }}",
}
_ASK_FILE = {"prompt": "What is on it? ({{ text }})", "input": "files", "max_tokens": 256}

TABLES = (
    Table("short texts", _recipe(**_LABEL), _texts(_words(ENGLISH, 1, 12), 300)),
    Table("long texts", _recipe(), _texts(_words(ENGLISH, 500, 3_000), 100)),
    Table(
        "Japanese",
        _recipe(prompt="要約してください。\n{{ text }}"),
        _texts(_words(JAPANESE, 1, 12, ""), 300),
    ),
    Table("Russian, Greek, accents", _recipe(), _texts(_words(RUSSIAN, 5, 80), 300)),
    Table("code", _recipe(prompt="Review this:\n```python\n{{ text }}\n```"), _texts(_code, 200)),
    Table("all of these", _recipe(), _texts(_mixed, 300)),
    Table("typed answers", _recipe(answer=SCHEMA), _texts(_words(ENGLISH, 5, 60), 300)),
    Table("typed, older model", _recipe(answer=SCHEMA, model="claude-sonnet-4-5"), _texts(_words(ENGLISH, 5, 60), 300)),
    Table(
        "long system prompt",
        _recipe(system={"text": "".join(map(RULES.format, range(80))), "cache": True}),
        _texts(_words(ENGLISH, 5, 60), 300),
    ),
    Table("over 100k tokens", _recipe(), _texts(_words(ENGLISH, 70_000, 90_000), 6)),
    Table("images", _recipe(**_ASK_FILE), _files(60, lambda chance: png(chance.randint(20, 400)), "scan.png")),
    Table("PDFs", _recipe(**_ASK_FILE), _files(60, lambda chance: pdf(chance.randint(1, 12)), "scan.pdf")),
    Table("text files", _recipe(**_ASK_FILE), _files(60, lambda chance: _mixed(chance).encode(), "notes.txt")),
)
