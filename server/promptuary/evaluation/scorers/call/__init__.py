"""Scorers of the model call beside its text: tool calls, tokens, time, cost and retrieved passages."""
