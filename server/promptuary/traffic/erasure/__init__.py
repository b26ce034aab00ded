"""The erasure of what production calls left: of one end user, and of a version."""
