"""Changes of a collection while another process updates the index, and by two requests at the same time."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from factories.word_embedder import WordEmbedder, word_embedding_backend
from promptuary.context.ingestion import DocumentIngestion, NewDocument
from promptuary.context.retrieval import PassageQuery, PassageRetrieval
from promptuary.context.service import Collections
from promptuary.context.vector_source import build_embedding_backend
from promptuary.core import outbox
from promptuary.embedding.chroma_index import ChromaIndex, connect_chroma
from promptuary.embedding.chroma_ownership import ChromaOwnership

CARD = "Your new card arrives within five working days."
FEE = "A transfer abroad costs two percent."


class Interrupted(ChromaIndex):
    """An index that calls a hook once, before the next call of a method."""

    def __init__(self, index: ChromaIndex) -> None:
        super().__init__(index._client, index._where)
        self.hooks: dict[str, Any] = {}

    def _interrupt(self, method: str) -> None:
        self.hooks.pop(method, lambda: None)()

    def upsert(self, collection: str, entries: Any) -> None:
        self._interrupt("upsert")
        super().upsert(collection, entries)

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        self._interrupt("delete")
        super().delete(collection, ids)

    def drop(self, collection: str) -> None:
        self._interrupt("drop")
        super().drop(collection)


@pytest.fixture
def index(chroma_server: str) -> Any:
    """A Chroma index of this process, which a test can interrupt."""
    index = Interrupted(connect_chroma(chroma_server))
    yield index
    index.close()


@pytest.fixture
def retrieval(sqlite: Any, clock: Any, settings: Any, index: Interrupted) -> PassageRetrieval:
    backend = build_embedding_backend(sqlite, settings, embedder=WordEmbedder(), index=index)
    return PassageRetrieval(sqlite, clock, backend)


@pytest.fixture
def other(sqlite: Any, clock: Any, settings: Any, chroma_server: str) -> Any:
    """The retrieval of another process on the same Chroma server."""
    index = connect_chroma(chroma_server)
    backend = build_embedding_backend(sqlite, settings, embedder=WordEmbedder(), index=index)
    yield PassageRetrieval(sqlite, clock, backend)
    index.close()


def documents(retrieval: PassageRetrieval) -> set[str]:
    return {passage.document for passage in retrieval.query(1, "policies", PassageQuery(CARD, 10))}


def entries(sqlite: Any, index: ChromaIndex) -> int:
    with sqlite.read() as session:
        uid = session.connection().exec_driver_sql("SELECT uid FROM collection").scalar_one()
    return index.count(uid)


def test_a_document_added_before_reindex_empties_the_index_stays_in_it(
    retrieval: PassageRetrieval, other: PassageRetrieval, index: Interrupted, ingest: Any
) -> None:
    ingest(retrieval, card=CARD)
    retrieval.catch_up()

    def add_in_another_process() -> None:
        ingest(other, fee=FEE)
        other.catch_up()

    index.hooks["drop"] = add_in_another_process
    assert retrieval.reindex(1, "policies") == 2
    assert documents(retrieval) == {"card", "fee"}


def test_a_document_deleted_during_reindex_leaves_the_index(
    sqlite: Any, retrieval: PassageRetrieval, other: PassageRetrieval, index: Interrupted, ingest: Any, unit_as: Any
) -> None:
    ingest(retrieval, card=CARD, fee=FEE)
    retrieval.catch_up()

    def delete_in_another_process() -> None:
        with unit_as("author") as unit:
            Collections(unit).delete_document("policies", "fee")
        other.catch_up()

    index.hooks["upsert"] = delete_in_another_process
    assert retrieval.reindex(1, "policies") == 1
    assert (documents(retrieval), entries(sqlite, index)) == ({"card"}, 1)


def test_a_document_deleted_during_a_delivery_leaves_the_index(
    sqlite: Any, retrieval: PassageRetrieval, other: PassageRetrieval, index: Interrupted, ingest: Any, unit_as: Any
) -> None:
    ingest(retrieval, card=CARD)

    def delete_in_another_process() -> None:
        with unit_as("author") as unit:
            Collections(unit).delete_document("policies", "card")
        other.catch_up()

    index.hooks["upsert"] = delete_in_another_process
    retrieval.catch_up()
    assert entries(sqlite, index) == 0


def test_a_document_added_again_while_its_deletion_is_delivered_stays(
    sqlite: Any, retrieval: PassageRetrieval, other: PassageRetrieval, index: Interrupted, ingest: Any, unit_as: Any
) -> None:
    ingest(retrieval, card=CARD)
    retrieval.catch_up()
    with unit_as("author") as unit:
        Collections(unit).delete_document("policies", "card")

    def add_in_another_process() -> None:
        ingest(other, card=CARD)
        other.catch_up()

    index.hooks["delete"] = add_in_another_process
    retrieval.catch_up()
    assert entries(sqlite, index) == 1


def test_a_query_returns_k_passages_behind_entries_that_sql_has_not(
    sqlite: Any, retrieval: PassageRetrieval, ingest: Any
) -> None:
    ingest(retrieval, card=CARD, card2=CARD, fee=FEE)
    retrieval.catch_up()
    with sqlite.write() as session:
        session.connection().exec_driver_sql(
            "DELETE FROM chunk WHERE document_id IN (SELECT id FROM document WHERE key LIKE 'card%')"
        )
    passages = retrieval.query(1, "policies", PassageQuery(CARD, 1))
    assert [passage.document for passage in passages] == ["fee"]


def test_two_requests_replace_the_same_document_one_after_the_other(
    database: Any, clock: Any, settings: Any, unit_as: Any
) -> None:
    with unit_as("author") as unit:
        Collections(unit).put_collection("policies")
        caller = unit.caller
    barrier = threading.Barrier(2, timeout=30)

    class SimultaneousEmbedder(WordEmbedder):
        """Returns when both requests have read the collection."""

        def embed(self, texts: Sequence[str]) -> Any:
            barrier.wait()
            return super().embed(texts)

    retrieval = PassageRetrieval(database, clock, word_embedding_backend(database, settings, SimultaneousEmbedder()))
    ingestion = DocumentIngestion(database, clock, settings, retrieval)
    errors: list[Exception] = []

    def add(text: str) -> None:
        try:
            ingestion.add(caller, "policies", [NewDocument("card", text, "", {})])
        except Exception as error:
            errors.append(error)

    for texts in ((CARD, CARD), (f"{CARD} First.", f"{CARD} Second.")):
        threads = [threading.Thread(target=add, args=(text,)) for text in texts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert errors == []
    with unit_as("viewer") as unit:
        summary = Collections(unit).collection("policies")
    assert (summary.documents, summary.chunks) == (1, 1)


def test_an_index_follows_the_owner_to_a_new_address(
    sqlite: Any, clock: Any, settings: Any, chroma_server: str, ingest: Any
) -> None:
    ownership = ChromaOwnership(settings.data_dir / "chroma")
    assert ownership.take()
    ownership.publish_address(chroma_server.replace("127.0.0.1", "localhost"))
    backend = build_embedding_backend(sqlite, settings, embedder=WordEmbedder())
    first = backend.index
    assert backend.index is first
    ownership.publish_address(chroma_server)
    second = backend.index
    assert (isinstance(second, ChromaIndex), second is first) == (True, False)
    ownership.release()
    assert backend.index._where == "embedded"  # type: ignore[attr-defined]
    backend.close()
    with sqlite.read() as session:
        assert outbox.count_pending(session, "chroma") == 0
