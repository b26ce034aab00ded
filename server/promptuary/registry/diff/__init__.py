"""Two versions of a prompt compared, and the wire form of their differences."""
