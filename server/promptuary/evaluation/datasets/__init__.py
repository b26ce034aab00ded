"""Datasets: cases, the files they come from, and uploads of any size."""
