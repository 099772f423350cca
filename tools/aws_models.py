"""Write the parts of botocore's data that the functions use: `python -m tools.aws_models`.

A client's first use parses its service's model, rules and endpoints: megabytes of JSON, a third of a cold start's CPU.
The functions call two dozen operations, so `adapters/aws/models/` holds these alone, unchanged but for their texts.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore
from botocore.loaders import Loader

FOLDER = Path(__file__).parents[1] / "layers/core/batchdrop/adapters/aws/models"
OPERATIONS = {
    "dynamodb": (
        "DeleteItem", "DescribeTable", "GetItem", "PutItem", "Query", "Scan", "TransactWriteItems", "UpdateItem",
    ),
    "events": ("PutEvents",),
    "lambda": ("Invoke",),
    "s3": (
        "AbortMultipartUpload", "CompleteMultipartUpload", "CreateMultipartUpload", "GetObject", "HeadObject",
        "ListObjectsV2", "PutObject", "UploadPart", "UploadPartCopy",
    ),
    "secretsmanager": ("GetSecretValue",),
    "sqs": ("SendMessage",),
    "stepfunctions": (
        "ListExecutions", "SendTaskFailure", "SendTaskHeartbeat", "SendTaskSuccess", "StartExecution",
    ),
}  # fmt: skip
SHAPES = {"dynamodb": ("TableDescription",)}  # that boto3's own resources name
SHARED = ("_retry", "partitions", "sdk-default-configuration")
Json = dict[str, Any]


def files() -> Iterator[tuple[str, Json]]:
    """Yield each file: its path without `.json`, as botocore's loader names it, and its content."""
    loader = Loader()
    endpoint_names = set()
    for service, operations in OPERATIONS.items():
        version = loader.determine_latest_version(service, "service-2")
        model = loader.load_service_model(service, "service-2")
        endpoint_names.add(model["metadata"]["endpointPrefix"])
        yield f"{service}/{version}/service-2", _model(model, operations, SHAPES.get(service, ()))
        yield (
            f"{service}/{version}/endpoint-rule-set-1",
            _plain(loader.load_service_model(service, "endpoint-rule-set-1")),
        )
        pages = loader.load_service_model(service, "paginators-1")["pagination"]
        used = {name: pages[name] for name in operations if name in pages}
        if used:
            yield f"{service}/{version}/paginators-1", {"pagination": used}
    for name in SHARED:
        yield name, loader.load_data(name)
    yield "endpoints", _endpoints(loader.load_data("endpoints"), endpoint_names)


def _model(model: Json, operations: tuple[str, ...], shapes: tuple[str, ...]) -> Json:
    """Return a service's model with these operations and the shapes that they reach."""
    kept = {name: model["operations"][name] for name in operations}
    reached: set[str] = set()
    ahead = [*shapes, *_shapes_in(list(kept.values()))]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += _shapes_in(model["shapes"][name])
    found = {name: shape for name, shape in model["shapes"].items() if name in reached}
    whole: Json = _plain({**model, "operations": kept, "shapes": found})
    return whole


def _shapes_in(value: Any) -> Iterator[str]:
    """Yield the names of all shapes that a part of a model refers to."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "shape" and isinstance(inner, str):
                yield inner
            else:
                yield from _shapes_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _shapes_in(inner)


def _endpoints(data: Json, names: set[str]) -> Json:
    """Return the endpoints of these services, in every partition."""
    partitions = []
    for partition in data["partitions"]:
        services = {name: value for name, value in partition["services"].items() if name in names}
        partitions.append({**partition, "services": services})
    return {**data, "partitions": partitions}


def _plain(value: Any) -> Any:
    """Return a model with empty documentation. botocore reads some of it, so the keys stay."""
    if isinstance(value, dict):
        return {key: "" if _is_text(key, inner) else _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _is_text(key: str, value: Any) -> bool:
    return key == "documentation" and isinstance(value, str)


def encoded(content: Json) -> str:
    """Return a file's text."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False) + "\n"


def main() -> None:
    """Write all files."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name, content in files():
        path = FOLDER / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(encoded(content), encoding="utf-8")
    source = {"source": f"botocore {botocore.__version__}, Apache License 2.0, by python -m tools.aws_models"}
    (FOLDER / "source.json").write_text(encoded(source), encoding="utf-8")


if __name__ == "__main__":
    main()
