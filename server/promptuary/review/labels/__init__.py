"""Labels: the schema of a queue, and the decisions that were made under it."""
