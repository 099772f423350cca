"""proselint: repeated words, clichés, archaisms, redundant and mixed-up phrases."""

from __future__ import annotations

from collections.abc import Iterator

from proselint.checks import __register__ as checks
from proselint.config import DEFAULT
from proselint.registry import CheckRegistry
from proselint.tools import LintFile

from tools.prose.findings import Finding, Prose

# Pages are typed on a keyboard, with straight quotes and three dots. `uncomparables` takes longer than all others.
_OFF = {"typography": False, "uncomparables": False}
_CONFIG = {**DEFAULT, "checks": {**DEFAULT["checks"], **_OFF}}


def found_by_proselint(prose: Prose) -> Iterator[Finding]:
    """Yield what proselint finds in a page's prose."""
    if not CheckRegistry().checks:
        CheckRegistry().register_many(checks)
    for found in LintFile(prose.path, prose.text).lint(_CONFIG):
        said = " ".join(found.check_result.message.split())
        line = prose.line_of(found.check_result.span[0] - 1)  # it puts a line's end before the text
        yield Finding(prose.path, line, f"{said} ({found.check_result.check_path})")
