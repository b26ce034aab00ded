"""The chunks' vectors as a source of the exact index, and the process's embedding backend with all sources."""

from collections.abc import Iterator

from promptuary.context import store
from promptuary.core.database import Database, Session
from promptuary.core.settings import Settings
from promptuary.embedding.backend import EmbeddingBackend
from promptuary.embedding.exact_index import ExactIndex, StoredVector
from promptuary.embedding.index import VectorIndex
from promptuary.embedding.model import Embedder
from promptuary.search.vector_source import PromptVectorSource


class ChunkVectorSource:
    """Reads the vectors of the chunks of collections."""

    def walk(self, session: Session, collection: str) -> Iterator[list[StoredVector]]:
        """Yield the vectors of a collection's chunks in batches."""
        if collection_id := store.collection_id_of(session, collection):
            for batch in store.walk_chunks(session, collection_id):
                yield [StoredVector(stored.chunk.id, stored.chunk.vector, stored.metadata) for stored in batch]

    def count(self, session: Session, collection: str) -> int:
        """Return the number of a collection's chunks."""
        collection_id = store.collection_id_of(session, collection)
        return store.counts(session, collection_id)[1] if collection_id else 0


VECTOR_SOURCES = (ChunkVectorSource(), PromptVectorSource())


def build_exact_index(database: Database) -> ExactIndex:
    """Build the index that searches all vectors in SQL."""
    return ExactIndex(database, VECTOR_SOURCES)


def build_embedding_backend(
    database: Database, settings: Settings, *, embedder: Embedder | None = None, index: VectorIndex | None = None
) -> EmbeddingBackend:
    """Build the process's embedder and index; without a replacement, the settings name them."""
    return EmbeddingBackend(database, settings, VECTOR_SOURCES, embedder=embedder, index=index)
