"""The spans around calls, and what they state of calls that come in other requests."""
