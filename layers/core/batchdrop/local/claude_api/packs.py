"""Packs: requests whose one message has several numbered rows, and whose schema asks for one object for each of them.

The pretended model answers each row by its own text. On demand it leaves rows out, invents or doubles numbers, or puts
two rows in each other's place: by chance, or for a row that says so (`[[pack_missing]]`, `[[pack_invented]]`, ...).
"""

import re
from typing import Any

import msgspec

from batchdrop.local.claude_api.dice import Dice
from batchdrop.local.claude_api.settings import Settings

_ROW = re.compile(r"<row (\d+) ([0-9a-f]{6})>\n(.*?)\n</row \1 \2>", re.DOTALL)
_USUAL = 10  # rows; a pack of this size has the rates of the settings

Answers = list[dict[str, Any]]


class PackFaults(msgspec.Struct, frozen=True):
    """What goes wrong with packs: shares of rows (`missing`) or of packs, and how they grow with a pack's rows."""

    missing: float = 0.0
    invented: float = 0.0
    doubled: float = 0.0
    shuffled: float = 0.0
    growth: float = 0.0

    def applied(self, answers: Answers, texts: dict[int, str], dice: Dice) -> Answers:
        """Return the answers as the model gives them. `texts` are the rows' own, by number."""
        more = (len(answers) / _USUAL) ** self.growth
        said = "\n".join(texts.values())

        def happens(rate: float, word: str) -> bool:
            return dice.fraction() < rate * more or f"[[{word}]]" in said

        invents, doubles = happens(self.invented, "pack_invented"), happens(self.doubled, "pack_doubled")
        shuffles = happens(self.shuffled, "pack_shuffled")
        kept = [
            one
            for one in answers
            if "[[pack_missing]]" not in texts[one["row"]] and dice.fraction() >= self.missing * more
        ]
        if invents:
            kept.append({**answers[0], "row": len(answers) + 1 + dice.below(3)})
        if doubles:
            kept.append({**answers[-1], "row": answers[0]["row"]})
        if shuffles and len(kept) > 1:
            kept[0], kept[-1] = kept[-1], kept[0]
        return kept


def faults_of(settings: Settings) -> PackFaults:
    """Return the faults that the settings ask for."""
    return PackFaults(
        settings.pack_missing_rate,
        settings.pack_invented_rate,
        settings.pack_doubled_rate,
        settings.pack_shuffled_rate,
        settings.pack_growth,
    )


def item_of(schema: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema of one row's answer, without its number; None if the schema is not that of a pack."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    rows = properties.get("rows") if isinstance(properties, dict) else None
    item = rows.get("items") if isinstance(rows, dict) else None
    if not isinstance(item, dict) or item.get("properties", {}).get("row") != {"type": "integer"}:
        return None
    defs = {word: schema[word] for word in ("$defs", "definitions") if word in schema}
    own = {name: inner for name, inner in item["properties"].items() if name != "row"}
    return {**item, **defs, "properties": own, "required": [name for name in item.get("required", []) if name != "row"]}


def rows_in(text: str) -> list[tuple[int, str]]:
    """Return the numbers and texts of the rows in a message. Fences with another key than the first are text."""
    found = _ROW.findall(text)
    return [(int(number), words) for number, key, words in found if key == found[0][1]]
