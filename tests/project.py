"""The project's own files, as tests read them."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from batchdrop.local.sam_template import read_template

ROOT = Path(__file__).parent.parent
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date()
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
    """Return `events/<name>.json`, as of yesterday: the functions' real clock refuses jobs that are a month old."""
    told = (ROOT / "events" / f"{name}.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(
        told.replace("2026-11-22", f"{YESTERDAY}").replace("20261122", f"{YESTERDAY:%Y%m%d}")
    )
    return loaded
