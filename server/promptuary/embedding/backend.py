"""The embedder and the vector index of a process, each opened at its first use."""

import threading
from collections.abc import Sequence

from promptuary.core.database import Database
from promptuary.core.settings import Settings
from promptuary.embedding.chroma_index import connect_chroma, open_embedded_chroma
from promptuary.embedding.chroma_ownership import ChromaOwnership
from promptuary.embedding.exact_index import ExactIndex, VectorSource
from promptuary.embedding.index import VectorIndex
from promptuary.embedding.index_repair import IndexRepair
from promptuary.embedding.model import Embedder, build_embedder


class EmbeddingBackend:
    """One per process; safe to use from several threads."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        sources: Sequence[VectorSource],
        *,
        embedder: Embedder | None = None,
        index: VectorIndex | None = None,
    ) -> None:
        """Store the dependencies; open nothing.

        Args:
            database: where the sources read the vectors.
            settings: name the embedding model, and Chroma's URL or folder.
            sources: the vectors in SQL, for a process that cannot reach Chroma.
            embedder: replaces the one that the settings name.
            index: replaces the one that the settings name.
        """
        self._settings = settings
        self._embedder = embedder
        self._index = index
        self._lock = threading.Lock()
        self._ownership = ChromaOwnership(settings.data_dir / "chroma")
        self._served_at: str | None = None
        self._opened_folder: int | None = None
        self.exact_index = ExactIndex(database, sources)
        self.repair = IndexRepair()

    @property
    def embedder(self) -> Embedder:
        """The embedder that the settings name."""
        with self._lock:
            if self._embedder is None:
                self._embedder = build_embedder(self._settings)
            return self._embedder

    @property
    def index(self) -> VectorIndex:
        """The vector index: a Chroma server where one is set or serves this folder, else embedded Chroma, else SQL.

        Chroma is embedded where this process owns its folder. An index at an owner's address is replaced when the owner has
        stopped or has published another address, and an embedded one when its folder was removed or replaced.
        """
        with self._lock:
            if self._opened_folder is not None and self._opened_folder != self._ownership.data_folder():
                self._close_index()
                self._ownership.release()
            if self._index is not None and self._served_at is not None and self._ownership.address() != self._served_at:
                self._close_index()
            if self._index is None:
                self._index = self._open_index()
            return self._index

    def close(self) -> None:
        """Wait for repairs, close the index, and release the ownership of the embedded Chroma."""
        self.repair.close()
        with self._lock:
            self._close_index()
        self._ownership.release()

    def _open_index(self) -> VectorIndex:
        if self._settings.chroma_url:
            return connect_chroma(self._settings.chroma_url)
        if self._ownership.take():
            index = open_embedded_chroma(self._ownership.folder)
            self._opened_folder = self._ownership.data_folder()
            return index
        address = self._ownership.address()
        if address is None:
            return self.exact_index
        index = connect_chroma(address)
        self._served_at = address
        return index

    def _close_index(self) -> None:
        if self._index is not None:
            self._index.close()
        self._index = None
        self._served_at = None
        self._opened_folder = None
