"""A process that owns a stack: starts one of the small project, lets a function run for long, and waits.

python stack_owner.py <template> <log directory>
"""

import json
import sys
import time
from pathlib import Path

from batchdrop.local.exit_with_parent import exit_with_parent_if_requested
from batchdrop.local.stack import EmbeddedStack, StackOptions


def main() -> None:
    """Own a stack until killed."""
    exit_with_parent_if_requested()
    options = StackOptions(template=Path(sys.argv[1]), log_dir=Path(sys.argv[2]))
    with EmbeddedStack(options) as stack:
        shards = json.dumps([{"do": "sleep:600"}] * 2)
        stack.clients.s3().put_object(Bucket=stack.bucket, Key="inbox/r/long.json", Body=shards.encode())
        while True:
            time.sleep(0.1)
            stack.check_alive()


if __name__ == "__main__":
    main()
