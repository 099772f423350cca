"""What a job came to: tally, summary, statistics."""
