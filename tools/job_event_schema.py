"""Write docs/job-event.schema.json from the types: `python -m tools.job_event_schema`."""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from batchdrop.job.job_event import MAX_MESSAGE_CHARS, VERSION, JobEvent

PATH = Path(__file__).resolve().parent.parent / "docs" / "job-event.schema.json"

DOLLARS = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]}  # Decimals are encoded as numbers


def job_event_schema() -> dict[str, Any]:
    """Return the JSON Schema of an event's detail."""
    schema = msgspec.json.schema(JobEvent, schema_hook=lambda _kind: {"type": "number"})
    members = schema["$defs"]["JobEvent"]["properties"]
    members["version"] = {"const": VERSION}
    members["at"] = {"type": "string", "format": "date-time"}
    members["said"] = {"type": "string", "pattern": r"^[^\"\\\\<>\u0000-\u001f]*$", "maxLength": MAX_MESSAGE_CHARS}
    members["usd"] = {**DOLLARS, "default": None}
    sample = schema["$defs"]["ShownSample"]["properties"]
    sample.update({name: DOLLARS for name in sample if name.endswith("_usd")})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "batchdrop: Job state changed",
        **schema,
    }


def written() -> str:
    """Return the file's text."""
    return json.dumps(job_event_schema(), indent=2) + "\n"


if __name__ == "__main__":
    PATH.write_text(written(), encoding="utf-8")
    sys.stdout.write(f"{PATH.name} written\n")
