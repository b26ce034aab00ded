"""Evaluations: suites and datasets, runs leased by workers, scorers, statistics, a verdict, and MLflow's copy of all of it."""
