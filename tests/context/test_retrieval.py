"""What a query finds, over every index; and what happens when the index is behind, wrong or gone."""

from contextlib import suppress
from typing import Any

import pytest

from factories.word_embedder import WordEmbedder
from promptuary.context.retrieval import CHROMA_TOPIC, PassageQuery, PassageRetrieval
from promptuary.context.service import Collections
from promptuary.context.vector_source import build_embedding_backend
from promptuary.core import outbox
from promptuary.core.errors import NotFound, Unavailable
from promptuary.embedding.chroma_index import ChromaIndex, connect_chroma
from promptuary.embedding.chroma_ownership import ChromaOwnership
from promptuary.embedding.exact_index import ExactIndex

pytestmark = pytest.mark.process

CARD = "Your new card arrives within five working days."
FEE = "A transfer abroad costs two percent."
REFUND = "Refunds are paid within fourteen days."


def matching_documents(retrieval: PassageRetrieval, text: str, project: int = 1, **more: Any) -> list[str]:
    return [passage.document for passage in retrieval.query(project, "policies", PassageQuery(text, more.pop("k", 4), **more))]


def test_the_nearest_passage_comes_first(retrieval: PassageRetrieval, ingest: Any) -> None:
    ingest(retrieval, card=CARD, fee=FEE, refund=REFUND)
    assert matching_documents(retrieval, "when does my new card arrive")[0] == "card"
    assert matching_documents(retrieval, "costs of a transfer abroad", k=1) == ["fee"]


def test_a_passage_has_its_source_and_score(retrieval: PassageRetrieval, ingest: Any) -> None:
    ingest(retrieval, {"kind": "a"}, card=CARD)
    (passage,) = retrieval.query(1, "policies", PassageQuery(CARD, 4))
    assert (passage.document, passage.chunk, passage.text, passage.metadata) == ("card", 0, CARD, {"kind": "a"})
    assert passage.score == pytest.approx(1.0, abs=1e-3)
    assert passage.digest.startswith("sha256:")


def test_where_and_min_score_filter_passages(retrieval: PassageRetrieval, ingest: Any) -> None:
    ingest(retrieval, {"kind": "a", "year": 2026}, card=CARD)
    ingest(retrieval, {"kind": "b", "year": 2026}, fee=FEE)
    assert matching_documents(retrieval, "card", where={"kind": "b"}) == ["fee"]
    assert matching_documents(retrieval, "card", where={"kind": "b", "year": 2026}) == ["fee"]
    assert matching_documents(retrieval, "card", where={"kind": "b", "year": 2025}) == []
    assert matching_documents(retrieval, CARD, min_score=0.9) == ["card"]


def test_a_document_ingested_again_replaces_itself(retrieval: PassageRetrieval, ingest: Any) -> None:
    ingest(retrieval, card=CARD)
    changed = ingest(retrieval, card="The parcel comes on Tuesdays.", fee=FEE)
    assert (changed.added, changed.unchanged) == (2, 0)
    assert [
        passage.text for passage in retrieval.query(1, "policies", PassageQuery(CARD, 4)) if passage.document == "card"
    ] == ["The parcel comes on Tuesdays."]
    again = ingest(retrieval, card="The parcel comes on Tuesdays.")
    assert (again.added, again.unchanged, again.chunks) == (0, 1, 0)


def test_a_deleted_document_is_not_found(retrieval: PassageRetrieval, ingest: Any, unit_as: Any) -> None:
    ingest(retrieval, card=CARD, fee=FEE)
    assert "card" in matching_documents(retrieval, CARD)
    with unit_as("author") as unit:
        Collections(unit).delete_document("policies", "card")
    assert matching_documents(retrieval, CARD) == ["fee"]


def test_a_collection_of_another_project_is_not_found(retrieval: PassageRetrieval, ingest: Any) -> None:
    ingest(retrieval, card=CARD)
    with pytest.raises(NotFound):
        matching_documents(retrieval, CARD, project=2)


def test_a_hit_without_a_chunk_in_sql_is_left_out(retrieval: PassageRetrieval, ingest: Any, sqlite: Any) -> None:
    ingest(retrieval, card=CARD, fee=FEE)
    matching_documents(retrieval, CARD)
    with sqlite.write() as session:
        session.connection().exec_driver_sql(
            "DELETE FROM chunk WHERE document_id = (SELECT id FROM document WHERE key = 'card')"
        )
    assert matching_documents(retrieval, CARD) == ["fee"]


def test_reindex_rebuilds_an_index_that_lost_its_entries(retrieval: PassageRetrieval, ingest: Any, sqlite: Any) -> None:
    ingest(retrieval, card=CARD, fee=FEE)
    matching_documents(retrieval, CARD)
    with sqlite.read() as session:
        uid = session.connection().exec_driver_sql("SELECT uid FROM collection").scalar_one()
    retrieval.backend.index.drop(uid)
    assert retrieval.reindex(1, "policies") == 2
    assert matching_documents(retrieval, CARD)[0] == "card"


def test_delivering_the_same_message_twice_changes_nothing(retrieval: PassageRetrieval, ingest: Any, sqlite: Any) -> None:
    ingest(retrieval, card=CARD)
    with sqlite.read() as session:
        ids = list(session.connection().exec_driver_sql("SELECT id FROM chunk").scalars())
    for _ in range(2):
        with suppress(outbox.DeliveryDeferred):  # by the index that is SQL itself
            retrieval.deliver({"collection": 1, "chunks": ids})
    assert matching_documents(retrieval, CARD) == ["card"]


def test_nothing_is_lost_while_chroma_does_not_answer(
    sqlite: Any, clock: Any, settings: Any, ingest: Any, chroma_server: str
) -> None:
    away = settings.model_copy(update={"chroma_url": "http://127.0.0.1:9"})
    down = PassageRetrieval(sqlite, clock, build_embedding_backend(sqlite, away, embedder=WordEmbedder()))
    ingest(down, card=CARD)
    with pytest.raises(Unavailable, match="does not answer at http"):
        matching_documents(down, CARD)
    with sqlite.read() as session:
        assert outbox.count_pending(session, CHROMA_TOPIC) == 1
    clock.move(minutes=10)
    back = PassageRetrieval(
        sqlite, clock, build_embedding_backend(sqlite, settings, embedder=WordEmbedder(), index=connect_chroma(chroma_server))
    )
    assert matching_documents(back, CARD) == ["card"]
    back.close()


def test_an_invalid_chroma_url_is_refused() -> None:
    with pytest.raises(Unavailable, match="not an http"):
        connect_chroma("ftp://somewhere")


def test_one_process_owns_embedded_chroma_and_the_others_search_sql(
    sqlite: Any, clock: Any, settings: Any, ingest: Any
) -> None:
    owner = PassageRetrieval(sqlite, clock, build_embedding_backend(sqlite, settings, embedder=WordEmbedder()))
    ingest(owner, card=CARD)
    assert matching_documents(owner, CARD) == ["card"]
    other = PassageRetrieval(sqlite, clock, build_embedding_backend(sqlite, settings, embedder=WordEmbedder()))
    assert matching_documents(other, CARD) == ["card"]
    assert (type(owner.backend.index), type(other.backend.index)) == (ChromaIndex, ExactIndex)
    owner.close()
    next_owner = PassageRetrieval(sqlite, clock, build_embedding_backend(sqlite, settings, embedder=WordEmbedder()))
    assert isinstance(next_owner.backend.index, ChromaIndex)
    next_owner.close()


def test_a_process_without_chroma_leaves_messages_for_the_owner(
    sqlite: Any, clock: Any, settings: Any, ingest: Any, unit_as: Any
) -> None:
    owner = PassageRetrieval(sqlite, clock, build_embedding_backend(sqlite, settings, embedder=WordEmbedder()))
    ingest(owner, fee=FEE)
    assert matching_documents(owner, FEE) == ["fee"]
    beside = PassageRetrieval(sqlite, clock, build_embedding_backend(sqlite, settings, embedder=WordEmbedder()))
    ingest(beside, card=CARD)
    with unit_as("author") as unit:
        Collections(unit).delete_document("policies", "fee")
    assert matching_documents(beside, CARD) == ["card"]
    with sqlite.read() as session:
        assert outbox.count_pending(session, CHROMA_TOPIC) == 2
    assert matching_documents(owner, CARD) == ["card"]
    with sqlite.read() as session:
        assert outbox.count_pending(session, CHROMA_TOPIC) == 0
    owner.close()


def test_other_processes_connect_to_the_owners_address(settings: Any, sqlite: Any, clock: Any, chroma_server: str) -> None:
    ownership = ChromaOwnership(settings.data_dir / "chroma")
    assert ownership.take()
    ownership.publish_address(chroma_server)
    reached = PassageRetrieval(sqlite, clock, build_embedding_backend(sqlite, settings, embedder=WordEmbedder()))
    assert isinstance(reached.backend.index, ChromaIndex)
    reached.close()
    ownership.release()
    assert ChromaOwnership(settings.data_dir / "chroma").address() is None
