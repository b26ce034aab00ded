"""One vector per prompt, of its newest version: computed after the registration, stored in SQL, and sent to the index.

SQL decides which prompts are pending (`promptuary.search.store.count_pending`), also where a message was lost. The outbox only
wakes a worker. A search also processes one batch of the pending prompts, and reports how many prompts it could not compare.
"""

import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from promptuary.access.store import lock_project
from promptuary.core.database import Database
from promptuary.core.errors import Unavailable
from promptuary.core.settings import Settings
from promptuary.embedding.backend import EmbeddingBackend
from promptuary.embedding.index import IndexEntry, VectorIndex
from promptuary.prompt.digest import content_from_json
from promptuary.registry import version_store
from promptuary.registry.text_search import word_store
from promptuary.registry.version_store import Version
from promptuary.search import store, summary_text
from promptuary.search.store import PromptVector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EMBED_BATCH = 32
"""The number of texts that are embedded in one call: a second or less on two cores, the longest time that a search waits."""
SEND_BATCH = 500
"""The number of vectors that are sent to the index in one call."""
WORDS_BATCH = 200
"""The number of prompts whose words are computed in one transaction."""
MAX_ROUNDS = 20
"""The maximum number of batches in one call of `reindex`."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class IndexProgress:
    """The number of prompts in the index, and the number of prompts that are still to come."""

    prompts: int
    behind: int


class PromptVectors:
    """One per process; safe to use from several threads. No transaction is open while texts are embedded."""

    def __init__(self, database: Database, settings: Settings, backend: EmbeddingBackend) -> None:
        """Store the dependencies; open nothing."""
        self._database = database
        self._backend = backend
        self._lock = threading.Lock()
        self.model = settings.embedding_model

    @property
    def index(self) -> VectorIndex:
        """The process's vector index."""
        return self._backend.index

    def search_index(self, project: int, uid: str) -> VectorIndex:
        """Return the index to search a project's prompts in: SQL where Chroma has lost some, which are sent to it again.

        Args:
            project: whose prompts.
            uid: the name of their index collection.

        Raises:
            Unavailable: when the index does not answer.
        """
        index = self.index
        if index.reads_sql:
            return index
        with self._database.read() as session:
            sent = store.count_indexed(session, project, self.model)
        if index.count(uid) >= sent:
            return index
        self._backend.repair.start(("prompts", project), lambda: self._rebuild(project))
        return self._backend.exact_index

    def _rebuild(self, project: int) -> None:
        progress = self.reindex(project, rebuild=True)
        while progress.behind:
            behind = progress.behind
            progress = self.reindex(project)
            if progress.behind >= behind:
                raise Unavailable(f"{behind} prompts cannot be indexed now")

    def count_pending(self, project: int, leave_out: int | None = None) -> int:
        """Count the prompts that a search of this process cannot find yet; `leave_out` is not counted."""
        with self._database.read() as session:
            return store.count_pending(session, project, self.model, indexed=not self.index.reads_sql, leave_out=leave_out)

    def catch_up(self, project: int, leave_out: int | None = None) -> None:
        """Process one batch of the pending prompts, unless another thread is doing so.

        A missing embedder is logged, not raised: a search can still find the prompts that have a vector.

        Args:
            project: whose prompts.
            leave_out: a prompt that is not processed.

        Raises:
            Unavailable: when the index does not answer.
        """
        if not self.count_pending(project, leave_out) or not self._lock.acquire(blocking=False):
            return
        try:
            try:
                self._embed_batch(project, leave_out=leave_out)
            except Unavailable as error:
                log.warning("prompts stay without a vector", error=error.message)
            self._send_batch(project)
        finally:
            self._lock.release()

    def deliver(self, payload: dict[str, Any]) -> None:
        """Process one batch of the pending prompts, the given prompt first; idempotent.

        Args:
            payload: `{"project": number, "prompt": number}`.
        """
        with self._lock:
            self._embed_batch(payload["project"], first=payload["prompt"])
            self._send_batch(payload["project"])

    def reindex(self, project: int, *, rebuild: bool = False) -> IndexProgress:
        """Process up to `MAX_ROUNDS` batches of the pending prompts; call it again until none is pending.

        Args:
            project: whose prompts.
            rebuild: send every vector to a new index collection, because the index may have lost some; and compute the words
                of every prompt again, not only those that are missing.

        Raises:
            Unavailable: when the embedder or the index does not work.
        """
        self._renew_words(project, rebuild=rebuild)
        with self._lock:
            if rebuild:
                self._replace_index_collection(project)
            for _ in range(MAX_ROUNDS):
                if not self._embed_batch(project) + self._send_batch(project):
                    break
        with self._database.read() as session:
            uid = store.index_uid(session, project, self.model)
        return IndexProgress(self.index.count(uid) if uid else 0, self.count_pending(project))

    def _renew_words(self, project: int, *, rebuild: bool) -> None:
        """Compute the words for the full-text search: of all prompts, or of those that have none."""
        last = 0
        while True:
            with self._database.write() as session:
                lock_project(session, project)
                if rebuild:
                    prompts = word_store.next_prompts(session, project, last, WORDS_BATCH)
                else:
                    prompts = word_store.missing_prompts(session, project, WORDS_BATCH)
                word_store.renew_words(session, prompts)
            if len(prompts) < WORDS_BATCH:
                return
            last = prompts[-1]

    def stored_vector(self, project: int, prompt: int, texts: Sequence[str]) -> "NDArray[np.float32] | None":
        """Return the stored vector of a prompt if it was computed from exactly these texts, else None."""
        with self._database.read() as session:
            vector = store.prompt_vectors(session, project, self.model, [prompt]).get(prompt)
        if vector is None or vector.digest != summary_text.texts_digest(texts):
            return None
        import numpy as np

        return np.frombuffer(vector.vector, dtype="<f4")

    def embed(self, texts_by_prompt: Sequence[Sequence[str]]) -> "NDArray[np.float32]":
        """Return one vector of unit length per prompt: the mean of the vectors of its texts.

        Raises:
            Unavailable: when the embedder does not work.
        """
        rows = self._backend.embedder.embed([text for texts in texts_by_prompt for text in texts])
        import numpy as np

        ends = np.cumsum([len(texts) for texts in texts_by_prompt])
        means = np.stack([part.mean(axis=0) for part in np.split(rows, ends[:-1])])
        vectors: NDArray[np.float32] = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        return vectors

    def _embed_batch(self, project: int, *, first: int | None = None, leave_out: int | None = None) -> int:
        """Compute and store the vectors of one batch of prompts without a vector; return how many."""
        with self._database.read() as session:
            numbers = store.prompts_without_vector(session, project, self.model, EMBED_BATCH, first=first, leave_out=leave_out)
            versions = version_store.versions_by_prompt(session, project, numbers)
            old_vectors = store.prompt_vectors(session, project, self.model, list(numbers))
        batch = _first_texts({prompt: versions.get(prompt) for prompt in numbers})
        if not batch:
            return 0
        new_vectors = self._vectors_of(batch, old_vectors)
        with self._database.write() as session:
            lock_project(session, project)
            store.ensure_index_uid(session, project, self.model, _new_uid())
            rows = [
                PromptVector(prompt, numbers[prompt], summary_text.texts_digest(texts), self.model, new_vectors[prompt])
                for prompt, texts in batch.items()
            ]
            store.put_prompt_vectors(session, rows)
        return len(batch)

    def _vectors_of(
        self, texts_by_prompt: Mapping[int, Sequence[str]], old_vectors: Mapping[int, PromptVector]
    ) -> dict[int, bytes]:
        """Return the vector of each prompt: the old one where it was computed from the same texts, else a new one."""
        vectors = {
            prompt: old_vectors[prompt].vector
            for prompt, texts in texts_by_prompt.items()
            if prompt in old_vectors and old_vectors[prompt].digest == summary_text.texts_digest(texts)
        }
        missing = [prompt for prompt in texts_by_prompt if prompt not in vectors]
        if missing:
            rows = self.embed([texts_by_prompt[prompt] for prompt in missing]).astype("<f4")
            vectors |= {prompt: row.tobytes() for prompt, row in zip(missing, rows, strict=True)}
        return vectors

    def _send_batch(self, project: int) -> int:
        """Send one batch of vectors to the index, then mark them as indexed; return how many.

        Vectors may be sent twice. They are marked only if the collection that they were sent to is still the project's:
        another process may have replaced it since.
        """
        if self.index.reads_sql:
            return 0
        with self._database.read() as session:
            uid = store.index_uid(session, project, self.model)
            vectors = store.unindexed_vectors(session, project, self.model, SEND_BATCH)
        if uid is None or not vectors:
            return 0
        import numpy as np

        entries = [IndexEntry(str(vector.prompt), np.frombuffer(vector.vector, dtype="<f4").tolist(), {}) for vector in vectors]
        self.index.upsert(uid, entries)
        with self._database.write() as session:
            lock_project(session, project)
            if store.index_uid(session, project, self.model) == uid:
                store.mark_indexed(session, vectors)
        return len(vectors)

    def _replace_index_collection(self, project: int) -> None:
        with self._database.write() as session:
            lock_project(session, project)
            old_uid = store.replace_index_uid(session, project, self.model, _new_uid())
        if old_uid is not None:
            self.index.drop(old_uid)


def _first_texts(versions: Mapping[int, Version | None]) -> dict[int, list[str]]:
    """Return the texts to embed of the first prompts, up to `EMBED_BATCH` texts in all.

    A version that was changed in the database (None) has an empty text, which no search finds.
    """
    batch: dict[int, list[str]] = {}
    for prompt, version in versions.items():
        batch[prompt] = [""] if version is None else _texts(version)
        if sum(map(len, batch.values())) >= EMBED_BATCH:
            break
    return batch


def _texts(version: Version) -> list[str]:
    return summary_text.embedding_texts(version.prompt, content_from_json(version.content), version.tags)


def _new_uid() -> str:
    return f"promptuary-prompts-{secrets.token_hex(8)}"
