"""Whether a request may be sent: the batch queue and the budget."""
