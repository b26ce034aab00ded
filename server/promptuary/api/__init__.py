"""The HTTP service: its composition root, middleware, errors and metrics, and the fast path of lookups."""
