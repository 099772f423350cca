"""Read a SAM template, including CloudFormation's short forms, as plain dicts and lists."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

try:  # libyaml is ten times as fast
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment] # the same loader, in Python

ALARM = "AWS::CloudWatch::Alarm"
FUNCTION = "AWS::Serverless::Function"
LAYER = "AWS::Serverless::LayerVersion"
STATE_MACHINE = "AWS::Serverless::StateMachine"


class _Loader(SafeLoader):
    """A SafeLoader that supports `!Ref` and other short forms, and keeps dates (policy versions) as text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in SafeLoader.yaml_implicit_resolvers.items()
}


def _long_form(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    name = tag if tag in ("Ref", "Condition") else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        text = loader.construct_scalar(node)
        return {name: str(text).split(".", 1) if tag == "GetAtt" else text}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {name: loader.construct_mapping(node, deep=True)}
    raise yaml.constructor.ConstructorError(None, None, f"unexpected node under !{tag}", node.start_mark)


_Loader.add_multi_constructor("!", _long_form)


def read_template(path: Path) -> dict[str, Any]:
    """Return the template at `path`, with intrinsic functions in their long form."""
    return template_of_text(path.read_text(encoding="utf-8"))


def template_of_text(text: str) -> dict[str, Any]:
    """Return the template in a text, YAML or JSON."""
    # _Loader is a SafeLoader, which S506 does not see.
    loaded: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader that also knows !Ref and its like
    return loaded


def computed_alarms(template: dict[str, Any]) -> list[str]:
    """Return the alarms on several metrics, which the embedded stack cannot compute and leaves out."""
    return [name for name, properties in resources_of_type(template, ALARM) if "Metrics" in properties]


def resources_of_type(template: dict[str, Any], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield logical id and properties of each resource of this type."""
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] == kind:
            yield logical_id, resource.setdefault("Properties", {})


def globals_of(template: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the `Globals` for this type; empty if there are none."""
    section = kind.removeprefix("AWS::Serverless::")
    found: dict[str, Any] = template.get("Globals", {}).get(section, {})
    return found
