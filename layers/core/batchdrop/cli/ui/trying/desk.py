"""What the page Try remembers: the table, the recipe on disk, the versions that were tried, and orders of jobs."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from batchdrop.cli.check.check_view import prompt_texts
from batchdrop.cli.check.first_recipe import first_recipe, recipe_beside
from batchdrop.cli.console import CommandError
from batchdrop.cli.trial.rows import chosen_rows
from batchdrop.cli.trial.trying import Tried, Trying, tried
from batchdrop.cli.ui.session import Session
from batchdrop.cli.ui.trying.drafts import draft_of
from batchdrop.cli.ui.trying.judging import Judged
from batchdrop.cli.ui.trying.versions import Choice, Version, Versions
from batchdrop.errors import JobFault
from batchdrop.requests.prompt import expression


class ChangedElsewhereError(CommandError):
    """The recipe's file was changed by somebody else; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Order:
    """A job that waits for the user's word: the recipe's text, and the file as it was priced. It is used once."""

    key: str
    recipe: str
    file_stamp: tuple[int, int]
    judged: Judged


class Desk:
    """A table and its recipe. Several threads may use it. Raises JobFault if the table cannot be read."""

    def __init__(self, session: Session, file: Path) -> None:
        self.session = session
        self.file = file
        own = session.recipe if file == session.file else None
        self.recipe = own or recipe_beside(file)
        self.versions = Versions()
        self._orders: dict[str, Order] = {}
        self._lock = Lock()
        self.on_disk = _read(self.recipe)
        if self.on_disk is None:
            first, self.text = first_recipe(file, self.recipe)
            self.columns = list(first.columns)
        else:
            self.text, self.columns = self.on_disk, _columns(file, self.recipe)

    def column_chips(self, columns: list[str] | None = None) -> list[tuple[str, str]]:
        """Return the file's columns, each with what reads it in a prompt."""
        return [(name, expression(name)) for name in columns or self.columns]

    def save(self, text: str, *, overwrites: bool) -> None:
        """Write the recipe's file in one step. Raises ChangedElsewhereError if it is not as it was read."""
        now = _read(self.recipe)
        if now not in {self.on_disk, text} and not overwrites:
            message = f"{self.recipe} was changed elsewhere since it was read here"
            raise ChangedElsewhereError(message)
        descriptor, fresh = tempfile.mkstemp(prefix=f".{self.recipe.name}-", dir=self.recipe.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            Path(fresh).chmod(self.recipe.stat().st_mode & 0o777 if self.recipe.exists() else 0o644)
            Path(fresh).replace(self.recipe)
        except BaseException:
            Path(fresh).unlink(missing_ok=True)
            raise
        self.on_disk = self.text = text

    def try_rows(self, text: str, choice: Choice, *, again: bool = False) -> Version:
        """Answer rows with a recipe, and keep the version. Raises JobFault and AccountTrouble."""
        self.text = text
        result = self._tried(text, choice, again=again)
        return self.versions.add(self.session.now(), text, choice, result)

    def send_again(self, version: Version, row: int) -> Version:
        """Send one row of a version again, and pay for it again."""
        [shown] = self._tried(version.recipe, version.choice, again=True, numbers=frozenset({row})).rows
        return self.versions.replace_row(version, shown)

    def prompt_of(self, version: Version, number: int) -> list[tuple[str, str]]:
        """Return what the model reads of a row, by its parts; empty if it is not sent."""
        choice = version.choice
        with draft_of(version.recipe, self.recipe) as draft:
            trial = chosen_rows(
                draft, self.file, count=choice.rows, is_random=choice.is_random, files=self.session.files
            )
        [params] = [row.params for row in trial.rows if row.number == number] or [None]
        return [*prompt_texts(json.loads(params))] if params is not None else []

    def order(self, text: str, judged: Judged) -> Order:
        """Note a job that was priced, and return it."""
        order = Order(secrets.token_urlsafe(16), text, self.file_stamp(), judged)
        with self._lock:
            self._orders = {order.key: order}  # one at a time: an older price is out of date
        return order

    def take_order(self, key: str) -> Order | None:
        """Return an order, once; None if it was taken before, or the file has changed since it was priced."""
        with self._lock:
            order = self._orders.pop(key, None)
        return order if order and order.file_stamp == self.file_stamp() else None

    def file_stamp(self) -> tuple[int, int]:
        """Return the file's size and the time of its last change."""
        stat = self.file.stat()
        return stat.st_size, stat.st_mtime_ns

    def _tried(self, text: str, choice: Choice, *, again: bool, numbers: frozenset[int] = frozenset()) -> Tried:
        with draft_of(text, self.recipe) as draft:
            trying = Trying(
                draft,
                self.file,
                choice.rows,
                choice.is_random,
                self.session.files,
                self.session.out,
                again,
                numbers,
                own=self.recipe,
            )
            return tried(trying, self.session.service)


def _read(recipe: Path) -> str | None:
    """Return a recipe's text; None if there is no such file. Raises CommandError for another encoding."""
    if not recipe.is_file():
        return None
    try:
        return recipe.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CommandError(f"{recipe} is not UTF-8 text ({error}); save it as UTF-8") from error


def _columns(file: Path, recipe: Path) -> list[str]:
    """Return a table's columns; none if only its recipe can say how to read it. Then the price brings them."""
    with suppress(JobFault, CommandError):
        return list(first_recipe(file, recipe)[0].columns)
    return []
