"""Programs for those who work on batchdrop."""
