"""The prompts' vectors as a source of the exact index."""

from collections.abc import Iterator

from promptuary.core.database import Session
from promptuary.embedding.exact_index import StoredVector
from promptuary.search import store


class PromptVectorSource:
    """Reads the vectors of prompts; the collections of documents have a source of their own."""

    def walk(self, session: Session, collection: str) -> Iterator[list[StoredVector]]:
        """Yield the vectors of a project's prompts in batches."""
        for batch in store.walk_prompt_vectors(session, collection):
            yield [StoredVector(str(vector.prompt), vector.vector, {}) for vector in batch]

    def count(self, session: Session, collection: str) -> int:
        """Return the number of prompts with a vector."""
        return sum(map(len, store.walk_prompt_vectors(session, collection)))
