"""Encodings: found, cut into lines, told when they are not what the file is in, written back to the byte."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.adapters.formats.text.encodings import BOM, Encoding, detected, encode, encode_json, encoding_named, look
from batchdrop.adapters.formats.text.lines import Undecodable, split_lines
from batchdrop.errors import RecipeRejected, UploadRejected
from tests.formats.reading import cut_everywhere

JAPANESE = (
    "id,レビュー\n1,とても良い商品でした。また買いたいと思います。\n2,配送が遅くて残念です。箱もつぶれていました。\n"
)
GERMAN = (
    "id,text\n1,Schöne Grüße aus München, die Qualität ist großartig\n2,Leider kaputt – Rückgabe läuft, 5 € zurück\n"
)
CHINESE = "id,评论\n1,质量非常好、下次还会再买。\n2,物流太慢了、包装也破了\n"
RUSSIAN = "id,отзыв\n1,Очень хороший товар, спасибо большое\n2,Доставка медленная, но всё цело\n"

UNICODE = ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]
OTHERS = [
    "cp932",
    "shift_jis",
    "euc_jp",
    "iso2022_jp",
    "cp1252",
    "latin-1",
    "gb18030",
    "gbk",
    "big5",
    "koi8-r",
    "cp037",
]
SAMPLES = {
    "cp932": JAPANESE, "shift_jis": JAPANESE, "euc_jp": JAPANESE, "iso2022_jp": JAPANESE, "cp1252": GERMAN,
    "gb18030": CHINESE, "koi8-r": RUSSIAN, "cp1251": RUSSIAN,
}  # fmt: skip


class _Line(NamedTuple):
    offset: int
    text: str
    exact: bytes | None


def _split(blocks: Iterable[bytes], encoding: Encoding, *, offset: int = 0) -> Iterator[_Line]:
    for lines in split_lines(blocks, offset=offset, filename="f.csv", encoding=encoding):
        yield from map(_Line, *lines)


def _lines(body: bytes, named: str | None = None) -> list[_Line]:
    """Return the lines of a file, of which the recipe says that encoding."""
    encoding, blocks = look([body], named, filename="f.csv")
    return list(_split(blocks, encoding))


def _bytes(lines: list[_Line], encoding: Encoding) -> bytes:
    return b"".join(encode(line.text, encoding) if line.exact is None else line.exact for line in lines)


@st.composite
def _texts(draw: st.DrawFn, encoding: str) -> str:
    codec = encoding if encoding.startswith("utf-8") or encoding == "ascii" else None
    letters = st.characters(codec=codec, exclude_categories=["Cs"])
    text = draw(st.text(letters | st.sampled_from('\n\n\r,"\\ aéあ表漢Ж\u0a0a\u0a00'), max_size=40))
    return text.encode(encoding, "ignore").decode(encoding)


@st.composite
def encoded(draw: st.DrawFn, encodings: list[str]) -> tuple[str, str]:
    """Return an encoding, and a text that it can carry."""
    encoding = draw(st.sampled_from(encodings))
    return encoding, draw(_texts(encoding))


@given(encoded(UNICODE + OTHERS), st.integers())
def test_lines_come_back_to_the_byte(drawn: tuple[str, str], seed: int) -> None:
    """In every encoding, however the bytes are cut, lines have their text, their offset and their bytes."""
    encoding = encoding_named(drawn[0])
    text = drawn[1].removeprefix(BOM)
    body = text.encode(encoding.name)
    lines = list(_split(cut_everywhere(body, seed), encoding))
    assert [line.text for line in lines] == re.findall("[^\n]*\n|[^\n]+", text)
    assert _bytes(lines, encoding) == body
    for number, line in enumerate(lines):
        rest = _split([body[line.offset :]], encoding, offset=line.offset)
        assert list(rest) == lines[number:]


@pytest.mark.parametrize(("encoding", "text"), SAMPLES.items())
def test_real_texts_are_read(encoding: str, text: str) -> None:
    """Texts as people write them, by the encoding's name alone."""
    assert "".join(line.text for line in _lines(text.encode(encoding), encoding)) == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("named", [None, "utf-8", "cp932", "utf-16"])
def test_a_mark_decides(encoding: str, named: str | None) -> None:
    """A byte order mark says what the file is in, whatever the recipe says, and stays in the first line."""
    body = (BOM + JAPANESE).encode(encoding)
    assert "".join(line.text for line in _lines(body, named)) == BOM + JAPANESE
    found = detected(body, named, filename="f")
    assert (found.name, found.mark) == (encoding, BOM.encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_without_a_mark_it_is_reported(encoding: str) -> None:
    """UTF-16 without its mark would pass for UTF-8 with zeros in it: it is refused by name."""
    with pytest.raises(UploadRejected, match=rf"looks like {encoding}.*`input: {{encoding: {encoding}}}`"):
        _lines(GERMAN.encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_without_a_mark_the_order_is_found(encoding: str) -> None:
    """`utf-16` in the recipe is enough: the zeros tell the byte order."""
    assert "".join(line.text for line in _lines(GERMAN.encode(encoding), "utf-16")) == GERMAN


def test_bytes_with_two_meanings_are_kept() -> None:
    """NEC and IBM characters that cp932 has twice decode to one; the line carries the bytes that it had."""
    body = b"a\n\x87\x90,\x81\xe0\nb\n"
    lines = _lines(body, "cp932")
    assert [line.text for line in lines] == ["a\n", "≒,≒\n", "b\n"]
    assert [line.exact for line in lines] == [None, b"\x87\x90,\x81\xe0\n", None]


def _refusal(body: bytes, encoding: str | None = None) -> str:
    with pytest.raises(Undecodable) as caught:
        _lines(body, encoding)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "encoding", "named"),
    [
        (JAPANESE, "cp932", "cp932"),
        (JAPANESE, "euc_jp", "euc_jp"),
        (GERMAN, "cp1252", "cp1252"),
        (CHINESE, "gb18030", "gb18030"),
        (CHINESE, "gbk", "gb18030"),
        (RUSSIAN, "koi8-r", "koi8-r"),
        (RUSSIAN, "cp1251", "cp1251"),
        (JAPANESE, "utf-16-le", "utf-16-le"),
        (JAPANESE, "utf-16-be", "utf-16-be"),
        ("1,café\n", "cp1252", "cp1252"),
        ("1,良い\n", "cp932", "cp932"),
    ],
)
def test_the_likely_encoding_is_named(text: str, encoding: str, named: str) -> None:
    """A file that is not UTF-8 says what it probably is, and the line to put into the recipe."""
    told = _refusal(text.encode(encoding))
    assert " is not UTF-8. The text around it looks like " in told
    assert f"Set `input: {{encoding: {named}}}` in the recipe if that is right, or save the file as UTF-8" in told


def test_far_behind_ascii_it_is_named_too() -> None:
    """Thousands of English rows before the first other letter do not drown it."""
    body = b"1,a plain review\n" * 3_000 + JAPANESE.encode("cp932") + b"1,a plain review\n" * 3_000
    assert "looks like cp932 (Japanese, Windows)" in _refusal(body)


def test_japanese_mail_is_reported_though_it_is_ascii() -> None:
    """ISO-2022-JP decodes as UTF-8 without an error, to nonsense: its escapes give it away."""
    assert _refusal(JAPANESE.encode("iso2022_jp")).startswith("byte 3 starts an ISO-2022-JP escape sequence. Set `in")


@pytest.mark.parametrize(("text", "encoding"), [(JAPANESE, "utf-8"), (JAPANESE, "cp932"), (GERMAN, "utf-8")])
def test_one_damaged_row_is_not_an_encoding(text: str, encoding: str) -> None:
    """If the text around it has the expected encoding, the message asks to fix the row, and does not guess."""
    told = _refusal(text.encode(encoding) + b"3,\x81 \n" + text.encode(encoding), encoding)
    assert told.startswith(f"byte {len(text.encode(encoding)) + 2:,} (0x81) is not ")
    assert "so fix this row" in told


def test_utf8_read_as_something_else_is_reported() -> None:
    """A recipe made for another file names an encoding that this one is not in."""
    assert "The text around it is UTF-8: remove `input.encoding`" in _refusal(JAPANESE.encode(), "cp932")


def test_a_line_that_leaves_its_escape_open_is_reported() -> None:
    """ISO-2022-JP whose next line would mean something else by what stood in this one."""
    assert "is not iso2022_jp" in _refusal(b'a\n\x1b$B$"\nb\n', "iso2022_jp")


@given(st.binary(max_size=60), st.sampled_from([None, *UNICODE, *OTHERS]))
def test_any_bytes_are_lines_or_refused(body: bytes, encoding: str | None) -> None:
    """Whatever stands in the file, reading ends in lines that carry it to the byte, or in a refusal."""
    try:
        lines = _lines(body, encoding)
        found = detected(body, encoding, filename="f")
    except (Undecodable, UploadRejected):
        return
    assert _bytes(lines, found) == body


@pytest.mark.parametrize(
    ("name", "told"), [("cp923", "did you mean 'cp932'?"), ("what?", "known are utf-8"), ("", "no")]
)
def test_an_unknown_encoding_is_reported(name: str, told: str) -> None:
    """A slip in the recipe names what was meant."""
    with pytest.raises(RecipeRejected, match=r"^key 'input\.encoding': unknown encoding") as caught:
        encoding_named(name)
    assert told in str(caught.value)


@pytest.mark.parametrize("name", ["utf-7", "hz", "idna", "unicode_escape", "base64", "rot13", "iso2022_kr", "a\0b"])
def test_what_is_not_an_encoding_of_files_is_refused(name: str) -> None:
    """Codecs whose lines cannot be read alone, and transforms that are no encodings."""
    with pytest.raises(RecipeRejected, match=r"key 'output\.encoding'"):
        encoding_named(name, key="output.encoding")


@pytest.mark.parametrize("encoding", [*UNICODE, *OTHERS, "ascii"])
@pytest.mark.parametrize("text", ["a\nœ—あ表😀\ud800\u2028é", "\udfff", "¥‾¢"])
def test_writing_never_fails_and_loses_nothing(encoding: str, text: str) -> None:
    """Characters that the encoding lacks, lone surrogates too, stand as escapes."""
    written = encode(text, encoding_named(encoding)).decode(encoding)
    for letter in text:
        assert letter in written or letter.encode("ascii", "backslashreplace").decode() in written


@pytest.mark.parametrize("encoding", [*UNICODE, *OTHERS, "ascii"])
def test_json_stays_json_in_every_encoding(encoding: str) -> None:
    """What the encoding lacks becomes JSON's own escapes, so that a reader gets the same value."""
    value = {"é": "œ—あ表😀\ud800\u2028 ¥", "‾": "¢¥"}
    written = encode_json(json.dumps(value, ensure_ascii=False), encoding_named(encoding))
    assert json.loads(written.decode(encoding)) == value


def test_the_byte_order_of_outputs() -> None:
    """`utf-16` is little-endian with its mark, as spreadsheets write it; `utf-8-sig` is UTF-8 with one."""
    assert (encoding_named("utf-16").name, encoding_named("utf-16").mark) == ("utf-16-le", b"\xff\xfe")
    assert (encoding_named("UTF-8-SIG").name, encoding_named("utf_8_sig").mark) == ("utf-8", b"\xef\xbb\xbf")
    assert encode("a", encoding_named("utf-16")) == b"a\x00"
