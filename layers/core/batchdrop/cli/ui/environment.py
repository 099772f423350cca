"""The Jinja environment of the console's templates: it escapes everything."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from batchdrop.adapters.pages import figures
from batchdrop.adapters.pages.plain_text import shown

TEMPLATES = Path(__file__).parent / "templates"
FILTERS = ("whole", "usd", "span", "moment", "share", "compact")  # of the report's pages


def rendered(template: str, **values: Any) -> str:
    """Return a template with values. Every value is text, with its invisible characters as code points."""
    return _environment().get_template(template).render(values).encode("utf-8", "replace").decode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if hasattr(value, "__html__") else shown(value),
    )
    filters: dict[str, Any] = {name: getattr(figures, name) for name in FILTERS}
    environment.filters.update(filters)
    return environment
