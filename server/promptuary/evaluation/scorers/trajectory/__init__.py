"""Scorers of the steps that led to an output: promptfoo's `trajectory:…` types."""
