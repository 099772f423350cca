"""What a request to the table in memory says: its update, and its condition. What is not known here is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from boto3.dynamodb.conditions import AttributeBase, ConditionBase

Item = dict[str, Any]

_COMPARISON = re.compile(r"(#?\w+) = (:\w+)")
_PRESENCE = re.compile(r"attribute_(not_)?exists\((#?\w+)\)")
_COMPARERS: dict[str, Callable[..., bool]] = {
    "attribute_not_exists": lambda value: value is None,
    "=": lambda value, wanted: bool(value == wanted),
    "<>": lambda value, wanted: value is None or bool(value != wanted),
    "<=": lambda value, most: value is not None and bool(value <= most),
    "begins_with": lambda value, start: str(value).startswith(start),
}


class Update:
    """`SET name = :value, … ADD name :value REMOVE name` under a condition, in words or built with Attr."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request
        self._names = request.get("ExpressionAttributeNames", {})
        self._values = request["ExpressionAttributeValues"]

    def may(self, item: Item | None) -> bool:
        """Tell whether the condition holds for what stands."""
        condition = self._request["ConditionExpression"]
        if isinstance(condition, ConditionBase):
            return holds(condition, item)
        return all_hold(condition, item, self._names, self._values)

    def apply(self, items: dict[tuple[str, str], Item]) -> Item:
        """Change the item; return it as it stands then."""
        kept, _, removed = self._request["UpdateExpression"].partition(" REMOVE ")
        settings, _, addition = kept.partition(" ADD ")
        assert settings.startswith("SET "), f"not known here: {settings}"
        item = dict(items.get(key_of(self._request["Key"]), self._request["Key"]))
        for setting in settings.removeprefix("SET ").split(", "):
            match = _COMPARISON.fullmatch(setting)
            assert match, f"not known here: {setting}"
            item[self._names.get(match[1], match[1])] = self._values[match[2]]
        if addition:
            name, value = addition.split(" ")
            item[name] = item.get(name, 0) + self._values[value]
        item.pop(removed, None)
        items[key_of(item)] = item
        return dict(item)


def all_hold(words: str, item: Item | None, names: Item, values: Item) -> bool:
    """Evaluate a condition in words: comparisons and presences, joined by AND."""
    return all(_holds_in_words(part, item or {}, names, values) for part in words.split(" AND "))


def _holds_in_words(words: str, item: Item, names: Item, values: Item) -> bool:
    if match := _PRESENCE.fullmatch(words):
        return (names.get(match[2], match[2]) in item) is (match[1] is None)
    match = _COMPARISON.fullmatch(words)
    assert match, f"not known here: {words}"
    name = names.get(match[1], match[1])
    return name in item and bool(item[name] == values[match[2]])


def holds(condition: ConditionBase, item: Item | None) -> bool:
    """Evaluate a condition that was built with Attr and Key."""
    operator = condition.get_expression()["operator"]
    left, *rest = condition.get_expression()["values"]
    match operator:
        case "OR":
            return holds(left, item) or holds(rest[0], item)
        case "AND":
            return holds(left, item) and holds(rest[0], item)
    assert isinstance(left, AttributeBase)
    compare = _COMPARERS.get(operator)
    assert compare is not None, f"not known here: {operator}"
    return compare(None if item is None else item.get(left.name), *rest)


def key_of(item: Item) -> tuple[str, str]:
    """Return an item's keys."""
    return item["job"], item["fact"]
