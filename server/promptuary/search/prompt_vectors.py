"""One vector a prompt, of its newest version, made after the registering and never in its way; in SQL, and sent to the index.

SQL says which prompts are behind (`promptuary.context.store.count_pending`), whoever registered
them and whatever was lost on the way.
The outbox only wakes a worker; a search catches up by itself, one batch at a time, and says how many prompts it could not see.
"""

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from promptuary.access.store import lock_project
from promptuary.context import store
from promptuary.context.retrieval import PassageRetrieval
from promptuary.context.store import PromptVector
from promptuary.core.database import Database
from promptuary.core.errors import Unavailable
from promptuary.core.settings import Settings
from promptuary.embedding.chroma_index import IndexEntry, VectorIndex
from promptuary.embedding.exact_index import ExactIndex
from promptuary.prompt.digest import content_from_json
from promptuary.registry import store as registry_store
from promptuary.registry.store import Version
from promptuary.search import summary_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EMBED_BATCH = 32
"""The texts that are embedded in one go: a second or less on two cores, which a search waits for at most."""
SEND_BATCH = 500
"""The vectors that are sent to the index in one go."""
MAX_ROUNDS = 20
"""The batches that one call of `reindex` does at most."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class IndexProgress:
    """How many prompts the index holds, and how many are not in it yet."""

    prompts: int
    behind: int


class PromptVectors:
    """One a process; safe to use from several threads. Nothing is embedded while a transaction is open."""

    def __init__(self, database: Database, settings: Settings, retrieval: PassageRetrieval) -> None:
        """Keep the parts; the embedder and the index are the retrieval's."""
        self._database = database
        self._retrieval = retrieval
        self._lock = threading.Lock()
        self.model = settings.embedding_model

    @property
    def index(self) -> VectorIndex:
        """The process's index."""
        return self._retrieval.index

    def behind(self, project: int) -> int:
        """Count the prompts that no search of this process can find yet."""
        with self._database.read() as session:
            return store.count_pending(session, project, self.model, indexed=self._projects)

    def catch_up(self, project: int) -> None:
        """Do one batch of what is behind, unless another thread is at it: a search is answered with what is there.

        Raises:
            Unavailable: when the index cannot be told. That an embedder is missing does not matter here yet.
        """
        if not self.behind(project) or not self._lock.acquire(blocking=False):
            return
        try:
            try:
                self._make(project)
            except Unavailable as error:
                log.warning("prompts stay behind", error=error.message)
            self._send(project)
        finally:
            self._lock.release()

    def deliver(self, payload: dict[str, Any]) -> None:
        """Bring a prompt in step, and those that wait beside it; may be called again with the same prompt.

        Args:
            payload: `{"project": number, "prompt": number}`.
        """
        with self._lock:
            self._make(payload["project"], payload["prompt"])
            self._send(payload["project"])

    def reindex(self, project: int, *, anew: bool = False) -> IndexProgress:
        """Bring some of what is behind in step; to be called until nothing is.

        Args:
            project: whose prompts.
            anew: send every vector to the index again, which may have lost some.

        Raises:
            Unavailable: when the embedder or the index cannot work.
        """
        with self._lock:
            if anew:
                self._forget(project)
            for _ in range(MAX_ROUNDS):
                if not self._make(project) + self._send(project):
                    break
        with self._database.read() as session:
            uid = store.prompt_uid(session, project, self.model)
        return IndexProgress(self.index.count(uid) if uid else 0, self.behind(project))

    def known(self, project: int, prompt: int, texts: Sequence[str]) -> "NDArray[np.float32] | None":
        """Give the stored vector of a prompt, if it is of these very texts."""
        with self._database.read() as session:
            found = store.prompt_vectors(session, project, self.model, [prompt]).get(prompt)
        if found is None or found.digest != summary_text.texts_digest(texts):
            return None
        import numpy as np

        return np.frombuffer(found.vector, dtype="<f4")

    def embed(self, said: Sequence[Sequence[str]]) -> "NDArray[np.float32]":
        """Give one vector of unit length for each prompt's texts: their mean.

        Raises:
            Unavailable: when the embedder cannot work.
        """
        rows = self._retrieval.embedder.embed([text for texts in said for text in texts])
        import numpy as np

        ends = np.cumsum([len(texts) for texts in said])
        means = np.stack([part.mean(axis=0) for part in np.split(rows, ends[:-1])])
        vectors: NDArray[np.float32] = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        return vectors

    @property
    def _projects(self) -> bool:
        """Tell whether the index has to be told; the exact one reads SQL, and Chroma is another process's then."""
        return not isinstance(self.index, ExactIndex)

    def _make(self, project: int, first: int | None = None) -> int:
        """Embed one batch of the prompts that have no vector, and store the vectors; gives how many."""
        with self._database.read() as session:
            numbers = store.prompts_without_vector(session, project, self.model, EMBED_BATCH, first)
            versions = registry_store.versions_by_prompt(session, project, numbers)
            known = store.prompt_vectors(session, project, self.model, list(numbers))
        said: dict[int, list[str]] = {}
        for prompt in numbers:
            said[prompt] = _texts(versions.get(prompt))
            if sum(map(len, said.values())) >= EMBED_BATCH:
                break
        if not said:
            return 0
        digests = {prompt: summary_text.texts_digest(texts) for prompt, texts in said.items()}
        kept = {prompt: known[prompt].vector for prompt in said if prompt in known and known[prompt].digest == digests[prompt]}
        fresh = [prompt for prompt in said if prompt not in kept]
        if fresh:
            rows = self.embed([said[prompt] for prompt in fresh]).astype("<f4")
            kept |= {prompt: row.tobytes() for prompt, row in zip(fresh, rows, strict=True)}
        with self._database.write() as session:
            lock_project(session, project)
            store.add_prompt_uid(session, project, self.model, f"promptuary-prompts-{secrets.token_hex(8)}")
            made = [PromptVector(prompt, numbers[prompt], digests[prompt], self.model, kept[prompt]) for prompt in said]
            store.put_prompt_vectors(session, made)
        return len(said)

    def _send(self, project: int) -> int:
        """Tell the index of one batch of vectors, then mark them; gives how many. What is sent twice does no harm."""
        if not self._projects:
            return 0
        with self._database.read() as session:
            uid = store.prompt_uid(session, project, self.model)
            vectors = store.unindexed_vectors(session, project, self.model, SEND_BATCH)
        if uid is None or not vectors:
            return 0
        import numpy as np

        entries = [IndexEntry(str(one.prompt), np.frombuffer(one.vector, dtype="<f4").tolist(), {}) for one in vectors]
        self.index.upsert(uid, entries)
        with self._database.write() as session:
            store.mark_indexed(session, vectors)
        return len(vectors)

    def _forget(self, project: int) -> None:
        with self._database.write() as session:
            uid = store.prompt_uid(session, project, self.model)
            store.forget_indexed(session, project)
        if uid is not None:
            self.index.drop(uid)


def _texts(version: Version | None) -> list[str]:
    """Give what is embedded of a version; one that was changed in the database says nothing, and is found by nothing."""
    return (
        [""]
        if version is None
        else summary_text.embedding_texts(version.prompt, content_from_json(version.content), version.tags)
    )
