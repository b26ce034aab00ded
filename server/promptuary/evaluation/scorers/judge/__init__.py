"""Scorers by which a model judges an output."""
