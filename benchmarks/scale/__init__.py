"""The scale model: what a job of any size asks of AWS."""
