"""The embedding model, exact vector search in SQL, and the Chroma index."""
