"""Gold cases: corrected outputs that a lead accepts into a dataset, and where they come from."""
