"""`aws …` commands as the AWS CLI reads them, by botocore's own models; and run by boto3, for there is no AWS CLI here.

`aws s3` has a small grammar of its own: `cp` and `ls`, the two that the documentation needs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import OperationModel

RAW = "raw-in-base64-out"
GLOBAL = {"--endpoint-url", "--region", "--profile", "--output", "--query", "--cli-binary-format"}
S3_FLAGS = {"cp": {"--recursive"}, "ls": {"--recursive"}}


class UnknownCommandError(Exception):
    """The AWS CLI would not take it; says why."""


@dataclass
class AwsCall:
    """A parsed command: an operation and its members' values, or one of `aws s3` and its two ends."""

    service: str
    operation: str
    members: dict[str, str] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)


def parse(words: Sequence[str]) -> AwsCall:
    """Read what stands behind `aws`. Raises UnknownCommandError."""
    options, places = _split(words)
    if len(places) < 2:
        message = "it names no service and operation"
        raise UnknownCommandError(message)
    service, operation, *rest = places
    known = {name: value for name, value in options.items() if name not in GLOBAL}
    if service == "s3":
        return _s3(operation, rest, known)
    model = model_of(service, operation)
    members = dict(_members(model, known, raw=options.get("--cli-binary-format") == RAW))
    missing = set(model.input_shape.required_members if model.input_shape else ()) - set(members)
    if missing:
        message = f"aws {service} {operation} needs {', '.join(sorted(missing))}"
        raise UnknownCommandError(message)
    if len(rest) != int(model.has_streaming_output):
        message = f"aws {service} {operation} takes {int(model.has_streaming_output)} words without an option: {rest}"
        raise UnknownCommandError(message)
    return AwsCall(service, operation, members, rest)


def _split(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    places: list[str] = []
    rest = iter(words)
    for word in rest:
        if not word.startswith("--"):
            places.append(word)
        elif word in S3_FLAGS["cp"]:
            options[word] = ""
        else:
            options[word] = next(rest, "")
    return options, places


def model_of(service: str, operation: str) -> OperationModel:
    """Return botocore's model of an operation by its names in the AWS CLI. Raises UnknownCommandError."""
    session = botocore.session.get_session()
    if service not in session.get_available_services():
        message = f"AWS has no service {service}"
        raise UnknownCommandError(message)
    model = session.get_service_model(service)
    for name in model.operation_names:
        if xform_name(name, "-") == operation:
            return model.operation_model(name)
    message = f"{service} has no operation {operation}"
    raise UnknownCommandError(message)


def _members(model: OperationModel, options: dict[str, str], *, raw: bool) -> Iterator[tuple[str, str]]:
    shapes = model.input_shape.members if model.input_shape else {}
    names = {f"--{xform_name(name, '-')}": name for name in shapes}
    for option, value in options.items():
        if option not in names:
            message = f"{model.name} has no option {option} (it has {', '.join(sorted(names))})"
            raise UnknownCommandError(message)
        if shapes[names[option]].type_name == "blob" and not raw and not value.startswith("fileb://"):
            message = f"version 2 takes {option} for base64: add `--cli-binary-format {RAW}`, or give `fileb://FILE`"
            raise UnknownCommandError(message)
        yield names[option], value


def _s3(operation: str, places: list[str], options: dict[str, str]) -> AwsCall:
    if operation not in S3_FLAGS or set(options) - S3_FLAGS[operation]:
        message = f"`aws s3 {operation} {' '.join(options)}` is none that this test knows: teach tests/docs/aws_cli.py"
        raise UnknownCommandError(message)
    wanted = 2 if operation == "cp" else 1
    if len(places) != wanted or not any(place.startswith("s3://") for place in places):
        message = f"aws s3 {operation} takes {wanted} places, one of them s3://…: {places}"
        raise UnknownCommandError(message)
    return AwsCall("s3", operation, places=places, flags=set(options))


def run(call: AwsCall, clients: Any, folder: Path) -> str:
    """Do it, at the stack that `clients` reach; return what it told. Raises botocore's errors and OSError."""
    if call.service == "s3":
        return _copy(call, clients.client("s3"), folder) if call.operation == "cp" else _list(call, clients)
    client = clients.client(call.service)
    model = model_of(call.service, call.operation)
    given = {name: _value(model, name, value) for name, value in call.members.items()}
    return str(getattr(client, call.operation.replace("-", "_"))(**given))


def _value(model: OperationModel, name: str, value: str) -> Any:
    assert model.input_shape is not None
    kind = model.input_shape.members[name].type_name
    return value if kind in {"string", "blob"} else json.loads(value)


def _bucket_and_key(place: str) -> tuple[str, str]:
    bucket, _, key = place.removeprefix("s3://").partition("/")
    return bucket, key


def _copy(call: AwsCall, s3: Any, folder: Path) -> str:
    source, target = call.places
    if source.startswith("s3://"):
        return _download(call, s3, source, folder / target)
    bucket, key = _bucket_and_key(target)
    path = folder / source
    files = sorted(path.rglob("*")) if "--recursive" in call.flags else [path]
    told = []
    for file in filter(Path.is_file, files) if "--recursive" in call.flags else files:
        name = file.relative_to(path).as_posix() if "--recursive" in call.flags else file.name
        s3.upload_file(str(file), bucket, key + name if not key or key.endswith("/") else key)
        told.append(f"upload: {source} to {target}")
    return "\n".join(told)


def _download(call: AwsCall, s3: Any, source: str, target: Path) -> str:
    bucket, prefix = _bucket_and_key(source)
    assert "--recursive" in call.flags, "teach tests/docs/aws_cli.py to fetch one object"
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    for one in found:
        file = target / one["Key"].removeprefix(prefix)
        file.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, one["Key"], str(file))
    return "\n".join(one["Key"] for one in found)


def _list(call: AwsCall, clients: Any) -> str:
    bucket, prefix = _bucket_and_key(call.places[0])
    found = clients.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return "\n".join(one["Key"] for one in found)
