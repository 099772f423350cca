"""From the upload to shards."""
