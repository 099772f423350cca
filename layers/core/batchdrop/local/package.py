"""Package the project for ministack: a template that it can deploy, and the code as artifacts.

The template differs from the one for AWS in five points: the functions' `Runtime`, the number of workers of a queue,
the location of code, alarms on several metrics, which ministack cannot compute and which are left out, and the
parameter `LedgerFile`, which the functions see as BATCHDROP_LEDGER_FILE. A function's archive holds its own code and a
`bootstrap`; the code of its layers is in a folder of the stack (`layer_code`).
"""

import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from batchdrop.local.code_archive import CodeArchive, content_key
from batchdrop.local.layer_code import copy_layer
from batchdrop.local.sam_template import (
    FUNCTION,
    LAYER,
    STATE_MACHINE,
    computed_alarms,
    globals_of,
    read_template,
    resources_of_type,
)
from batchdrop.settings import ANSWERS_FILE_ENV, CREDENTIALS_FILE_ENV, LEDGER_FILE_ENV

ARTIFACTS_BUCKET = "batchdrop-local-artifacts"
# With `python3.x`, ministack turns every exception into Runtime.HandlerError.
LOCAL_RUNTIME = "provided.al2023"
# A SQLite file that holds the ledger in place of the DynamoDB table; empty for the table.
LEDGER_FILE = "LedgerFile"
ANSWERS_FILE = "AnswersFile"  # likewise: of the answer store
CREDENTIALS_FILE = "ClaudeCredentialsFile"  # likewise: of credentials that sign calls to Claude Platform on AWS
_LOCAL_FILES = {
    LEDGER_FILE: LEDGER_FILE_ENV,
    ANSWERS_FILE: ANSWERS_FILE_ENV,
    CREDENTIALS_FILE: CREDENTIALS_FILE_ENV,
}
# ministack needs an event source's MaximumConcurrency as a number, but a !Ref gives text. Each worker is a
# process here, and a laptop has few cores.
LOCAL_WORKERS = 2


class PackageError(Exception):
    """The template uses a feature that local packaging does not support; the message says which and where."""


@dataclass(frozen=True)
class Package:
    """A deployable template and its artifacts, by key in ARTIFACTS_BUCKET."""

    template: dict[str, Any]
    artifacts: dict[str, bytes]


def package(template_path: Path, layers: Path) -> Package:
    """Return the package of the SAM template at `template_path`; its paths are relative to its directory.

    The layers' code is copied into the folder `layers`, which must stay as long as the functions run.
    """
    return _Packaging(read_template(template_path), template_path.parent, layers).packaged()


def add_local_files(template: dict[str, Any]) -> None:
    """Add the parameters that name local files to a template, and pass them to all functions.

    They are the ledger's, the answer store's and that of AWS credentials.
    """
    template.setdefault("Parameters", {})
    shared = template.setdefault("Globals", {}).setdefault("Function", {})
    variables = shared.setdefault("Environment", {}).setdefault("Variables", {})
    for parameter, variable in _LOCAL_FILES.items():
        template["Parameters"][parameter] = {"Type": "String", "Default": ""}
        variables[variable] = {"Ref": parameter}


class _Packaging:
    def __init__(self, template: dict[str, Any], root: Path, layers: Path) -> None:
        self._original = template
        self._template = copy.deepcopy(template)
        self._root = root
        self._layers = layers
        self._artifacts: dict[str, bytes] = {}

    def packaged(self) -> Package:
        self._leave_out_computed_alarms()
        for logical_id, properties in resources_of_type(self._template, FUNCTION):
            properties["CodeUri"] = self._stored(self._function_zip(logical_id), ".zip")
            if "Runtime" in properties:
                properties["Runtime"] = LOCAL_RUNTIME
            for source in properties.get("Events", {}).values():
                if "ScalingConfig" in source["Properties"]:
                    source["Properties"]["ScalingConfig"] = {"MaximumConcurrency": LOCAL_WORKERS}
        add_local_files(self._template)
        if "Runtime" in globals_of(self._template, FUNCTION):
            globals_of(self._template, FUNCTION)["Runtime"] = LOCAL_RUNTIME
        for name, properties in resources_of_type(self._template, LAYER):
            copy_layer(self._folder(properties["ContentUri"]), self._layers / name)
            properties["ContentUri"] = self._stored(CodeArchive().to_zip(), ".zip")
        for _, properties in resources_of_type(self._template, STATE_MACHINE):
            if "DefinitionUri" in properties:
                properties["DefinitionUri"] = self._stored(self._definition(properties), ".json")
        return Package(self._template, self._artifacts)

    def _leave_out_computed_alarms(self) -> None:
        for name in computed_alarms(self._template):
            del self._template["Resources"][name]

    def _stored(self, content: bytes, suffix: str) -> str:
        key = content_key(content, suffix)
        self._artifacts[key] = content
        return f"s3://{ARTIFACTS_BUCKET}/{key}"

    def _function_zip(self, logical_id: str) -> bytes:
        properties = self._original["Resources"][logical_id].get("Properties", {})
        shared = globals_of(self._original, FUNCTION)
        code = properties.get("CodeUri", shared.get("CodeUri"))
        if not isinstance(code, str):
            raise PackageError(f"{logical_id}: CodeUri must be a directory of the project, not {code!r}")
        layers = [*shared.get("Layers", []), *properties.get("Layers", [])]
        archive = CodeArchive()
        archive.add_directory(self._folder(code))
        archive.add_bootstrap(self._layers / name for name in self._own_layers(layers))
        return archive.to_zip()

    def _own_layers(self, layers: Iterable[Any]) -> list[str]:
        own = {name for name, _ in resources_of_type(self._original, LAYER)}
        names = [layer.get("Ref") for layer in layers if isinstance(layer, dict)]
        return [name for name in names if name in own]

    def _folder(self, name: str) -> Path:
        if not (self._root / name).is_dir():
            raise PackageError(f"{name}: the directory does not exist below {self._root}")
        return self._root / name

    def _definition(self, properties: dict[str, Any]) -> bytes:
        """Return the state machine's definition as JSON; ministack does not read YAML here."""
        path = self._root / properties["DefinitionUri"]
        text = json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), indent=1)
        for name in self._numbers(properties.get("DefinitionSubstitutions", {})):
            # As on AWS, `MaxConcurrency: ${N}` becomes a number once N's value is filled in.
            text = text.replace(f'"${{{name}}}"', f"${{{name}}}")
        return text.encode()

    def _numbers(self, substitutions: dict[str, Any]) -> list[str]:
        parameters = self._original.get("Parameters", {})
        return [name for name, value in substitutions.items() if _is_number(value, parameters)]


def _is_number(value: Any, parameters: dict[str, Any]) -> bool:
    if isinstance(value, dict):
        return bool(parameters.get(value.get("Ref", ""), {}).get("Type") == "Number")
    return isinstance(value, int | float) and not isinstance(value, bool)
