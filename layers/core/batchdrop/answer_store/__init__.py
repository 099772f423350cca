"""The answer store: answers kept by the hash of what was sent, so that no row is paid for again."""
