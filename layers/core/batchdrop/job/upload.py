"""The S3 object that starts a job: its key and its event."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath

from batchdrop.errors import UploadRejected

INBOX = "inbox/"
COMPRESSIONS = ("gz", "zst", "bz2")  # may follow a file type: reviews.csv.gz
MAX_KEY_BYTES = 900  # ours: S3 allows 1,024, and the names of a job's results are longer than the upload's
FIRST_PRINTED = ord(" ")  # all before it are control characters: NUL, line ends, escapes
ODD_CHARACTERS = frozenset(
    map(chr, (ord("\\"), 0x7F, *range(0x80, 0xA0), 0x2028, 0x2029))
)  # Windows' separator, and more control characters
READY_MADE = "requests"  # stands for the recipe if the file's lines are ready requests
UNSAFE_KEY_RESULTS = "results/_unnamed/"  # the folder of the summary if the upload's key cannot name one


@dataclass(frozen=True, slots=True)
class Upload:
    """An event about an object in the inbox.

    `sequencer` is S3's own order number of the write, `version` its id in a versioned bucket.
    """

    bucket: str
    key: str
    etag: str
    size: int
    uploaded_at: datetime
    sequencer: str
    version: str = ""

    @property
    def job_id(self) -> str:
        """Return the job's id: the same for all events of one write, a different one for each other write."""
        identity = f"{self.bucket}\n{self.key}\n{self.etag}\n{self.sequencer}"
        digest = hashlib.sha256(identity.encode()).hexdigest()[:10]
        return f"{self.uploaded_at:%Y%m%dT%H%M%S}-{digest}"


@dataclass(frozen=True, slots=True)
class InboxKey:
    """The parts of `inbox/<recipe>/<name>.<ext>[.<compression>]`.

    `recipe` is empty for a file directly in the inbox, `compression` for a file that is not compressed.
    """

    recipe: str
    name: str
    extension: str
    compression: str = ""
    written: str = field(default="", compare=False)
    """The file's exact name; the extensions above are in lower case."""

    @property
    def filename(self) -> str:
        """Return the file's own name, as messages show it."""
        return self.written or ".".join(filter(None, (self.name, self.extension, self.compression)))

    @property
    def recipe_key(self) -> str:
        """Return the key of the folder's recipe."""
        return f"recipes/{self.recipe}.yaml"

    def results_prefix(self, job_id: str) -> str:
        """Return the prefix of the job's outputs, ending in a slash."""
        return f"results/{self.recipe or READY_MADE}/{self.name}/{job_id}/"


def results_prefix(key: str, job_id: str) -> str:
    """Return the prefix of the outputs of an upload's job, ending in a slash. Also works for an unsafe key."""
    try:
        return parse_inbox_key(key).results_prefix(job_id)
    except UploadRejected:
        return f"{UNSAFE_KEY_RESULTS}{job_id}/"


def is_in_inbox(key: str) -> bool:
    """Return whether an object is an upload: inside the inbox, and not a folder marker."""
    return key.startswith(INBOX) and not key.endswith("/")


def parse_inbox_key(key: str) -> InboxKey:
    """Return the parts of an inbox key.

    Raises UploadRejected for a name that would leave its folder when copied to a disk (also on Windows), and for a
    name that cannot be used for the results.
    """
    path = key.removeprefix(INBOX)
    _refuse_odd_names(key)
    *folders, filename = path.split("/")
    name, extension = _without_extension(filename)
    compression = ""
    if extension in COMPRESSIONS:
        compression = extension
        name, extension = _without_extension(name)
    if any(part in {"", ".", ".."} for part in (*folders, filename, name)):
        message = f"{key}: '.', '..' and empty folder names are not allowed; drop the file at inbox/<recipe>/<file>"
        raise UploadRejected(message)
    return InboxKey("/".join(folders), name, extension, compression, filename)


def _refuse_odd_names(key: str) -> None:
    if any(ord(char) < FIRST_PRINTED or char in ODD_CHARACTERS for char in key):
        message = f"{key!r}: control characters and backslashes are not allowed in a key; drop it under another name"
        raise UploadRejected(message)
    if len(key.encode(errors="surrogatepass")) > MAX_KEY_BYTES:
        message = (
            f"{key[:60]}…: the key has more than {MAX_KEY_BYTES} bytes, too long for the names of its results; "
            "drop the file under a shorter name"
        )
        raise UploadRejected(message)


def _without_extension(filename: str) -> tuple[str, str]:
    pure = PurePosixPath(filename)
    return pure.stem, pure.suffix.removeprefix(".").lower()
