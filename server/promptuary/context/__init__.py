"""Context: documents cut into chunks, embedded, kept in SQL, projected into Chroma; queried, and rendered into prompts."""
