"""batchdrop: drop a file into a bucket, get it back with Claude's answer to each row."""
