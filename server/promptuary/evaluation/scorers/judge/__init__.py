"""Scorers by which a model judges an output, and how such a judge is asked."""
