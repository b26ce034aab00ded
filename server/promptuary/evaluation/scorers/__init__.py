"""Scorers, under promptfoo's names and with its meanings: each a small value with one question about one output."""
