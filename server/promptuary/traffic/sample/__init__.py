"""The random sample of calls whose contents are stored: how they are stored, and what readers get of them."""
