"""Scorers that run the suite's own code or call a service."""
