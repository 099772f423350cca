"""`batchdrop up`: run the stack in the foreground until Ctrl-C."""

from __future__ import annotations

import sys
import time

from batchdrop.cli.console import CommandOutput
from batchdrop.cli.run.one_shot import local_parameters
from batchdrop.cli.run.running_stacks import noted
from batchdrop.cli.run.service import Service
from batchdrop.local.stack import EmbeddedStack, StackOptions

LOOK_SECONDS = 1.0


def keep_up(service: Service, output: CommandOutput, *, port: int | None, wait_scale: float) -> None:
    """Print where the stack is, and run it until Ctrl-C. Raises StackError if it ends by itself."""
    console = output.console
    options = StackOptions(
        wait_scale=wait_scale,
        anthropic_base_url=service.base_url,
        anthropic_api_key=service.api_key,
        ministack_port=port,
        overrides=local_parameters(wait_scale),
    )
    console.print(service.description, highlight=False, soft_wrap=True)
    with EmbeddedStack(options) as stack, noted(stack.endpoint_url):
        if output.json:
            output.line(_where(stack))
            sys.stdout.flush()
        console.print(_how_to_drop(stack), highlight=False, soft_wrap=True, markup=False)
        try:
            while True:
                stack.check_alive()
                time.sleep(LOOK_SECONDS)
        except KeyboardInterrupt:
            console.print("stopping ...")


def _where(stack: EmbeddedStack) -> dict[str, str]:
    return {
        "endpoint_url": stack.endpoint_url,
        "claude_base_url": stack.claude_base_url,
        "region": stack.region,
        "stack": stack.options.stack_name,
        "bucket": stack.bucket,
    }


def _how_to_drop(stack: EmbeddedStack) -> str:
    aws = (
        f"AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION={stack.region} "
        f"aws --endpoint-url {stack.endpoint_url} s3"
    )
    return f"""\
AWS endpoint  {stack.endpoint_url}
Claude API    {stack.claude_base_url}
bucket        {stack.bucket}
drop a file   batchdrop drop examples/reviews.csv --recipe examples/recipes/sentiment.yaml
              or with any S3 client, as these two lines do:
              {aws} cp examples/recipes/sentiment.yaml s3://{stack.bucket}/recipes/
              {aws} cp examples/reviews.csv s3://{stack.bucket}/inbox/sentiment/
get it back   batchdrop fetch JOB
              {aws} cp --recursive s3://{stack.bucket}/results/ out/
see jobs      batchdrop ls, watch JOB, show JOB, cancel JOB, resume JOB
              (with --endpoint-url {stack.endpoint_url} if another `batchdrop up` runs on this machine)
Ctrl-C stops everything."""
