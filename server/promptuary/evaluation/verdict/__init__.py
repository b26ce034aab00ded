"""From results to a verdict: aggregate, summary, comparison, gate, early stop, power."""
