"""The lookup fast path: a version by label or number, answered from memory before the web framework."""
