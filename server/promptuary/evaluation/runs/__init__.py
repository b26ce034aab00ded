"""Runs: submission, storage, rules and routes."""
