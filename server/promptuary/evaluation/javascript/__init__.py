"""JavaScript of suites: run by an embedded engine in a child process, without any input or output, within limits."""
