"""Deploy: checks before the build, then SAM, the key, and a smoke test: `make deploy`.

The first deploy asks for the stack's name, the region and an address for mails, and keeps the answers in deploy.toml.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3

from batchdrop.local.expand_template import expand_template
from batchdrop.local.resolve_template import resolve_template
from batchdrop.settings import AWS
from tools.deploy import checks, saved
from tools.deploy.checks import CannotDeployError, Target
from tools.deploy.key import has_key, store_key, typed_key
from tools.idle_cost import idle_cost

ROOT = Path(__file__).resolve().parents[2]
SAM = ROOT / ".tools/sam/bin/sam"
BATCHDROP = ROOT / ".venv/bin/batchdrop"
DEFAULT_REGION = "us-east-1"
KEY_OUTPUT = "ApiKeySecretArn"  # the output; a stack with Provider aws has none


def deploy(options: argparse.Namespace) -> int:
    """Deploy, and return the exit code. Raises CannotDeployError before anything is built."""
    known = saved.CONFIG.exists()
    expanded = expand_template(ROOT / "template.yaml")
    parameters = saved.parameters() | checks.parameters_of(options.set, expanded["Parameters"])
    stack, region = _wanted(options)
    if not known and (email := options.email or _asked("Address for mails about jobs and alarms", "")):
        parameters["NotifyEmail"] = email
    session = boto3.session.Session(region_name=region)
    target = checks.target_of(session, stack, region)
    exists = checks.refuse_stack_in_the_way(session, target)
    for warning in checks.warnings(session, parameters):
        print(f"note: {warning}")
    resting = sum(idle_cost(resolve_template(expanded, parameters)).values())
    print(f"Account {target.account}, {region}, stack {stack}: ${resting:.2f} a month without any job.")
    is_keyless = parameters.get("Provider") == AWS
    if is_keyless:
        checks.refuse_without_workspace(parameters)
    needs_key = not is_keyless and not (exists and has_key(session, outputs_of(session, stack).get(KEY_OUTPUT)))
    key = typed_key(parameters.get("AnthropicBaseUrl", "")) if needs_key else ""
    if not known or options.set:
        saved.save(stack, region, parameters)
    if not options.built:
        subprocess.run(["make", "build", f"ARCH={options.arch}"], check=True)
    confirm = ["--no-confirm-changeset"] if options.yes else []
    sys.stdout.flush()
    command: list[str | Path] = [SAM, "deploy", "--no-progressbar", "--no-fail-on-empty-changeset", *confirm]
    environment = os.environ | {"SAM_CLI_TELEMETRY": "0"}
    command += ["--config-file", saved.CONFIG.resolve()]
    if ended := subprocess.run(command, check=False, env=environment).returncode:
        return ended
    return _finish(session, target, key, is_set=not needs_key)


def outputs_of(session: Any, stack: str) -> dict[str, str]:
    """Return the stack's outputs by name."""
    [found] = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def _wanted(options: argparse.Namespace) -> tuple[str, str]:
    if saved.CONFIG.exists():
        return saved.stack_name(), saved.region() or DEFAULT_REGION
    stack = options.stack or _asked("Name of the stack", saved.DEFAULT_STACK)
    checks.refuse_bad_name(stack)
    own = boto3.session.Session().region_name or DEFAULT_REGION
    return stack, options.region or _asked("Region", own)


def _asked(what: str, default: str) -> str:
    try:
        return input(f"{what} [{default or 'none'}]: ").strip() or default
    except EOFError:
        return default


def _finish(session: Any, target: Target, key: str, *, is_set: bool) -> int:
    outputs = outputs_of(session, target.stack)
    secret, bucket = outputs.get(KEY_OUTPUT, ""), outputs["BucketName"]
    where = ["--stack", target.stack, "--region", target.region]
    print(f"Stack {target.stack} is deployed.")
    if key:
        store_key(session, secret, key)
        print("The key is in its secret.")
    if not (key or is_set):
        print("It has no key yet. Store one:")
        print(f"  aws secretsmanager put-secret-value --secret-id {secret} --secret-string file://<file with the key>")
    if secret and not key:
        print(f"Let it answer two rows in each lane:\n  batchdrop doctor --smoke {' '.join(where)}")
        return 0
    sys.stdout.flush()
    if ended := subprocess.run([BATCHDROP, "doctor", "--smoke", *where], check=False).returncode:
        return ended
    print("Next, upload a recipe and a file:")
    print(f"  aws s3 cp examples/recipes/sentiment.yaml s3://{bucket}/recipes/")
    print(f"  aws s3 cp examples/reviews.csv s3://{bucket}/inbox/sentiment/")
    return 0


def main() -> int:
    """Deploy as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tools.deploy", description="Deploy to your AWS account.")
    parser.add_argument("--arch", default="arm64", help="the processor to build for")
    parser.add_argument("--stack", help="the stack's name, instead of a question")
    parser.add_argument("--region", help="the region, instead of a question")
    parser.add_argument("--email", help="the address for mails, instead of a question")
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="NAME=VALUE", help="template parameters, kept for later"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before what changes is changed")
    parser.add_argument("--built", action="store_true", help="deploy what .aws-sam/build has")
    try:
        return deploy(parser.parse_args())
    except CannotDeployError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
