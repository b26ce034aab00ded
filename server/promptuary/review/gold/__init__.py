"""Gold cases: corrected outputs that a lead accepts into a dataset, and which cases are gold."""
