"""Calls and feedback that applications report: queued in the caller, encoded and sent in the background."""
