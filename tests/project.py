"""The project's own files, as tests read them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from batchdrop.local.sam_template import read_template

ROOT = Path(__file__).parent.parent
FUNCTIONS = tuple(sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py")))


@cache
def template() -> dict[str, Any]:
    """Return template.yaml; CloudFormation's short forms are spelt out (`{"Ref": …}`)."""
    return read_template(ROOT / "template.yaml")


@cache
def definition() -> dict[str, Any]:
    """Return the state machine's definition, its `${…}` not filled in."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "statemachines" / "job.asl.yaml").read_text(encoding="utf-8"))
    return loaded


def event(name: str) -> dict[str, Any]:
    """Return `events/<name>.json`."""
    loaded: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))
    return loaded
