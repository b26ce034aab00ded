"""Regular expressions of suites: compiled by RE2, and translated from JavaScript's."""
