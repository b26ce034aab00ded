"""Scorers of outputs in a formal language: JSON, XML, HTML and SQL."""
