"""Template formats, parsed to one tree that one renderer walks."""
