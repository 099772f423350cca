"""The dashboard's widgets, as tests read them."""

from __future__ import annotations

import json
from typing import Any

from tests.expanded import plain


def widgets() -> list[dict[str, Any]]:
    """Return the widgets; names that CloudFormation fills in stand as `${…}`."""
    body = plain()["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    found: list[dict[str, Any]] = json.loads(body)["widgets"]
    return found


def shown() -> list[list[str]]:
    """Return all metrics on the dashboard: namespace, name, then dimension and value."""
    return [metric for widget in widgets() for metric in widget["properties"]["metrics"]]
