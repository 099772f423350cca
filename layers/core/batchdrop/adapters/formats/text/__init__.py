"""Encodings, lines and plain text."""
