"""Make ZIP archives of functions; the same files give the same bytes."""

import hashlib
import io
import os
import shlex
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

_WATCHDOG_FILE = Path(__file__).with_name("parent_watchdog.py")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PLAIN, _EXECUTABLE = 0o100644, 0o100755


@dataclass
class CodeArchive:
    """The files of one archive, by their names in it."""

    files: dict[str, bytes] = field(default_factory=dict)
    executables: set[str] = field(default_factory=set)

    def add_directory(self, directory: Path) -> None:
        """Add all files below `directory`, by relative path."""
        for path in sorted(directory.rglob("*")):
            name = path.relative_to(directory)
            if path.is_file() and not _is_left_out(name):
                self.files[name.as_posix()] = path.read_bytes()

    def add_bootstrap(self, layers: Iterable[Path]) -> None:
        """Add the `bootstrap` that runs the handler in AWS's own runtime client, with this Python.

        The archive's root comes first on the path, then the layers; third-party packages come from this environment.
        """
        path = os.pathsep.join(['"$LAMBDA_TASK_ROOT"', *(shlex.quote(str(layer)) for layer in layers)])
        runtime = shlex.join([sys.executable, "-P", str(_WATCHDOG_FILE), "awslambdaric"])
        script = f'#!/bin/sh\nexport PYTHONPATH={path}\nexec {runtime} "$_HANDLER"\n'
        self.files["bootstrap"] = script.encode()
        self.executables.add("bootstrap")

    def to_zip(self) -> bytes:
        """Return the archive, uncompressed: it only travels over the loopback."""
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for name, content in sorted(self.files.items()):
                entry = zipfile.ZipInfo(name, _EPOCH)
                entry.create_system = 3  # Unix, for the mode below
                entry.external_attr = (_EXECUTABLE if name in self.executables else _PLAIN) << 16
                archive.writestr(entry, content)
        return out.getvalue()


def content_key(content: bytes, suffix: str) -> str:
    """Return the object key of an artifact: its hash, so the same content has the same key."""
    return f"{hashlib.sha256(content).hexdigest()[:32]}{suffix}"


def _is_left_out(name: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in name.parts)
