"""Scorers that compare an output's text with reference texts, patterns and phrases."""
