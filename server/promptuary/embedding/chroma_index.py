"""The vector index as the context part sees it, and Chroma behind it: the one place that knows Chroma.

The index is a projection: it holds ids, vectors and plain metadata, never a text, and can be made again from SQL. Embedded
Chroma has one owner process, held by a lock on its folder; other processes reach it over the address that a serving owner
leaves beside the lock, or search the vectors in SQL (`promptuary.embedding.exact_index`).
"""

import fcntl
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar
from urllib.parse import urlsplit

import structlog

from promptuary.core.errors import Unavailable

T = TypeVar("T")
Scalar = str | int | float | bool
log = structlog.get_logger(__name__)
BATCH = 1000
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class IndexEntry:
    """A chunk as the index holds it: its id, its vector (unit length), and the metadata that a query can filter by."""

    id: str
    vector: Sequence[float]
    metadata: Mapping[str, Scalar]


@dataclass(frozen=True)
class IndexHit:
    """A chunk that a query found, and how near it is: the cosine, from -1 to 1."""

    id: str
    score: float


class VectorIndex(Protocol):
    """What both indexes do; they pass the same tests."""

    def upsert(self, collection: str, entries: Sequence[IndexEntry]) -> None:
        """Add the entries, or put them in the place of those with the same ids."""
        ...

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Take ids away; one that is not there is no error."""
        ...

    def query(self, collection: str, vector: Sequence[float], k: int, where: Mapping[str, Scalar]) -> list[IndexHit]:
        """Give the k nearest whose metadata has all of `where`, the nearest first."""
        ...

    def count(self, collection: str) -> int:
        """Count the entries."""
        ...

    def drop(self, collection: str) -> None:
        """Forget a collection."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class ChromaIndex:
    """Chroma, embedded or a server, with our own vectors: it never embeds and never sees a text."""

    def __init__(self, client: Any, where: str) -> None:
        """Keep the client; `where` names it in errors."""
        self._client = client
        self._where = where
        self._collections: dict[str, Any] = {}

    def upsert(self, collection: str, entries: Sequence[IndexEntry]) -> None:
        """Send the entries in batches."""

        def send(opened: Any) -> None:
            for at in range(0, len(entries), BATCH):
                batch = entries[at : at + BATCH]
                opened.upsert(
                    ids=[entry.id for entry in batch],
                    embeddings=[list(entry.vector) for entry in batch],
                    metadatas=[{"_": 0, **entry.metadata} for entry in batch],
                )

        self._call(collection, send)

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Take ids away."""
        if ids:
            self._call(collection, lambda opened: opened.delete(ids=list(ids)))

    def query(self, collection: str, vector: Sequence[float], k: int, where: Mapping[str, Scalar]) -> list[IndexHit]:
        """Ask Chroma; its cosine distance is 1 minus the cosine."""
        terms: list[dict[str, Any]] = [{name: {"$eq": value}} for name, value in where.items()]
        chosen = terms[0] if len(terms) == 1 else {"$and": terms} if terms else None

        def ask(opened: Any) -> list[IndexHit]:
            found = opened.query(query_embeddings=[list(vector)], n_results=k, where=chosen, include=["distances"])
            pairs = zip(found["ids"][0], found["distances"][0], strict=True)
            return [IndexHit(chunk, 1.0 - float(distance)) for chunk, distance in pairs]

        return self._call(collection, ask)

    def count(self, collection: str) -> int:
        """Count the entries."""
        return int(self._call(collection, lambda opened: opened.count()))

    def drop(self, collection: str) -> None:
        """Forget a collection."""
        self._call(collection, lambda _opened: self._client.delete_collection(collection))
        self._collections.pop(collection, None)

    def close(self) -> None:
        """Close the client."""
        sessions = _sessions(self._client)
        self._client.close()
        for session in sessions:
            session.close()

    def _call(self, collection: str, work: Callable[[Any], T]) -> T:
        """Do the work on a collection, made where it is missing; once more where it was made anew behind our back."""
        from chromadb.errors import NotFoundError

        try:
            try:
                return work(self._opened(collection))
            except NotFoundError:
                self._collections.pop(collection, None)
                return work(self._opened(collection))
        except Exception as error:
            log.warning("chroma failed", where=self._where, error=f"{type(error).__name__}: {error}"[:300])
            raise Unavailable(f"Chroma does not answer ({self._where}); see that it runs, then try again", 5) from error

    def _opened(self, collection: str) -> Any:
        if collection not in self._collections:
            self._collections[collection] = self._client.get_or_create_collection(
                collection, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
            )
        return self._collections[collection]


def connect_chroma(url: str) -> ChromaIndex:
    """Reach a Chroma server.

    Raises:
        Unavailable: when nothing answers at the URL, or it is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unavailable(f"PROMPTUARY_CHROMA_URL: '{url}' is not an http(s) URL", 60)
    chromadb, settings = _chroma()
    port = parts.port or (443 if parts.scheme == "https" else 8000)
    try:
        client = chromadb.HttpClient(parts.hostname, port, ssl=parts.scheme == "https", settings=settings)
    except Exception as error:
        raise Unavailable(f"Chroma does not answer at {url}; start it, or correct PROMPTUARY_CHROMA_URL", 5) from error
    for session in _sessions(client):
        session.timeout = TIMEOUT_SECONDS
    return ChromaIndex(client, url)


def _sessions(client: Any) -> list[Any]:
    """Give the HTTP sessions that Chroma's client keeps: it sets them no time limit, and its `close` leaves them open."""
    servers: list[Any] = [getattr(one, "_server", None) for one in (client, getattr(client, "_admin_client", None))]
    return [server._session for server in servers if hasattr(server, "_session")]


class ChromaOwnership:
    """The right to use a Chroma folder: a lock that ends with the process, and the address where its owner serves it."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is taken yet."""
        self.folder = folder
        self._address = folder / "served-at"
        self._lock: IO[str] | None = None

    def take(self) -> bool:
        """Take the lock if it is free."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (self.folder / "owner.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return False
        self._lock = lock
        self._address.unlink(missing_ok=True)
        return True

    def publish_address(self, url: str) -> None:
        """Leave the address for the other processes of this machine."""
        written = self._address.with_suffix(".new")
        written.write_text(url)
        os.replace(written, self._address)

    def address(self) -> str | None:
        """Give the address that the owner left, if it serves."""
        try:
            return self._address.read_text().strip() or None
        except OSError:
            return None

    def release(self) -> None:
        """Let another process take it."""
        if self._lock is not None:
            self._address.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None


def open_embedded_chroma(folder: Path) -> ChromaIndex:
    """Open Chroma in this process, which must hold the folder's ownership."""
    chromadb, settings = _chroma()
    return ChromaIndex(chromadb.PersistentClient(str(folder / "data"), settings=settings), "embedded")


def _chroma() -> tuple[Any, Any]:
    try:
        import chromadb
        from chromadb.config import Settings
    except ImportError:
        raise Unavailable("Chroma is not installed; install promptuary[context]", retry_after=60) from None
    return chromadb, Settings(anonymized_telemetry=False)
