"""The command line: `batchdrop`."""
