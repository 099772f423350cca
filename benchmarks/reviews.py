"""Sample rows: reviews of 250 to 280 bytes, mostly ASCII; a third of them have a word that is not."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

RECIPE = "model: claude-haiku-5-5\nmax_tokens: 64\nprompt: 'Classify this review: {{ text }}'\n"
PROMPT = "Classify this review: {}"
COLUMNS = ("id", "text", "note")


def reviews(count: int, *, size: int = 300) -> Iterator[tuple[str, str, str]]:
    """Yield (id, text, note), of about `size` bytes in all; the same ones each time."""
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(20_000)]
    words += ["最高の買い物", "très bien", "größer", "😀"] * 50
    for number in range(count):
        text, length = [], size - 40
        while length > 0:
            text.append(chance.choice(words))
            length -= len(text[-1]) + 1
        yield f"{number:08d}", " ".join(text), f"shop {number % 97}"


def write_reviews(path: Path, count: int, *, size: int = 300) -> None:
    """Write a CSV or JSON Lines file of reviews; the CSV quotes its texts."""
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            file.write("id,text,note\n")
            file.writelines(f'{one},"{text}",{note}\n' for one, text, note in reviews(count, size=size))
            return
        for row in reviews(count, size=size):
            file.write(json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False) + "\n")
