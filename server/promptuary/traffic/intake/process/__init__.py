"""The intake in a process of its own: its decoding, redaction and SQL take no time from the lookups of the server."""
