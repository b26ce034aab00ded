"""The lookup without I/O: cache, breaker and the decisions of both clients."""
