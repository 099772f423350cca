"""Resolve an expanded template for given parameters: evaluate conditions, fill in parameters.

It serves checks of the resources that will exist. Only the functions that conditions use are supported.
"""

from collections.abc import Callable, Mapping
from typing import Any

_NOTHING = object()


def resolve_template(expanded: Mapping[str, Any], parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the template with each `Ref` to a parameter replaced by its value or default.

    Resources and outputs with a false condition are removed, and so is `AWS::NoValue`. Raises KeyError for an unknown
    condition, and ValueError for one with an unknown function.
    """
    values = {name: one.get("Default", "") for name, one in expanded.get("Parameters", {}).items()}
    resolver = _Resolver(values | dict(parameters or {}), expanded.get("Conditions", {}))
    kept = {name: value for name, value in expanded.items() if name not in {"Conditions", "Parameters"}}
    for section in ("Resources", "Outputs"):
        present = {name: one for name, one in kept.get(section, {}).items() if resolver.is_there(one)}
        kept[section] = {name: _without_condition(one) for name, one in present.items()}
    resolved: dict[str, Any] = resolver.value(kept)
    return resolved


def _without_condition(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name != "Condition"}


class _Resolver:
    def __init__(self, parameters: Mapping[str, Any], conditions: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self._conditions = conditions

    def is_there(self, resource: Mapping[str, Any]) -> bool:
        return "Condition" not in resource or self._holds({"Condition": resource["Condition"]})

    def value(self, node: Any) -> Any:
        """Return a node with everything below it resolved; `_NOTHING` for `AWS::NoValue`."""
        if isinstance(node, list):
            return [value for one in node if (value := self.value(one)) is not _NOTHING]
        if not isinstance(node, dict):
            return node
        if node == {"Ref": "AWS::NoValue"}:
            return _NOTHING
        if node.keys() == {"Ref"} and node["Ref"] in self._parameters:
            return self._parameters[node["Ref"]]
        if node.keys() == {"Fn::If"}:
            condition, then, otherwise = node["Fn::If"]
            return self.value(then if self._holds({"Condition": condition}) else otherwise)
        return {name: value for name, one in node.items() if (value := self.value(one)) is not _NOTHING}

    def _holds(self, condition: Mapping[str, Any]) -> bool:
        [(function, given)] = condition.items()
        decide: dict[str, Callable[[], bool]] = {
            "Condition": lambda: self._holds(self._conditions[given]),
            "Fn::Not": lambda: not self._holds(given[0]),
            "Fn::And": lambda: all(map(self._holds, given)),
            "Fn::Or": lambda: any(map(self._holds, given)),
            "Fn::Equals": lambda: str(self.value(given[0])) == str(self.value(given[1])),
        }
        if function not in decide:
            raise ValueError(f"a condition uses {function}, which is not supported")
        return decide[function]()
