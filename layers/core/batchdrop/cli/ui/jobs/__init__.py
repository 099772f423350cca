"""The jobs of a stack: a list, and each job's progress, timeline, controls and files."""
