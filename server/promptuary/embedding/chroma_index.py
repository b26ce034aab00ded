"""The vector index in Chroma, embedded or as a server: the only module that imports Chroma."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import structlog

from promptuary.core.errors import Unavailable
from promptuary.embedding.chroma_ownership import DATA
from promptuary.embedding.index import IndexEntry, IndexHit, IndexRefused, IndexState, Scalar

T = TypeVar("T")
log = structlog.get_logger(__name__)
BATCH = 1000
_GENERATION = "generation"
TIMEOUT_SECONDS = 30.0


class ChromaIndex:
    """A Chroma database that stores vectors computed elsewhere: it never embeds and never receives a text."""

    reads_sql = False

    def __init__(self, client: Any, where: str) -> None:
        """Store Chroma's client; `where` names the database in error messages."""
        self._client = client
        self._where = where
        self._collections: dict[str, Any] = {}

    def upsert(self, collection: str, entries: Sequence[IndexEntry]) -> None:
        """Send the entries in batches."""

        def send(chroma: Any) -> None:
            for start in range(0, len(entries), BATCH):
                batch = entries[start : start + BATCH]
                chroma.upsert(
                    ids=[entry.id for entry in batch],
                    embeddings=[list(entry.vector) for entry in batch],
                    metadatas=[{"_": 0, **entry.metadata} for entry in batch],
                )

        self._call(collection, send)

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Delete entries by id."""
        if ids:
            self._call(collection, lambda chroma: chroma.delete(ids=list(ids)))

    def query(self, collection: str, vector: Sequence[float], k: int, where: Mapping[str, Scalar]) -> list[IndexHit]:
        """Query Chroma, and convert its cosine distance to a similarity: 1 minus the distance."""
        terms: list[dict[str, Any]] = [{name: {"$eq": value}} for name, value in where.items()]
        condition = terms[0] if len(terms) == 1 else {"$and": terms} if terms else None

        def search(chroma: Any) -> list[IndexHit]:
            result = chroma.query(query_embeddings=[list(vector)], n_results=k, where=condition, include=["distances"])
            pairs = zip(result["ids"][0], result["distances"][0], strict=True)
            return [IndexHit(id_, 1.0 - float(distance)) for id_, distance in pairs]

        return self._call(collection, search)

    def count(self, collection: str) -> int:
        """Return the number of entries."""
        return int(self._call(collection, lambda chroma: chroma.count()))

    def state(self, collection: str) -> IndexState:
        """Return the number of entries, and the generation in Chroma's metadata of the collection."""

        def read(chroma: Any) -> IndexState:
            stored = self._client.get_collection(collection, embedding_function=None)
            return IndexState(int(chroma.count()), _generation(stored))

        return self._call(collection, read)

    def set_generation(self, collection: str, generation: int) -> None:
        """Store the generation in Chroma's metadata of the collection."""

        def write(_chroma: Any) -> None:
            stored = self._client.get_collection(collection, embedding_function=None)
            if generation > _generation(stored):
                stored.modify(metadata={_GENERATION: generation})

        self._call(collection, write)

    def drop(self, collection: str) -> None:
        """Delete a collection with all its entries."""
        self._call(collection, lambda _chroma: self._client.delete_collection(collection))
        self._collections.pop(collection, None)

    def close(self) -> None:
        """Close the client and its HTTP sessions."""
        sessions = _http_sessions(self._client)
        self._client.close()
        for session in sessions:
            session.close()

    def _call(self, collection: str, operation: Callable[[Any], T]) -> T:
        """Run an operation on a collection, which is created where it is missing.

        A collection that another process has deleted since it was opened is opened again, once.

        Raises:
            IndexRefused: for what Chroma does not accept, however often it is sent.
            Unavailable: for every other error.
        """
        from chromadb.errors import InvalidArgumentError, InvalidDimensionException, NotFoundError

        try:
            try:
                return operation(self._open(collection))
            except NotFoundError:
                self._collections.pop(collection, None)
                return operation(self._open(collection))
        except (InvalidArgumentError, InvalidDimensionException, ValueError, TypeError) as error:
            raise IndexRefused(f"Chroma does not accept it ({self._where}): {error}"[:500]) from error
        except Exception as error:
            log.warning("chroma failed", where=self._where, error=f"{type(error).__name__}: {error}"[:300])
            raise Unavailable(f"Chroma does not answer ({self._where}); check that it is running, then try again", 5) from error

    def _open(self, collection: str) -> Any:
        if collection not in self._collections:
            self._collections[collection] = self._client.get_or_create_collection(
                collection, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
            )
        return self._collections[collection]


def _generation(collection: Any) -> int:
    return int((collection.metadata or {}).get(_GENERATION, 0))


def connect_chroma(url: str) -> ChromaIndex:
    """Connect to a Chroma server.

    Raises:
        Unavailable: when the server does not answer, or the text is not a URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unavailable(f"PROMPTUARY_CHROMA_URL: '{url}' is not an http(s) URL", 60)
    chromadb, settings = _import_chroma()
    port = parts.port or (443 if parts.scheme == "https" else 8000)
    try:
        client = chromadb.HttpClient(parts.hostname, port, ssl=parts.scheme == "https", settings=settings)
    except Exception as error:
        raise Unavailable(f"Chroma does not answer at {url}; start it, or correct PROMPTUARY_CHROMA_URL", 5) from error
    for session in _http_sessions(client):
        session.timeout = TIMEOUT_SECONDS
    return ChromaIndex(client, url)


def open_embedded_chroma(folder: Path) -> ChromaIndex:
    """Open Chroma in this process, which must own the folder (`chroma_ownership.ChromaOwnership`)."""
    chromadb, settings = _import_chroma()
    return ChromaIndex(chromadb.PersistentClient(str(folder / DATA), settings=settings), "embedded")


def _http_sessions(client: Any) -> list[Any]:
    """Return the HTTP sessions of Chroma's client, which sets no timeout on them and does not close them."""
    servers: list[Any] = [getattr(owner, "_server", None) for owner in (client, getattr(client, "_admin_client", None))]
    return [server._session for server in servers if hasattr(server, "_session")]


def _import_chroma() -> tuple[Any, Any]:
    try:
        import chromadb
        from chromadb.config import Settings
    except ImportError:
        raise Unavailable("Chroma is not installed; install promptuary[context]", retry_after=60) from None
    return chromadb, Settings(anonymized_telemetry=False)
