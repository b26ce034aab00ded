"""The end of the wait: calls stay in the sample or leave, reservoirs keep their size, and what waited is purged."""
