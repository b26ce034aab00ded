"""Judges compared with people: labels of outputs that a judge scored, and how far its figures may be relied on."""
