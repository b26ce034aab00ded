"""Preferences between the outputs of pairs: strengths of versions, and the influence of the side."""
