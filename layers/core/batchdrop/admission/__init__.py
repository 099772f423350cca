"""Admission: the batch queue and the budget decide whether requests may be sent."""
