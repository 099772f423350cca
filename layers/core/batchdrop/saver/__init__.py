"""Statistics of agreement: intervals, certificates and audits. Pure arithmetic."""
