"""Lookups without I/O: the memory, the circuit breaker, and the decisions that both clients share."""
