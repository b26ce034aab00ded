"""Scorers that compare an output with a text."""
