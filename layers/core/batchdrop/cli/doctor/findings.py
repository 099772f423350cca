"""The results of checks, and how they are printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum

import msgspec
from rich.console import Console
from rich.text import Text


class Level(Enum):
    """How bad a finding is. `UNKNOWN`: the check could not run from here, so it says nothing."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    UNKNOWN = "cannot be checked here"


class Finding(msgspec.Struct, frozen=True):
    """The result of one check, and what to do unless all is well."""

    what: str
    level: Level
    says: str
    fix: str = ""


Check = Callable[[], Iterable[Finding]]

_MARKS = {
    Level.OK: ("✓", "green"),
    Level.WARNING: ("!", "yellow"),
    Level.PROBLEM: ("✗", "red"),
    Level.UNKNOWN: ("?", "dim"),
}


def ok(what: str, says: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(what, Level.OK, says)


def warning(what: str, says: str, fix: str) -> Finding:
    """Return a finding that something may go wrong."""
    return Finding(what, Level.WARNING, says, fix)


def problem(what: str, says: str, fix: str) -> Finding:
    """Return a finding that keeps jobs from running."""
    return Finding(what, Level.PROBLEM, says, fix)


def unknown(what: str, says: str, fix: str = "") -> Finding:
    """Return a finding that a check could not run."""
    return Finding(what, Level.UNKNOWN, says, fix)


def looked(what: str, check: Check) -> list[Finding]:
    """Run a check. If AWS (or its emulation) does not answer, return that as a finding."""
    from botocore.exceptions import ClientError

    try:
        return list(check())
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if "AccessDenied" in code or "NotAuthorized" in code or "UnauthorizedOperation" in code:
            return [unknown(what, f"your credentials may not call {error.operation_name}", "ask who gave you them")]
        return [unknown(what, f"{error.operation_name}: {code or 'unexpected answer'}")]
    except Exception as error:  # noqa: BLE001 - a check that breaks must not hide what the others found
        return [unknown(what, f"{type(error).__name__}: {' '.join(str(error).split())[:160]}")]


def print_findings(findings: Iterable[Finding], console: Console) -> None:
    """Print each finding, and below it what to do."""
    listed = list(findings)
    for one in listed:
        mark, style = _MARKS[one.level]
        level = f"{one.level.value}: " if one.level is not Level.OK else ""
        console.print(
            Text.assemble((f"{mark} ", style), (f"{one.what:<15} ", "bold"), (level, style), one.says), soft_wrap=True
        )
        if one.fix:
            console.print(Text.assemble((" " * 18 + "→ ", style), one.fix), soft_wrap=True)
    console.print(Text(verdict(listed), style="bold"))


def verdict(findings: Iterable[Finding]) -> str:
    """Return a one-line summary of all findings."""
    levels = [one.level for one in findings]
    counts = [f"{levels.count(level)} {level.value}" for level in Level if level in levels]
    return ", ".join(counts)
