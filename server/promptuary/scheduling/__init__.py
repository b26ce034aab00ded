"""Schedules of runs, and alerts where a scheduled run drops against its own history."""
