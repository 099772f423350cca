"""Parameters, resources, alarms and variables that the documentation names are there."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, code_spans, page_name, read_page
from tests.project import ROOT, template

SOURCES = ("template.yaml", "statemachines", "functions", "layers/core/batchdrop", "tools", "Makefile")
# Names of AWS, of the API, of CloudFormation and of packages that no source of ours has to spell.
OTHERS = {
    "StopExecution",
    "ConcurrentExecutions",
    "AWSLambdaBasicExecutionRole",
    "AWSLambdaSQSQueueExecutionRole",
    "NO_COLOR",
}
_NAME = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z0-9]+)+|[A-Z]+(?:_[A-Z]+)+")
_SETS = re.compile(r"([A-Z]\w+)=\S+")


@cache
def _source() -> set[str]:
    """Return every word of the sources."""
    files = [file for source in SOURCES for file in ([ROOT / source] if (ROOT / source).is_file() else _under(source))]
    return {word for file in files for word in re.findall(r"\w+", file.read_text(encoding="utf-8"))}


def _under(folder: str) -> list[Path]:
    return [file for kind in ("*.py", "*.yaml", "*.json") for file in (ROOT / folder).rglob(kind)]


def unknown_names(text: str) -> list[str]:
    """Return the names in code that no source has: parameters, outputs, metrics, errors, environment variables."""
    spans = code_spans(text)
    named = {span for span in spans if _NAME.fullmatch(span)}
    # `NotifyEmail=you@example.com`: a parameter of the deploy, or a variable.
    given = {name[1] for span in spans if (name := _SETS.fullmatch(span)) and _NAME.fullmatch(name[1])}
    parameters = set(template()["Parameters"])
    camel = {name for name in given if "_" not in name}
    return sorted((named | given) - _source() - OTHERS) + sorted(camel - parameters)


def unknown_resources(text: str) -> list[str]:
    """Return the `<stack>-…` names that the template gives nothing."""
    raw = (ROOT / "template.yaml").read_text(encoding="utf-8")
    return sorted(
        name for name in set(re.findall(r"<stack>-([a-z-]+[a-z])", text)) if f"AWS::StackName}}-{name}" not in raw
    )


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_name_is_known(page: Path) -> None:
    """A parameter, alarm, error or variable that was renamed is renamed in the documentation."""
    assert unknown_names(read_page(page)) == []
    assert unknown_resources(read_page(page)) == []


def test_unknown_ones_are_told() -> None:
    """This test can fail."""
    assert unknown_names("Set `LiveRowz`, `BATCHDROP_STACKS`, deploy with `StackColour=red`, read `JobsFailed`.") == [
        "BATCHDROP_STACKS",
        "LiveRowz",
        "StackColour",
        "StackColour",
    ]
    assert unknown_resources("`<stack>-failed-jobs` and `<stack>-failing-jobs`") == ["failing-jobs"]


def test_the_table_of_parameters() -> None:
    """Each row of docs/deploying.md's table names parameters of the template."""
    table = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", read_page(ROOT / "docs" / "deploying.md"), re.MULTILINE)
    named = {name for row in table for name in re.findall(r"`(\w+)`", row)}
    assert len(named) > 5
    assert named <= set(template()["Parameters"])
