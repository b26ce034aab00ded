"""The erasure of a version's content: from its row, from what includes it, and from what was computed with it."""
