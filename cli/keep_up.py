"""`batchdrop up`: the stack in the foreground, until Ctrl-C."""

from __future__ import annotations

import time

from rich.console import Console

from cli.one_shot import local_parameters
from cli.running_stacks import noted
from cli.service import Service
from local.stack import EmbeddedStack, StackOptions

LOOK_SECONDS = 1.0


def keep_up(service: Service, console: Console, *, port: int | None, wait_scale: float) -> bool:
    """Run the stack until Ctrl-C; True then. Raises StackError if it ends by itself."""
    options = StackOptions(
        wait_scale=wait_scale,
        anthropic_base_url=service.base_url,
        anthropic_api_key=service.api_key,
        ministack_port=port,
        overrides=local_parameters(wait_scale),
    )
    console.print(service.description, highlight=False, soft_wrap=True)
    with EmbeddedStack(options) as stack, noted(stack.endpoint_url):
        console.print(_how_to_drop(stack), highlight=False, soft_wrap=True, markup=False)
        try:
            while True:
                stack.check_alive()
                time.sleep(LOOK_SECONDS)
        except KeyboardInterrupt:
            console.print("stopping ...")
    return True


def _how_to_drop(stack: EmbeddedStack) -> str:
    aws = (
        f"AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION={stack.region} "
        f"aws --endpoint-url {stack.endpoint_url} s3"
    )
    return f"""\
AWS endpoint  {stack.endpoint_url}
Claude API    {stack.claude_base_url}
bucket        {stack.bucket}
drop a file   {aws} cp examples/recipes/sentiment.yaml s3://{stack.bucket}/recipes/
              {aws} cp examples/reviews.csv s3://{stack.bucket}/inbox/sentiment/
get it back   {aws} cp --recursive s3://{stack.bucket}/results/ out/
stop a job    batchdrop cancel JOB --endpoint-url {stack.endpoint_url}   (and: batchdrop resume JOB ...)
Ctrl-C stops everything."""
