"""Files and folders of this repository that pages name in code exist, and the rooms are those of the code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, code_spans, page_name, read_page
from tests.project import FUNCTIONS, ROOT

# Pages shorten paths of the package to the room.
BASES = (ROOT, ROOT / "layers/core/batchdrop", ROOT / "layers/core/batchdrop/local/claude_api")
# `files/` and `jobs/` are in the bucket; these folders are only here.
OURS = r"adapters|benchmarks|cli|docs|events|examples|functions|layers|local|statemachines|tests|tools"
_PATH = re.compile(rf"[\w.*<>-]+(?:/[\w.*<>-]+)*\.(?:py|j2|lock)|(?:{OURS})(?:/[\w.*<>{{}},-]+)*/?")


def missing_paths(page: Path, text: str) -> list[str]:
    """Return the paths that no file or folder has; `*` and `<name>` stand for any name."""
    named = sorted({span.partition("::")[0] for span in code_spans(text)})
    return [path for path in named if _PATH.fullmatch(path) and not _exists(page, path)]


def _exists(page: Path, path: str) -> bool:
    if "{" in path:
        before, _, rest = path.partition("{")
        choices, _, after = rest.partition("}")
        return all(_exists(page, f"{before}{choice}{after}") for choice in choices.split(","))
    pattern = re.sub(r"<[^>]*>", "*", path).rstrip("/")
    return any(next(base.glob(pattern), None) for base in (*BASES, page.parent))


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_path_exists(page: Path) -> None:
    """A module that moved has moved in the documentation."""
    assert missing_paths(page, read_page(page)) == []


def test_a_path_that_is_gone_is_reported() -> None:
    """Each file and folder that a page names exists; keys of the bucket are left out."""
    text = "`domain/job.py`, `tests/gone/`, `tests/setup/test_locks.py::test_x`, `cli/{a,job}`"
    free = " `tools/*/requirements.lock` `job/polling.py` `functions/<name>/app.py` `jobs/a/` `docs/` `live/2` `a/b`"
    assert missing_paths(ROOT / "README.md", text + free) == ["cli/{a,job}", "domain/job.py", "tests/gone/"]


def test_the_table_of_rooms() -> None:
    """docs/architecture.md lists every room, in the order in which one may import another."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [layers] = [one["layers"] for one in settings["tool"]["importlinter"]["contracts"] if one["type"] == "layers"]
    page = read_page(ROOT / "docs" / "architecture.md")
    table = page.partition("## The rooms")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)(?:/|\.py)` \|", table, re.MULTILINE) == layers[::-1]


def test_the_table_of_steps() -> None:
    """docs/architecture.md lists every function, with its module."""
    page = read_page(ROOT / "docs" / "architecture.md")
    steps = dict(re.findall(r"^\| `(\w+)` \| `([\w/]+\.py)` \|", page, re.MULTILINE))
    assert sorted(steps) == list(FUNCTIONS)
    assert [step for step, module in steps.items() if Path(module).stem != step] == []
