"""Record a function's AWS calls: a JSON line for each, with the resources that it names, never what it carries.

It runs in the functions' processes, by its path, so it imports nothing of the project.
"""

import json
import os
from typing import Any

_FUNCTION_NAME_ENV = "AWS_LAMBDA_FUNCTION_NAME"
_NAMES = {
    "Bucket", "Key", "Prefix", "VersionId", "CopySource", "TableName", "QueueUrl", "SecretId", "FunctionName",
    "stateMachineArn", "executionArn",
}  # fmt: skip


def record(path: str) -> None:
    """Append each AWS call of this process to the file at `path`, from now on."""
    import botocore

    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    function = os.environ.get(_FUNCTION_NAME_ENV, "")

    def note(**event: Any) -> None:
        params, model = event["params"], event["model"]
        named = {name: value for name, value in params.items() if name in _NAMES}
        writes = [[kind, item[kind]["TableName"]] for item in params.get("TransactItems", []) for kind in item]
        call = {"function": function, "service": model.service_model.signing_name, "operation": model.name, **named}
        line = json.dumps(call | ({"writes": writes} if writes else {}), default=str)
        os.write(file, line.encode() + b"\n")  # one write, so that lines of several processes do not mix

    botocore.register_initializer(lambda session: session.register("provide-client-params.*.*", note))
