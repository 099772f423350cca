"""Make a JSON value for a schema, chosen by dice (or by sentiment, if an enum lists sentiments)."""

from typing import Any

from batchdrop.local.claude_api.alternatives import choose
from batchdrop.local.claude_api.dice import Dice
from batchdrop.local.claude_api.schema_rules import resolve_ref

_WORDS = ("clear", "plain", "useful", "brief", "typical", "recent", "common", "simple", "detailed", "short")
_FORMATS = {
    "date-time": "2026-0{m}-1{d}T0{d}:30:00Z",
    "time": "0{d}:30:00Z",
    "date": "2026-0{m}-1{d}",
    "duration": "P{m}D",
    "email": "reader{d}@example.com",
    "hostname": "host{d}.example.com",
    "uri": "https://example.com/{d}",
    "ipv4": "192.0.2.{d}",
    "ipv6": "2001:db8::{m}",
    "uuid": "0f8fad5b-d9cb-469f-a165-7086728{m}950e",
}
_MAX_DEPTH = 12
WHOLE, LOW, HIGH = (0.05, 0.95), (0.05, 0.45), (0.91, 0.99)  # parts of a number's range


def instance_of(schema: dict[str, Any], text: str, dice: Dice, part: tuple[float, float] = WHOLE) -> Any:
    """Return a value that is valid for `schema`. Numbers are in this part of their range.

    Supported are type, properties, required, enum, const, items, anyOf, oneOf (as anyOf), allOf (merged), $ref into the
    same schema, format, and bounds. `pattern` and `not` are ignored.
    """
    return _Writer(schema, text, dice, part).value(schema, 0)


class _Writer:
    def __init__(self, root: dict[str, Any], text: str, dice: Dice, part: tuple[float, float]) -> None:
        self._part = part
        self._root = root
        self._text = text
        self._dice = dice

    def value(self, schema: Any, depth: int) -> Any:
        if schema is True or not schema:
            return self._dice.pick(_WORDS)
        schema = self._flat(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._choice(schema["enum"])
        options = schema.get("anyOf") or schema.get("oneOf")
        if options:
            base = {word: held for word, held in schema.items() if word not in {"anyOf", "oneOf"}}
            return self.value(_merged(base, self._flat(self._option(options, depth))), depth + 1)
        return self._of_type(schema, depth)

    def _option(self, options: list[Any], depth: int) -> Any:
        """Return one of the options; at great depth the smallest, so that recursive schemas end."""
        if depth < _MAX_DEPTH:
            return self._dice.pick(options)
        return min(options, key=lambda option: len(str(self._flat(option))))

    def _flat(self, schema: Any) -> dict[str, Any]:
        """Follow $ref and merge allOf."""
        flat: dict[str, Any] = dict(schema)
        hops = 0
        while "$ref" in flat and hops < _MAX_DEPTH:
            target = resolve_ref(flat.pop("$ref"), self._root) or {}
            flat = _merged(flat, target)
            hops += 1
        for part in flat.pop("allOf", []):
            flat = _merged(flat, self._flat(part))
        return flat

    def _choice(self, values: list[Any]) -> Any:
        if all(isinstance(value, str) for value in values):
            return choose(values, self._text, self._dice)
        return self._dice.pick(values)

    def _of_type(self, schema: dict[str, Any], depth: int) -> Any:
        kind = schema.get("type") or ("object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = self._dice.pick(kind)
        match kind:
            case "object" | "array":
                return self._object(schema, depth) if kind == "object" else self._array(schema, depth)
            case "integer" | "number":
                return self._integer(schema) if kind == "integer" else self._number(schema)
            case "boolean" | "null":
                return bool(self._dice.below(2)) if kind == "boolean" else None
            case _:
                return self._string(schema)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        required = set(schema.get("required", []))
        written = {}
        for name, inner in schema.get("properties", {}).items():
            if name in required or (depth < _MAX_DEPTH and self._dice.below(4)):
                written[name] = self.value(inner, depth + 1)
        for name in required - written.keys():
            written[name] = self._dice.pick(_WORDS)
        return written

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        least = schema.get("minItems", 0)
        most = min(schema.get("maxItems", least + 3), least + 3)
        length = least if depth >= _MAX_DEPTH else least + self._dice.below(most - least + 1)
        return [self.value(schema.get("items", True), depth + 1) for _ in range(length)]

    def _integer(self, schema: dict[str, Any]) -> int:
        low, high = _bounds(schema, step=1)
        return int(low) + self._dice.below(int(high) - int(low) + 1)

    def _number(self, schema: dict[str, Any]) -> float:
        low, high = _bounds(schema, step=0)
        first, last = self._part
        middle = low + (high - low) * (first + (last - first) * self._dice.fraction())
        rounded = round(middle, 2)
        return rounded if low < rounded < high else middle

    def _string(self, schema: dict[str, Any]) -> str:
        pattern = _FORMATS.get(schema.get("format", ""))
        if pattern is not None:
            return pattern.format(m=1 + self._dice.below(9), d=self._dice.below(10))
        text = f"{self._dice.pick(_WORDS)} {self._dice.pick(_WORDS)}"
        least = schema.get("minLength", 0)
        while len(text) < least:
            text += f" {self._dice.pick(_WORDS)}"
        return text[: max(least, schema.get("maxLength", len(text)))]


def _bounds(schema: dict[str, Any], *, step: int) -> tuple[float, float]:
    """Return the lowest and highest allowed value; by default 0 to 1 (numbers) or 100 (integers)."""
    low = schema.get("minimum", schema["exclusiveMinimum"] + step if "exclusiveMinimum" in schema else None)
    high = schema.get("maximum", schema["exclusiveMaximum"] - step if "exclusiveMaximum" in schema else None)
    span = 100 if step else 1
    if low is None:
        low = 0 if high is None else min(0, high - span)
    return low, max(low, low + span) if high is None else high


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    merged = {**first, **second}
    if "properties" in first and "properties" in second:
        merged["properties"] = {**first["properties"], **second["properties"]}
    if "required" in first and "required" in second:
        merged["required"] = [*first["required"], *second["required"]]
    return merged
