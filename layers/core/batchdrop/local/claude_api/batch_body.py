"""Check the body of a create call, and index it so that requests can be read one at a time."""

import codecs
import mmap
import re
from array import array
from pathlib import Path

import msgspec

from batchdrop.local.claude_api.errors import invalid
from batchdrop.local.claude_api.wording import in_api_words

CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
ID_WIDTH = 64  # the longest custom_id
_NONE = "requests: List should have at least 1 item after validation, not 0"
_NOT_UTF8 = "The request body is not valid JSON: it is not UTF-8"
_STEP = 1 << 20
_GAP = re.compile(rb"[\s,]*")


class Item(msgspec.Struct, forbid_unknown_fields=True):
    """One element of `requests`."""

    custom_id: str
    params: msgspec.Raw


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    requests: list[msgspec.Raw]


_BODY = msgspec.json.Decoder(_Body)
ITEM = msgspec.json.Decoder(Item)


class BodyIndex:
    """The place of each request in the spooled body, and the custom_ids, in a file of fixed-width records."""

    def __init__(self, starts: "array[int]", sizes: "array[int]", ids: bytes) -> None:
        """Store places from the start of the file, and `ids` of ID_WIDTH bytes each."""
        self.starts = starts
        self.sizes = sizes
        self.ids = ids

    def __len__(self) -> int:
        """Return the number of requests."""
        return len(self.starts)


def index_body(path: Path, *, max_requests: int) -> BodyIndex:
    """Check the body spooled at `path` as the API does before it accepts it; raises ApiError (400).

    The file is mapped; only places and custom_ids are in memory.
    """
    with path.open("rb") as file:
        # Not closed here: a raised error still holds views of the map, which is freed with the last of them.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        _check_utf8(mapped)
        return _indexed(mapped, max_requests)
    except UnicodeDecodeError:
        raise invalid(_NOT_UTF8) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise invalid(_top_fault(error)) from None


def _check_utf8(mapped: mmap.mmap) -> None:
    """Raise UnicodeDecodeError for bytes that are not UTF-8; msgspec does not check what it skips."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(mapped), _STEP):
        decoder.decode(mapped[start : start + _STEP], final=start + _STEP >= len(mapped))


def _indexed(mapped: mmap.mmap, max_requests: int) -> BodyIndex:
    raws = _BODY.decode(mapped).requests
    if not raws:
        raise invalid(_NONE)
    if len(raws) > max_requests:
        raise invalid(f"requests: List should have at most {max_requests} items after validation, not {len(raws)}")
    return BodyIndex(*_places(mapped, raws), _checked_ids(raws))


def _places(mapped: mmap.mmap, raws: list[msgspec.Raw]) -> "tuple[array[int], array[int]]":
    """Yield the start of each element; only white space and commas separate them."""
    starts, sizes = array("Q"), array("Q")
    place = mapped.find(b"[") + 1
    for raw in raws:
        gap = _GAP.match(mapped, place)
        place = gap.end() if gap else place
        size = len(memoryview(raw))
        starts.append(place)
        sizes.append(size)
        place += size
    if bytes(raws[0]) != mapped[starts[0] : starts[0] + sizes[0]]:
        msg = "requests: given twice"
        raise invalid(msg)
    return starts, sizes


def _checked_ids(raws: list[msgspec.Raw]) -> bytes:
    seen: dict[str, int] = {}
    for place, raw in enumerate(raws):
        custom_id = _checked_id(raw, place)
        first = seen.setdefault(custom_id, place)
        if first != place:
            raise invalid(f"requests.{place}.custom_id: Duplicate custom_id found: {custom_id}")
    return b"".join(custom_id.encode().ljust(ID_WIDTH) for custom_id in seen)


def _checked_id(raw: msgspec.Raw, place: int) -> str:
    try:
        item = ITEM.decode(raw)
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        raise invalid(in_api_words(error, under=f"requests.{place}")) from None
    if not CUSTOM_ID.fullmatch(item.custom_id):
        msg = f"requests.{place}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'"
        raise invalid(msg)
    if bytes(memoryview(item.params)[:1]) != b"{":
        raise invalid(f"requests.{place}.params: Input should be a valid dictionary")
    return item.custom_id


def _top_fault(error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        return in_api_words(error)
    return f"The request body is not valid JSON: {error}"
