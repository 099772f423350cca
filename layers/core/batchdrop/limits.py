"""Limits of the services, each with its source."""

from datetime import timedelta

MAX_BATCH_REQUESTS = 100_000  # Message Batches: at most 100,000 requests
MAX_BATCH_BYTES = 250_000_000  # Message Batches: at most 256 MB; lower here, in case MB is decimal
MAX_REQUEST_BYTES = 32_000_000  # Messages: body at most 32 MB
MAX_CUSTOM_ID_CHARS = 64  # Message Batches: custom_id is ^[a-zA-Z0-9_-]{1,64}$
MAX_ANSWER_BYTES = 4_000_000_000  # ours: answers of one shard, all rounds together, on 4,096 MB (4.29e9) of /tmp
MAX_CELL_CHARS = 10_000_000  # ours: a longer CSV cell is an unclosed quote, not a cell
MAX_LINE_BYTES = 64_000_000  # ours: twice the largest request; a longer line is not a row

MAX_DECOMPRESSED_BYTES = 20_000_000_000  # ours: the split reads up to its cursor again: a minute at most
MAX_SPOOLED_BYTES = 3_500_000_000  # ours: of a file in a format that is read from its end, on 4 GB of /tmp
UNSUSPECTED_BYTES = 100_000_000  # ours: a file that expands to less is no bomb, whatever its ratio
MAX_EXPANSION = 250  # ours: tables compress to a tenth, rarely to a hundredth; gzip's most is 1,032
MAX_PARQUET_EXPANSION = 2_000  # ours: rows of a few repeated texts and a number reach some hundreds
MAX_ZSTD_WINDOW_BYTES = 1 << 27  # zstd's own default; a larger window needs --long on both sides
XLSX_ROWS = 1_048_576  # Excel: rows of a sheet, the header one of them
XLSX_COLUMNS = 16_384  # Excel: columns of a sheet
XLSX_CELL_CHARS = 32_767  # Excel: characters of a cell, as UTF-16 counts them
XLSX_SHEET_NAME_CHARS = 31  # Excel: characters of a sheet's name
MAX_XLSX_BYTES = 8_000_000_000  # ours: of XML; a full sheet of 100 columns, which takes minutes to read
MAX_XLSX_RATIO = 200  # ours: a million empty formatted rows compress about 30 : 1, zip bombs 1,000 : 1 and more
XLSX_SMALL_BYTES = 100_000_000  # ours: below it, no ratio is dangerous
MAX_XLSX_DIRECTORY_BYTES = 16_000_000  # ours: of the zip's table of contents, which is read whole
MAX_XLSX_TOKEN_BYTES = 64_000_000  # ours: of one XML tag, which expat keeps whole
MAX_XLSX_DEPTH = 256  # ours: nested XML elements; spreadsheets have about ten
MAX_XLSX_FORMATS = 100_000  # ours: Excel has at most 65,490 cell formats

BATCH_LIFETIME = timedelta(hours=24)  # Message Batches: a request that is not done 24 h after creation expires
VISIBILITY_LAG = timedelta(minutes=10)  # ours, generous: a retrieve right after the create can answer 404
RESULTS_KEPT = timedelta(days=29)  # Message Batches: results are kept 29 days from created_at
UNCOLLECTED_WARNING = timedelta(days=22)  # ours: a week before the API deletes them
LEDGER_KEPT = timedelta(days=35)  # ours: longer than RESULTS_KEPT, so that a late resume still finds its submissions

MIN_PIECE_BYTES = 5 * 1024**2  # S3: of every part of a multipart upload but the last
MAX_PIECES = 10_000  # S3: parts of a multipart upload
MAX_COPY_BYTES = 1024**3  # ours: smaller copies run in parallel and end before the connection times out. S3: 5 GiB

QUEUE_REQUESTS = 200_000  # Message Batches API, lowest tier: requests of all Message Batches in the processing queue
QUEUE_PLACE_KEPT = timedelta(hours=26)  # ours: after it, a Message Batch has expired (24 h) or was never created

REQUESTS_PER_MINUTE = 1_000  # Message Batches API, lowest tier, all calls together
POLLING_SHARE = 0.2  # ours: polling uses at most this share of REQUESTS_PER_MINUTE

MAX_SCHEMA_UNIONS = 16  # structured outputs: at most 16 parameters with union types (anyOf, lists of types) a request
MAX_SCHEMA_OPTIONALS = 24  # structured outputs: at most 24 optional parameters a request

MAX_DOCUMENT_BYTES = MAX_REQUEST_BYTES // 4 * 3  # base64 has four characters for three bytes
MAX_IMAGE_BYTES = 10_485_760 // 4 * 3  # Messages: "image exceeds 10 MB maximum: … bytes > 10485760 bytes", in base64
MAX_IMAGE_SIDE = 8_000  # Messages: "image dimensions exceed max allowed size: 8000 pixels"
MAX_TITLE_CHARS = 500  # ours: enough to name a file; the SDK gives no limit for a document's title
ROWS_PREFETCHED = 8  # ours: S3 answers in parallel, and boto3 keeps ten connections
BYTES_PREFETCHED = 64_000_000  # ours: a file takes about five times its bytes of memory until its request is written
MAX_ZIP_DIRECTORY_BYTES = 16_777_216  # ours: the names of about 200,000 files, 150 MB once they are parsed
MAX_ZIP_RATIO = 200  # ours: documents and photos shrink to a third at best; a zip bomb to a thousandth
ZIP_RATIO_FROM_BYTES = 1_000_000  # ours: a smaller member or archive does no harm, whatever its ratio
