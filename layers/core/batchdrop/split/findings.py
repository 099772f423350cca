"""Find what must fail in a recipe, and what may: for `batchdrop check`, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec

from batchdrop.answers.shape import AnswerShape
from batchdrop.money.prompt_tokens import SEARCHES_WITHOUT_BOUND, WEB_SEARCH
from batchdrop.recipe.models import Model, ModelTable
from batchdrop.recipe.recipe import Recipe
from batchdrop.recipe.words import nearest
from batchdrop.requests.conversation import is_same_for_all_rows

USUAL_LIMIT = 32_000  # ours: every current model takes so many; above it, an unknown limit is worth a warning
MOST_TOKENS = 300_000  # no model writes more; the API refuses a larger `max_tokens`
LARGE_SCHEMA_BYTES = 16_000  # ours: the API refuses larger grammars without naming a size
MANY_FIELDS = 100  # ours, likewise
MANY_VALUES = 500  # ours, likewise: values of all `enum` together
_LONGER_OUTPUT = "output-"  # betas that raise the limit of `max_tokens`


@dataclass(slots=True)
class Findings:
    """`faults` make requests fail; `warnings` may. Both say what to do."""

    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Add other findings."""
        self.faults += other.faults
        self.warnings += other.warnings


def recipe_findings(recipe: Recipe, shape: AnswerShape) -> Findings:
    """Return what is found in a recipe alone, without its model."""
    findings = Findings()
    if is_same_for_all_rows(recipe):
        findings.faults.append(
            "the prompt names no column, so each row would get the same request; write {{ column }} into it"
        )
    tools = recipe.params.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        if isinstance(tool, dict) and str(tool.get("type", "")).startswith(WEB_SEARCH) and not tool.get("max_uses"):
            findings.warnings.append(
                "params.tools: web_search has no max_uses, so a row may search often, and each search costs a fee; "
                f"the estimate counts up to {SEARCHES_WITHOUT_BOUND} a row. Add max_uses"
            )
    if shape.typed_schema is not None and (size := _too_large(shape.typed_schema)):
        findings.warnings.append(
            f"the answer's schema has {size}; the API may refuse it as too large for its grammar. Make it smaller"
        )
    return findings


def model_findings(
    models: Iterable[str], table: ModelTable, *, max_tokens: int, today: date, betas: Iterable[str] = ()
) -> Findings:
    """Return what is found about the models that requests name. `max_tokens` is the requests' largest."""
    findings = Findings()
    may_be_longer = any(beta.startswith(_LONGER_OUTPUT) for beta in betas)
    for name in models:
        model = table.models.get(name)
        if model is None:
            _add_unknown(findings, name, table)
            continue
        _add_lifecycle(findings, name, model, table, today)
        if not may_be_longer:
            _add_limit(findings, name, model, max_tokens)
    if max_tokens > MOST_TOKENS:
        findings.faults.append(f"max_tokens: {max_tokens:,} is more than any model writes; the API refuses it")
    return findings


def _add_unknown(findings: Findings, name: str, table: ModelTable) -> None:
    known = f"(models of {table.date}: {table.source})"
    text = f"model: unknown model '{name}'{nearest(name, table.models)} {known}. Fix the recipe, or list the model"
    (findings.faults if table.is_certain else findings.warnings).append(f"{text} in models.yaml beside it")


def _add_lifecycle(findings: Findings, name: str, model: Model, table: ModelTable, today: date) -> None:
    if model.lifecycle == "retired":
        findings.faults.append(f"model: {name} is retired, so the API refuses it ({table.source}); name another model")
    elif model.lifecycle == "deprecated":
        day = model.retires_at
        is_over = day is not None and day <= today.isoformat()
        when = f"; it was to retire on {day}" if is_over else f"; it retires on {day}" if day else ""
        findings.warnings.append(f"model: {name} is deprecated{when}. Name a newer model")


def _add_limit(findings: Findings, name: str, model: Model, max_tokens: int) -> None:
    if model.max_tokens is not None and max_tokens > model.max_tokens:
        findings.faults.append(
            f"max_tokens: {max_tokens:,} is more than {name} takes, which is {model.max_tokens:,}; lower it"
        )
    elif model.max_tokens is None and USUAL_LIMIT < max_tokens <= MOST_TOKENS:
        findings.warnings.append(
            f"max_tokens: {max_tokens:,} may be more than {name} takes; its limit is not known here. "
            "Set ANTHROPIC_API_KEY to read it from the API"
        )


def _too_large(schema: dict[str, Any]) -> str:
    """Return what is large in a schema; empty if nothing is."""
    fields, values = _counted(schema)
    size = len(msgspec.json.encode(schema))
    if fields > MANY_FIELDS:
        return f"{fields:,} fields"
    if values > MANY_VALUES:
        return f"{values:,} enum values"
    return f"{size:,} bytes" if size > LARGE_SCHEMA_BYTES else ""


def _counted(schema: Any) -> tuple[int, int]:
    if isinstance(schema, list):
        counts = [_counted(inner) for inner in schema]
    elif isinstance(schema, dict):
        properties, values = schema.get("properties"), schema.get("enum")
        own = (len(properties) if isinstance(properties, dict) else 0, len(values) if isinstance(values, list) else 0)
        counts = [own, *(_counted(inner) for name, inner in schema.items() if name != "enum")]
    else:
        return 0, 0
    return sum(fields for fields, _ in counts), sum(values for _, values in counts)
