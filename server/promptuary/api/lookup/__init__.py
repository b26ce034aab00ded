"""The lookup's fast path, plain ASGI in front of FastAPI: key and response from memory, both confirmed by the change feed."""
