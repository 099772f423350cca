"""Limits that several formats share."""

MAX_CELL_CHARS = 10_000_000  # ours: a longer CSV cell is an unclosed quote, not a cell
MAX_LINE_BYTES = 64_000_000  # ours: twice the largest request; a longer line is not a row
MAX_DECOMPRESSED_BYTES = 20_000_000_000  # ours: the split reads up to its cursor again: a minute at most
UNSUSPECTED_BYTES = 100_000_000  # ours: a file that expands to less is accepted at any ratio
