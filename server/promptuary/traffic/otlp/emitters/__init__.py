"""One module for each family of emitters: which of its spans are model calls, and what their attributes mean."""
