"""What must be true of a job that escalates, from the emulator's results and the output alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from tests.faults.books import Result
from tests.faults.schedule import MODEL, OTHER_MODEL, UNSURE_BELOW


def escalation_faults(results: Iterable[Result], sent: set[str], rows: dict[str, dict[str, str]]) -> Iterator[str]:
    """Yield what is wrong. `sent` are the requests for the other model; `rows` has the output's row of each request.

    The results of a request are in the order in which they were made.
    """
    texts: dict[str, dict[str, list[str]]] = {}
    for result in results:
        if result.type == "succeeded":
            texts.setdefault(result.custom_id, {}).setdefault(result.model, []).append(result.text)
    for name, by_model in texts.items():
        firsts, seconds = by_model.get(MODEL, []), by_model.get(OTHER_MODEL, [])
        confidence = [_confidence(text) for text in firsts]
        is_met = bool(firsts) and (confidence[-1] is None or confidence[-1] < UNSURE_BELOW)
        if is_met and name not in sent:
            yield f"{name} met `when`, but the other model never got it"
        if seconds and not any(one is None or one < UNSURE_BELOW for one in confidence):
            yield f"{name} was paid to the other model, but no answer met `when`"
        usable = [text for text in seconds if _confidence(text) is not None]
        row = rows.get(name)
        if row is not None and usable and (row["_model"], row["_status"]) != (OTHER_MODEL, "answered"):
            yield f"{name} has a usable second answer, but the output has {row['_model']} {row['_status']}"
        kept = firsts and confidence[-1] is not None and not usable
        if row is not None and kept and (row["_model"], row["_status"]) != (MODEL, "answered"):
            yield f"{name} has only a first answer, but the output has {row['_model']} {row['_status']}"


def _confidence(text: str) -> float | None:
    """Return an answer's confidence; None if it cannot be used."""
    try:
        value: Any = json.loads(text)
    except ValueError:
        return None
    return value["confidence"] if isinstance(value, dict) else None
