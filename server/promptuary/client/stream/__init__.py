"""The stream of changes: server-sent events and what they mean for the cache."""
