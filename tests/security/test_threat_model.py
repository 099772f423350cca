"""docs/security.md: each attack names its proof, and each proof is a test that there is."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.project import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
ATTACKS = [
    row for row in re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE) if row[0] not in {"attack", "who"}
]


@cache
def _tests_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return {one.name for one in functions if one.name.startswith("test_")}


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[f"{path}::{name}" for path, name in NAMED])
def test_a_named_proof_exists(path: str, name: str) -> None:
    """A test that was renamed or removed leaves no promise behind."""
    assert name in _tests_in(path)


def test_every_attack_has_its_proof() -> None:
    """Each row of each table of attacks names a guard and at least one test."""
    attacks = [row for row in ATTACKS if "::" in row[2] or "tests/" in row[2]]
    tables = PAGE.count("| attack | guard | proof |")
    rows = [line for part in PAGE.split("| attack | guard | proof |")[1:] for line in _rows_of(part)]
    assert tables == 10
    assert len(rows) == len(attacks) > 35
    for line in rows:
        assert re.search(r"`tests/[\w/]+\.py::test_\w+`", line), line


def _rows_of(part: str) -> list[str]:
    lines = part.splitlines()[2:]  # the rest of the header's line, the ruler
    end = next((number for number, line in enumerate(lines) if not line.startswith("|")), len(lines))
    return lines[:end]


def test_every_security_test_is_named() -> None:
    """What nobody would miss needs no test; what is tested here is told there, at least by its file."""
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "security").glob("test_*.py")}
    assert files - {"tests/security/test_threat_model.py"} <= {path for path, _ in NAMED}
