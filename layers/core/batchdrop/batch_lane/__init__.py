"""The batch lane: Message Batches."""
