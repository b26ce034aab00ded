"""The costs of a run in execution: what is spent, what is reserved, and the limit."""
