"""Suites: what is tried, how it is scored, and what the scores must reach."""
