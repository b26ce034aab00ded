"""Scorers of structured output: JSON, XML, HTML, SQL."""
