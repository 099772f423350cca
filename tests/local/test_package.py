"""Packaging changes the functions' runtime and the places of the code, and nothing else."""

import copy
import io
import json
import shutil
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from batchdrop.local.layer_code import copy_layer
from batchdrop.local.package import (
    ANSWERS_FILE,
    CREDENTIALS_FILE,
    LEDGER_FILE,
    LOCAL_RUNTIME,
    Package,
    PackageError,
    package,
)
from batchdrop.local.sam_template import FUNCTION, LAYER, STATE_MACHINE, read_template, resources_of_type
from tests.project import ROOT

CODE_PATHS = {FUNCTION: "CodeUri", LAYER: "ContentUri", STATE_MACHINE: "DefinitionUri"}


def _artifact(packaged: Package, location: str) -> bytes:
    return packaged.artifacts[location.rsplit("/", 1)[-1]]


def _archive(packaged: Package, logical_id: str, path: str) -> zipfile.ZipFile:
    location = packaged.template["Resources"][logical_id]["Properties"][path]
    return zipfile.ZipFile(io.BytesIO(_artifact(packaged, location)))


def _definition(packaged: Package) -> str:
    return _artifact(packaged, packaged.template["Resources"]["Job"]["Properties"]["DefinitionUri"]).decode()


def _without_code_paths(template: dict[str, Any]) -> dict[str, Any]:
    rest = copy.deepcopy(template)
    for kind, name in CODE_PATHS.items():
        for _, properties in resources_of_type(rest, kind):
            del properties[name]
    return rest


def test_only_runtime_code_paths_and_local_files_change(template: Path, tmp_path: Path) -> None:
    """What is deployed is the project's own template. Without files, ledger and answer store are AWS's."""
    original, packaged = read_template(template), package(template, tmp_path).template
    variables = packaged["Globals"]["Function"]["Environment"]["Variables"]
    for parameter, variable in (
        (LEDGER_FILE, "BATCHDROP_LEDGER_FILE"),
        (ANSWERS_FILE, "BATCHDROP_ANSWERS_FILE"),
        (CREDENTIALS_FILE, "BATCHDROP_CLAUDE_CREDENTIALS_FILE"),
    ):
        assert packaged["Parameters"].pop(parameter)["Default"] == ""
        assert variables.pop(variable) == {"Ref": parameter}
    assert original["Globals"]["Function"].pop("Runtime") == "python3.13"
    assert packaged["Globals"]["Function"].pop("Runtime") == LOCAL_RUNTIME
    assert _without_code_paths(packaged) == _without_code_paths(original)


def test_alarms_that_compute_are_left_out(template: Path, tmp_path: Path) -> None:
    """The local CloudFormation knows alarms on one metric only; those stay."""
    changed = shutil.copytree(template.parent, tmp_path / "project") / template.name
    kind = "AWS::CloudWatch::Alarm"
    more = "".join(
        f"  {name}: {{Type: '{kind}', Properties: {{{field}: []}}}}\n"
        for name, field in (("Computed", "Metrics"), ("Plain", "Dimensions"))
    )
    changed.write_text(changed.read_text().replace("Resources:\n", f"Resources:\n{more}", 1))
    left = package(changed, tmp_path / "layers").template["Resources"]
    assert "Plain" in left
    assert left.keys() == read_template(changed)["Resources"].keys() - {"Computed"}


def test_same_files_same_bytes(template: Path, tmp_path: Path) -> None:
    """Packaging twice gives identical artifacts under identical keys."""
    assert package(template, tmp_path) == package(template, tmp_path)


def test_function_archive(template: Path, tmp_path: Path) -> None:
    """It has the function's code at its root, and an executable bootstrap that finds the layers' code."""
    archive = _archive(package(template, tmp_path), "AnswerShardFunction", "CodeUri")
    assert sorted(archive.namelist()) == ["app.py", "bootstrap"]
    assert (archive.getinfo("bootstrap").external_attr >> 16) & stat.S_IXUSR
    [layer] = tmp_path.iterdir()
    assert f'PYTHONPATH="$LAMBDA_TASK_ROOT":{layer}\n'.encode() in archive.read("bootstrap")
    assert (layer / "batchdrop" / "errors.py").is_file()


def test_a_layer_as_it_is_shipped(tmp_path: Path) -> None:
    """Its copy has neither the command line nor what builds it, and no function compiles what lies there compiled."""
    copy_layer(ROOT / "layers" / "core", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"batchdrop"}
    assert {"adapters", "answers", "finish"} <= {path.name for path in (tmp_path / "batchdrop").iterdir()}
    assert not {"cli", "library", "local"} & {path.name for path in (tmp_path / "batchdrop").iterdir()}
    original, copied = ROOT / "layers/core/batchdrop/errors.py", tmp_path / "batchdrop/errors.py"
    assert original.stat().st_mtime_ns == copied.stat().st_mtime_ns


def test_definition_becomes_json(template: Path, tmp_path: Path) -> None:
    """Placeholders stay; one for a Number parameter is a number once its value stands there."""
    text = _definition(package(template, tmp_path))
    assert '"FunctionName": "${AnswerShardFunctionArn}"' in text
    substituted = json.loads(text.replace("${MapConcurrency}", "3"))
    assert substituted["States"]["Answer shards"]["MaxConcurrency"] == 3


def test_layer_without_code_adds_nothing(tmp_path: Path) -> None:
    """A layer of third-party packages alone has none: the packages come from this environment."""
    _write_project(tmp_path, code="functions/one")
    (tmp_path / "layer" / "Makefile").write_text("build:\n")
    (tmp_path / "layer" / "requirements.txt").write_text("pyarrow\n")
    packaged = package(tmp_path / "template.yaml", tmp_path / "layers")
    assert _archive(packaged, "One", "CodeUri").namelist() == ["app.py", "bootstrap"]
    assert [path.name for path in (tmp_path / "layers").rglob("*")] == ["Packages"]


def test_missing_code_directory(tmp_path: Path) -> None:
    """The error names the directory."""
    _write_project(tmp_path, code="functions/gone")
    with pytest.raises(PackageError, match="functions/gone"):
        package(tmp_path / "template.yaml", tmp_path / "layers")


def _write_project(root: Path, *, code: str) -> None:
    (root / "functions" / "one").mkdir(parents=True)
    (root / "functions" / "one" / "app.py").write_text("def handler(event, context): ...\n")
    (root / "layer").mkdir()
    (root / "template.yaml").write_text(f"""
Resources:
  Packages: {{Type: {LAYER}, Properties: {{ContentUri: layer}}}}
  One:
    Type: {FUNCTION}
    Properties: {{CodeUri: {code}, Handler: app.handler, Runtime: python3.13, Layers: [!Ref Packages]}}
""")
