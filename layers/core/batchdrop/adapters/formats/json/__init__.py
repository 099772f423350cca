"""JSON Lines and JSON arrays."""
