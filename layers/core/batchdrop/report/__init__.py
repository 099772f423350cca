"""A job's figures: tally, summary, statistics."""
