"""Damage of every kind to real processes, and what became of the work; `make chaos` runs it."""
