"""What gets installed is locked by hash, the same everywhere, and from nowhere in particular."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.project import ROOT

LOCKS = ["requirements.lock", "layers/core/requirements.txt", *(
    str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("tools/*/requirements.lock"))
)]  # fmt: skip
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")
# Put together here, so that this file does not hold what it looks for.
INDEX_HOSTS = ("pypi" + ".org", "python" + "hosted.org", "--index" + "-url", "--find" + "-links", "art" + "ifactory")
HOMES = re.compile(
    "|".join(
        (
            r"(?<![\w.~])/ho" + r"me/\w",
            r"(?<![\w.])/Us" + r"ers/\w",
            r"(?<![\w.])/ro" + r"ot/",
            r"(?<![\w.])/wo" + r"rk/",
        )
    )
)


@cache
def _entries(lock: str) -> dict[str, list[str]]:
    """The logical lines of a lock, by package; several where markers tell them apart."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    entries: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            found = PINNED.match(line)
            assert found, f"{lock}: this pins nothing: {line[:80]}"
            entries.setdefault(_normal(found["name"]), []).append(line)
    return entries


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _versions(lock: str, package: str) -> set[str]:
    return {found["version"] for line in _entries(lock)[package] if (found := PINNED.match(line))}


@cache
def _project_files() -> tuple[Path, ...]:
    """Every file that git has, or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def _text(path: Path) -> str:
    """A text file's content; nothing of a binary one."""
    body = path.read_bytes()
    return "" if b"\0" in body else body.decode(errors="replace")


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_is_pinned_with_hashes(lock: str) -> None:
    """Whatever an index serves one day, nothing else gets installed."""
    entries = _entries(lock)
    assert entries
    for package, lines in entries.items():
        for line in lines:
            assert HASH.search(line), f"{package} has no hash"


def test_each_tool_has_its_lock() -> None:
    """A tool's requirements.in is locked beside it."""
    folders = {path.parent for path in ROOT.glob("tools/*/requirements.in")}
    assert folders
    assert folders == {path.parent for path in ROOT.glob("tools/*/requirements.lock")}


def test_functions_run_what_is_tested() -> None:
    """The layer has the versions of the environment in which the tests ran."""
    for package in _entries("layers/core/requirements.txt"):
        assert _versions("layers/core/requirements.txt", package) <= _versions("requirements.lock", package), package


def test_no_file_names_an_index() -> None:
    """Which package index serves an installation is the machine's own affair."""
    found = [(path.name, word) for path in _project_files() for word in INDEX_HOSTS if word in _text(path)]
    assert found == []


def test_no_file_names_a_place_on_one_machine() -> None:
    """No path leads into somebody's home or checkout."""
    found = [(path.name, match.group()) for path in _project_files() if (match := HOMES.search(_text(path)))]
    assert found == []


def _makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_make_targets_that_documents_name() -> None:
    """Every `make x` that a reader is told of is there."""
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "Makefile"]
    told = "\n".join(path.read_text(encoding="utf-8") for path in documents)
    named = set(re.findall(r"(?:`|^\$ |^# )make ([a-z][a-z-]*)", told, re.MULTILINE))
    assert {"demo", "test", "deploy"} <= named <= _makefile_targets()


def test_readme_names_the_ways_in() -> None:
    """The README says how to try it and how to deploy it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make deploy" in readme
