"""Grouped jobs on the emulator: questions about contracts, in any order."""

from __future__ import annotations

import random

from tests.packs.jobs import RULE

CLAUSE = "The supplier delivers in time, and the buyer pays within thirty days. "
RECIPE = (
    "model: claude-sonnet-5-5\nlane: batch\nmax_tokens: 64\n"
    f"system: '{RULE * 3}'\nprompt: '{{{{ question }}}}'\n"
    "answer: {label: {enum: [good, bad]}, score: integer}\n"
)


def grouped(rows: object = 10, more: str = "") -> str:
    """Return a recipe whose rows share their contract."""
    return f"{RECIPE}pack: {{rows: {rows}, by: contract_id, shared: '{{{{ contract }}}}'}}\n{more}"


def alone() -> str:
    """Return the recipe that sends the contract with each row."""
    return RECIPE.replace("'{{ question }}'", '"{{ contract }}\\n{{ question }}"')


def contract(number: int) -> str:
    """Return the text of a contract, 600 tokens or so."""
    return f"Contract {number}. " + CLAUSE * 25


def questions(contracts: int, each: int, *, words: dict[int, str] | None = None, order: object = 1) -> bytes:
    """Return a CSV file with questions about contracts, in any order; `words` are for the emulator, by question."""
    said = words or {}
    rows = [
        f'q{one},c{one % contracts},"{contract(one % contracts)}",question {one} {said.get(one, "")}'
        for one in range(contracts * each)
    ]
    if order is not None:
        random.Random(str(order)).shuffle(rows)
    return "".join(f"{line}\n" for line in ("id,contract_id,contract,question", *rows)).encode()
