"""What the pages load from npm: the committed files are those of the lock, with their licences."""

from __future__ import annotations

import hashlib
import json

from tests.project import ROOT
from tests.ui.consoles import STATIC

VENDOR = STATIC / "vendor"
TOOLS = ROOT / "tools" / "ui"
LOCK = json.loads((TOOLS / "package-lock.json").read_text(encoding="utf-8"))["packages"]
BUILT = json.loads((VENDOR / "vendor.json").read_text(encoding="utf-8"))


def test_the_packages_are_those_of_the_lock() -> None:
    """A new lock needs a new build: `make console`."""
    locked = {name.removeprefix("node_modules/"): one for name, one in LOCK.items() if name}
    for name, built in BUILT["packages"].items():
        assert built == {key: locked[name][key] for key in ("version", "integrity")}
    own = json.loads((TOOLS / "package.json").read_text(encoding="utf-8"))
    assert own["dependencies"].keys() <= BUILT["packages"].keys()


def test_the_files_are_those_of_the_build() -> None:
    """Nobody edits a built file, or adds one."""
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir()}
    del files["vendor.json"]
    assert files == BUILT["files"]


def test_each_package_has_its_licence() -> None:
    """The text and the version of each package are in LICENSES.txt."""
    text = (VENDOR / "LICENSES.txt").read_text(encoding="utf-8")
    for name, built in BUILT["packages"].items():
        assert f"{name} {built['version']}\n\n" in text


def test_the_lock_names_no_registry() -> None:
    """Each machine uses its own registry."""
    assert not [name for name, one in LOCK.items() if "resolved" in one]
