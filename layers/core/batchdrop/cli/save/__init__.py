"""`batchdrop save`: the cheapest plan that provably keeps the quality."""
