"""Limits of workbooks: Excel's own, and what a broken or hostile file may cost."""

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
