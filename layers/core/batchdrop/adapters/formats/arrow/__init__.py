"""Arrow IPC: Feather V2, as a file or as a stream."""
