"""`promptuary eval`: suites run, followed and reported."""
