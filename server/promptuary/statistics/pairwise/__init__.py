"""Choices between two sides: strengths with intervals, and the influence of the position on the screen."""
