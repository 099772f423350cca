"""Programs for developers of batchdrop."""
