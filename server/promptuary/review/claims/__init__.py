"""Claims: an item leased to one reviewer, with the draft, until the decision."""
