"""Write the list of known models from the installed SDK's types: `python -m tools.models`."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

PATH = Path(__file__).parents[1] / "layers" / "core" / "batchdrop" / "recipe" / "models.json"


def sdk_models() -> dict[str, dict[str, str]]:
    """Return each model of the SDK's `ModelParam`; a deprecated one with the day on which it retires."""
    from anthropic._data import DEPRECATED_MODELS
    from anthropic.types.model_param import ModelParam

    names = [name for part in get_args(ModelParam) if get_origin(part) is Literal for name in get_args(part)]
    models: dict[str, dict[str, str]] = {name: {} for name in sorted({*names, *DEPRECATED_MODELS})}
    for name, day in DEPRECATED_MODELS.items():
        models[name] = {"lifecycle": "deprecated", "retires_at": _date(day)}
    return models


def document(*, date: str) -> dict[str, Any]:
    """Return the content of the file."""
    source = f"the types of the anthropic SDK {version('anthropic')}"
    return {"date": date, "source": source, "models": sdk_models()}


def _date(day: str) -> str:
    """Return `November 30th, 2026` as an ISO date."""
    plain = re.sub(r"(\d)(st|nd|rd|th)\b", r"\1", day)
    return datetime.strptime(plain, "%B %d, %Y").replace(tzinfo=UTC).date().isoformat()


def main() -> None:
    """Write the file; the date stays if nothing else changes."""
    today = datetime.now(UTC).date().isoformat()
    known = json.loads(PATH.read_text()) if PATH.exists() else {}
    made = document(date=known.get("date", today))
    if made != known:
        made = document(date=today)
    PATH.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
