"""What the counters show: calls, errors, latency, tokens, cost and feedback by version and over time."""
