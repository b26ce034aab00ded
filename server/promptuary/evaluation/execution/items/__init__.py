"""How one item is answered and scored, and its result."""
