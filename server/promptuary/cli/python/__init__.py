"""Evaluations from Python: a function for programs and notebooks, and a plug-in of pytest."""
