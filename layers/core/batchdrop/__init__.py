"""batchdrop: drop a file into a bucket, get it back with Claude's answer to each row."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes longer to import than all of this, and Ctrl-C then shows a traceback
if TYPE_CHECKING:
    from typing import Any

    from batchdrop.library.asking import Answer, aask, ask
    from batchdrop.library.running import Result, arun, run
    from batchdrop.library.stacks import Job, Stack

_LIBRARY = {
    "aask": "asking",
    "arun": "running",
    "ask": "asking",
    "run": "running",
    "Answer": "asking",
    "Job": "stacks",
    "Result": "running",
    "Stack": "stacks",
}
__all__ = ["Answer", "Job", "Result", "Stack", "aask", "arun", "ask", "run"]


def __getattr__(name: str) -> Any:
    """Import what Python's users use when they use it: a function on AWS, and `import batchdrop`, cost nothing."""
    if name in _LIBRARY:
        from importlib import import_module

        return getattr(import_module(f"batchdrop.library.{_LIBRARY[name]}"), name)
    message = f"module 'batchdrop' has no attribute '{name}'"
    raise AttributeError(message)
