"""Compare checkov's findings in the template with the exceptions in `.checkov.yaml`: `make checkov`.

It exits with 1 for a finding without an exception, and for an exception without a finding, so both lists stay short.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from batchdrop.local.expand_template import expand_template
from batchdrop.local.resolve_template import resolve_template

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / ".checkov.yaml"
EVERYTHING: dict[str, Any] = {
    "AlarmTopicArn": "arn:aws:sns:us-east-1:111122223333:alarms",
    "NotifyEmail": "somebody@example.com",
    "NotifyWebhook": "https://hooks.example.com/services/T0/B0/x",
    "SpendAlarmUsd": 100,
    "KmsKeyArn": "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "ResultsDays": 365,
    "HttpsProxy": "http://proxy.example.com:3128",
    "CaLayerArn": "arn:aws:lambda:us-east-1:111122223333:layer:company-ca:3",
}
ON_AWS: dict[str, Any] = {"Provider": "aws", "WorkspaceId": "wrkspc_01test"}
VARIANTS: dict[str, dict[str, Any]] = {"plain": {}, "everything": EVERYTHING, "on AWS": {**EVERYTHING, **ON_AWS}}


def exceptions() -> set[str]:
    """Return the checks that have an exception."""
    return set(yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["skip-check"])


def template_for(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the CloudFormation template for these parameters."""
    return resolve_template(expand_template(ROOT / "template.yaml"), parameters)


def findings(checkov: Path) -> dict[str, set[str]]:
    """Run checkov offline on the template, plain and with every option on; return resources by failed check."""
    with tempfile.TemporaryDirectory() as folder:
        files: list[str] = []
        for name, parameters in VARIANTS.items():
            path = Path(folder) / f"{name}.json"
            path.write_text(json.dumps(template_for(parameters)), encoding="utf-8")
            files += ["--file", str(path)]
        options = ["--framework", "cloudformation", "--skip-download", "--output", "json", "--soft-fail"]
        command = [str(checkov), *files, *options]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603 - our own tool
    return by_check(json.loads(done.stdout))


def by_check(report: dict[str, Any]) -> dict[str, set[str]]:
    """Return the failed checks in checkov's report, with their resources. Raises ValueError if it read nothing."""
    if report["summary"]["parsing_errors"] or not report["summary"]["passed"]:
        message = "checkov could not read the templates"
        raise ValueError(message)
    found: dict[str, set[str]] = {}
    for failed in report["results"]["failed_checks"]:
        found.setdefault(f"{failed['check_id']}", set()).add(f"{failed['resource']}: {failed['check_name']}")
    return found


def complaints(found: dict[str, set[str]], excepted: set[str]) -> list[str]:
    """Return a line for each finding without an exception, and for each exception without a finding."""
    new = [f"{check}: {what}" for check in sorted(found.keys() - excepted) for what in sorted(found[check])]
    old = [f"{check}: nothing is found; drop it from {CONFIG.name}" for check in sorted(excepted - found.keys())]
    return new + old


def main(checkov: str) -> int:
    """Print the differences; return the exit code."""
    found = findings(Path(checkov))
    lines = complaints(found, exceptions())
    sys.stdout.write(
        "".join(f"{line}\n" for line in lines) or f"checkov: {len(found)} findings, each with its reason\n"
    )
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
