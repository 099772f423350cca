"""Expand the SAM template to plain CloudFormation, offline: without account, region or credentials.

ministack expands templates itself. This module serves checks of the expanded template.
"""

import contextlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from batchdrop.local.sam_template import FUNCTION, LAYER, STATE_MACHINE, read_template, resources_of_type

_EXAMPLE_LOCATION = "s3://example-artifacts/code.zip"


class _NoManagedPolicies:
    """Managed policies are named by ARN in the template, so no account is needed to look them up."""

    def load(self) -> dict[str, str]:
        return {}


def expand_template(
    template_path: Path, *, parameters: Mapping[str, str] | None = None, region: str = "us-east-1"
) -> dict[str, Any]:
    """Return the CloudFormation template that AWS's own translator makes of the SAM template at `template_path`.

    Code locations are an example location in S3. Each state machine's definition file is inlined as `Definition` for
    cfn-lint. Raises samtranslator's InvalidDocumentException if SAM refuses the template.
    """
    template = read_template(template_path)
    definitions = {
        logical_id: _with_definition_inlined(properties, template_path.parent)
        for logical_id, properties in resources_of_type(template, STATE_MACHINE)
    }
    for kind, name in ((FUNCTION, "CodeUri"), (LAYER, "ContentUri")):
        for _, properties in resources_of_type(template, kind):
            properties[name] = _EXAMPLE_LOCATION
    expanded = _translated(template, dict(parameters or {}), region)
    for logical_id, definition in definitions.items():
        properties = expanded["Resources"][logical_id]["Properties"]
        properties.pop("DefinitionS3Location", None)
        properties["Definition"] = definition
    return expanded


def _with_definition_inlined(properties: dict[str, Any], root: Path) -> Any:
    inline = properties.get("Definition")
    if inline is not None:
        return inline
    text = (root / properties["DefinitionUri"]).read_text(encoding="utf-8")
    properties["DefinitionUri"] = _EXAMPLE_LOCATION
    return yaml.safe_load(text)


def _translated(template: dict[str, Any], parameters: dict[str, str], region: str) -> dict[str, Any]:
    # Imported late (1.7 s): only checks need it.
    from samtranslator.translator.transform import transform

    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    with _environment({"AWS_DEFAULT_REGION": region, "AWS_PROFILE": None, "AWS_REGION": None}):
        translated = transform(template, parameters, _NoManagedPolicies())
    # A JSON round trip, because the translator's own types are not plain dicts.
    plain: dict[str, Any] = json.loads(json.dumps(translated))
    return plain


@contextlib.contextmanager
def _environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Set a region for the translator, which gets it from boto3 and the environment."""
    before = {name: os.environ.get(name) for name in changes}
    _set_environment(changes)
    try:
        yield
    finally:
        _set_environment(before)


def _set_environment(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
