"""A stored answer: one line of a run."""

from __future__ import annotations

import msgspec

from batchdrop.errors import AnswerStoreDamaged


class Answer(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An answer, and what was asked. `key` is in hexadecimal, `at` in Unix seconds, `message` as the API gave it.

    `recipe` names the version of the recipe. `packed`: the answer came from a pack. `subject` is the id of the person,
    or thing, that the row is about; empty if the recipe names no such column.
    """

    key: str
    at: int
    recipe: str
    message: msgspec.Raw
    packed: bool = False
    subject: str = ""

    @property
    def digest(self) -> bytes:
        """Return the key's bytes."""
        return bytes.fromhex(self.key)


def damaged(name: str, how: str) -> AnswerStoreDamaged:
    """Return the error for a damaged file of the store; `how` says what is wrong with it."""
    advice = "Delete the recipe's folder in answers/; its rows are then paid for again"
    return AnswerStoreDamaged(f"{name}: {how}. {advice}")


_DECODER = msgspec.json.Decoder(Answer)


def read_answer(line: bytes, key: bytes, *, name: str) -> Answer:
    """Return the answer of a line. Raises AnswerStoreDamaged if it is not the answer to this key."""
    try:
        answer = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        answer = None
    if answer is None or answer.key != key.hex():
        raise damaged(name, "the answer to a key is cut or changed")
    return answer
