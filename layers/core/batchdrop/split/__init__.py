"""Split an upload into shards of requests."""
