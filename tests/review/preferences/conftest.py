"""A finished run whose outputs are corrected; the fixtures are those of the sources."""

from review.sources.conftest import finished_run, run

__all__ = ["finished_run", "run"]
