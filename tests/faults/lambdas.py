"""The real handlers of functions/*/app.py, run on the harness's world.

Each app.py is loaded as a private module, and its name `bootstrap`, the composition root that it asks for everything,
is given another one. So events, states and results are read and written by the product's own code; only logging and
metrics are left out (the handler is taken from under its decorators).
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from batchdrop.local.sam_template import FUNCTION, globals_of, read_template, resources_of_type
from batchdrop.settings import Settings
from tests.faults.asl import ROOT

FUNCTIONS = tuple(sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py")))
Handler = Callable[[Any, Any], Any]


class Bootstrap(Protocol):
    """What the handlers ask batchdrop.bootstrap for."""

    def configuration(self) -> Settings:
        """Return the settings."""


class _Silence:
    """Stands for Logger and Metrics."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_args, **_fields: None


def handlers(bootstrap: Bootstrap) -> dict[str, Handler]:
    """Return each function's handler, on this bootstrap."""
    return {name: handler_of(name, bootstrap) for name in FUNCTIONS}


def handler_of(name: str, bootstrap: Bootstrap, **others: object) -> Handler:
    """Return a function's handler, in a module of its own; `others` of its names can be given, too."""
    spec = importlib.util.spec_from_file_location(f"faults_{name}", ROOT / "functions" / name / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.__dict__.update(bootstrap=bootstrap, logger=_Silence(), metrics=_Silence(), **others)
    handler: Handler = inspect.unwrap(module.handler)
    return handler


@cache
def timeouts() -> dict[str, float]:
    """Return each function's Timeout in seconds, by its folder, as template.yaml says."""
    template = read_template(ROOT / "template.yaml")
    usual = globals_of(template, FUNCTION)["Timeout"]
    found = {}
    for _, properties in resources_of_type(template, FUNCTION):
        timeout = properties.get("Timeout", usual)
        if isinstance(timeout, dict):
            timeout = template["Parameters"][timeout["Ref"]]["Default"]
        found[properties["CodeUri"].removeprefix("functions/")] = float(timeout)
    return found


@cache
def approval_seconds() -> float:
    """Return how long a job waits for the approval of its sample, as template.yaml says."""
    return float(read_template(ROOT / "template.yaml")["Parameters"]["ApprovalSeconds"]["Default"])
