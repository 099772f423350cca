"""The wheel: one top-level name, the application inside, and every command works far from a checkout."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.project import ROOT

UV = f"{ROOT}/.tools/uv/bin/uv"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout with the locked build backend."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [UV, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([*command, "--out-dir", folder, ROOT], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment that holds the wheel, its dependencies and nothing else."""
    environment = tmp_path_factory.mktemp("installed") / "environment"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    # Offline: `make setup` has put every locked package into uv's cache, but not always what it depends on.
    command = [UV, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", f"{environment}/bin/python"]
    subprocess.run([*command, wheel, *_locked(_project()["project"]["dependencies"])], check=True)
    subprocess.run([UV, "pip", "check", "--quiet", "--python", f"{environment}/bin/python"], check=True)
    return environment / "bin"


def _locked(dependencies: list[str]) -> list[str]:
    """Return these requirements and all that they need, in the versions of this environment."""
    found: dict[str, str] = {}
    open_ones = [(Requirement(one), "") for one in dependencies]
    while open_ones:
        wanted, extra = open_ones.pop()
        if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
            of_extras = [*wanted.extras, ""] if wanted.name not in found else [*wanted.extras]
            found[wanted.name] = f"{wanted.name}=={version(wanted.name)}"
            open_ones += [(Requirement(one), own) for own in of_extras for one in requires(wanted.name) or []]
    return sorted(found.values())


def _project() -> dict[str, Any]:
    loaded: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return loaded


def test_only_one_name_is_installed(wheel: Path) -> None:
    """Packages called `cli` or `local` would collide with those of other projects."""
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"batchdrop"}


def test_the_layers_are_part_of_the_dependencies() -> None:
    """What the functions import is installed with the command line too, in the same versions."""
    project = _project()
    groups = project["dependency-groups"]
    assert {*groups["core"], *groups["formats"]} <= {*project["project"]["dependencies"]}


@pytest.mark.stack
def test_commands_work_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    """`--version`, `check`, `run` and `demo` of an installed wheel, in an empty folder."""
    (tmp_path / "reviews.csv").write_text("id,review\n1,great\n2,awful\n", encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(
        "model: claude-haiku-5-5\nmax_tokens: 200\nprompt: 'Review: {{ review }}'\n", encoding="utf-8"
    )

    def batchdrop(*arguments: str) -> str:
        command = [f"{installed}/batchdrop", *arguments]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    assert batchdrop("--version") == f"batchdrop {_project()['project']['version']}\n"
    assert "2 requests" in batchdrop("check", "recipe.yaml", "reviews.csv")
    assert "2 rows = 2 answered" in batchdrop("run", "reviews.csv", "--recipe", "recipe.yaml")
    assert "300 rows = 299 answered" in batchdrop("demo")
