"""Commands within sentences (`batchdrop resume JOB`): the command, its subcommand and its options exist."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterable
from pathlib import Path

import pytest
import typer.main

from batchdrop.cli.main import app
from tests.docs import aws_cli
from tests.docs.pages import PAGES, code_spans, page_name, read_page
from tests.docs.shell import simple_commands
from tests.project import ROOT

OURS = typer.main.get_group(app).commands
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
_PROGRAMS = ("batchdrop", ".venv/bin/batchdrop", "make", "aws", "python")


def unknown(span: str) -> str:
    """Return what is wrong with a span of code that is a command; nothing for what is none."""
    # A placeholder that is one word stays one word.
    words = simple_commands(re.sub(r"<[^<>]*>|…", "PLACEHOLDER", span))[0].words if span else ()
    match words:
        case ("batchdrop" | ".venv/bin/batchdrop", str(command), *rest) if re.fullmatch("[a-z-]+", command):
            return _batchdrop(command, rest)
        case ("make", target, *_) if target not in TARGETS:
            return f"the Makefile has no target {target}"
        case ("aws", service, operation):  # spoken of, not spelt out
            return _aws_operation(service, operation)
        case ("aws", *rest):
            return _aws(rest)
        case (str(python), "-m", str(module), *_) if "python" in python and importlib.util.find_spec(module) is None:
            return f"there is no module {module}"
    return ""


def _batchdrop(command: str, rest: Iterable[str]) -> str:
    if command not in OURS:
        return f"batchdrop has no command {command}"
    known = {option for parameter in OURS[command].params for option in parameter.opts} | {"--help"}
    wrong = [word for word in rest if word.startswith("--") and word.split("=")[0] not in known]
    return f"batchdrop {command} has no option {', '.join(wrong)}" if wrong else ""


def _aws(words: list[str]) -> str:
    try:
        aws_cli.parse(words)
    except aws_cli.UnknownCommandError as error:
        return str(error)
    return ""


def _aws_operation(service: str, operation: str) -> str:
    try:
        aws_cli.model_of(service, operation)
    except aws_cli.UnknownCommandError as error:
        return str(error)
    return ""


def commands_of(text: str) -> list[str]:
    """Return the inline code of a page that is a command."""
    return [span for span in code_spans(text) if span.split(" ")[0] in _PROGRAMS and " " in span]


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_commands_in_sentences_exist(page: Path) -> None:
    """Each with its options; AWS's by the models of its own SDK."""
    wrong = {span: why for span in commands_of(read_page(page)) if (why := unknown(span))}
    assert wrong == {}


@pytest.mark.parametrize(
    ("span", "why"),
    [
        ("batchdrop rerun JOB", "no command rerun"),
        ("batchdrop ls --state failed", "no option --state"),
        ("make demos", "no target demos"),
        ("python -m tools.gone", "no module tools.gone"),
        ("aws sqs purge", "no operation purge"),
        ("aws sqs start-message-move-task --source arn", "no option --source"),
        ("aws sqs start-message-move-task --region r", "needs SourceArn"),
        ("aws lambda invoke --function-name f --payload '{}' out.json", "base64"),
    ],
)
def test_wrong_ones_are_told(span: str, why: str) -> None:
    """This test can fail."""
    assert why in unknown(span)
    assert shlex.split(span)
