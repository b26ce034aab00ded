"""A finished run whose outputs are corrected; the fixtures are those of the sources."""

from review.sources.conftest import cases, finished_run, run

__all__ = ["cases", "finished_run", "run"]
