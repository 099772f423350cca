"""The tables of the corpus: what people keep in files, as lists of rows."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

Table = tuple[list[str], list[list[Any]]]  # columns and rows

TEXTS = [
    "Great kettle, would buy again",
    'She said "no", twice',
    "two\nlines",
    "naïve café – Größe 12 €",
    "最高の買い物でした。",
    "=SUM(A1:A2)",
    "007",
    " spaced ",
    "tab\there; semicolon; pipe | and comma, too",
    "🎉 ok",
    "",
    "null",
    "-5",
    "1e5",
    "O'Brien \\ backslash",
]
PLAIN = ["late again", "works as described", "too small for two", "the colour is off", "fine"]


def tables() -> dict[str, Table]:
    """Return all tables by name."""
    chance = random.Random(20261130)
    return {
        "reviews": (
            ["id", "review", "stars"],
            [[f"r{number:03}", TEXTS[number % len(TEXTS)], number % 5 + 1] for number in range(40)],
        ),
        "plain": (["id", "review"], [[number, PLAIN[number % len(PLAIN)]] for number in range(1, 13)]),
        "typed": (
            ["id", "paid", "price", "day", "at", "note"],
            [
                [
                    number,
                    number % 2 == 0,
                    round(chance.uniform(-5, 500), 2),
                    dt.date(2024, 1, 31) + dt.timedelta(days=37 * number),
                    dt.datetime(2026, 10, 21, 5, 6, 7) + dt.timedelta(minutes=61 * number),  # noqa: DTZ001 - files have none
                    PLAIN[number % len(PLAIN)],
                ]
                for number in range(20)
            ],
        ),
        "gaps": (
            ["id", "a", "b"],
            [
                [number, *[None if (number + place) % 3 == 0 else f"v{number}" for place in range(2)]]
                for number in range(15)
            ],
        ),
        "one": (["text"], [[text] for text in PLAIN]),
        "single_row": (["id", "text"], [[1, "alone"]]),
        "wide": (
            [f"c{number:02}" for number in range(60)],
            [[f"{row}.{place}" for place in range(60)] for row in range(5)],
        ),
        "long": (["id", "text"], [[number, f"{number} " + "lorem ipsum dolor " * 300] for number in range(8)]),
        "odd_names": (
            ["Order No.", "First name", "größe", "a:b", "class"],
            [[1, "x", "L", "y", "z"], [2, "p", "S", "q", "r"]],
        ),
    }
