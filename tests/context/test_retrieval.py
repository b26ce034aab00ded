"""What a query finds, over every index; and what happens when the index is behind, wrong or gone."""

from contextlib import suppress
from typing import Any

import pytest

from context.words import WordEmbedder
from promptuary.base import outbox
from promptuary.base.errors import NotFound, Unavailable
from promptuary.context.exact import ExactIndex
from promptuary.context.index import ChromaIndex, Ownership, connect
from promptuary.context.retrieval import TOPIC, Retrieval
from promptuary.context.service import Context

CARD = "Your new card arrives within five working days."
FEE = "A transfer abroad costs two percent."
REFUND = "Refunds are paid within fourteen days."


def found(retrieval: Retrieval, text: str, project: int = 1, **more: Any) -> list[str]:
    return [passage.document for passage in retrieval.query(project, "policies", text, more.pop("k", 4), **more)]


def test_the_nearest_passage_comes_first(retrieval: Retrieval, take_in: Any) -> None:
    take_in(retrieval, card=CARD, fee=FEE, refund=REFUND)
    assert found(retrieval, "when does my new card arrive")[0] == "card"
    assert found(retrieval, "costs of a transfer abroad", k=1) == ["fee"]


def test_a_passage_says_where_it_comes_from_and_how_near_it_is(retrieval: Retrieval, take_in: Any) -> None:
    take_in(retrieval, {"kind": "a"}, card=CARD)
    (passage,) = retrieval.query(1, "policies", CARD, 4)
    assert (passage.document, passage.chunk, passage.text, passage.metadata) == ("card", 0, CARD, {"kind": "a"})
    assert passage.score == pytest.approx(1.0, abs=1e-3)
    assert passage.digest.startswith("sha256:")


def test_where_and_min_score_leave_passages_out(retrieval: Retrieval, take_in: Any) -> None:
    take_in(retrieval, {"kind": "a", "year": 2026}, card=CARD)
    take_in(retrieval, {"kind": "b", "year": 2026}, fee=FEE)
    assert found(retrieval, "card", where={"kind": "b"}) == ["fee"]
    assert found(retrieval, "card", where={"kind": "b", "year": 2026}) == ["fee"]
    assert found(retrieval, "card", where={"kind": "b", "year": 2025}) == []
    assert found(retrieval, CARD, min_score=0.9) == ["card"]


def test_a_document_taken_in_again_replaces_itself(retrieval: Retrieval, take_in: Any) -> None:
    take_in(retrieval, card=CARD)
    changed = take_in(retrieval, card="The parcel comes on Tuesdays.", fee=FEE)
    assert (changed.added, changed.unchanged) == (2, 0)
    assert [passage.text for passage in retrieval.query(1, "policies", CARD, 4) if passage.document == "card"] == [
        "The parcel comes on Tuesdays."
    ]
    again = take_in(retrieval, card="The parcel comes on Tuesdays.")
    assert (again.added, again.unchanged, again.chunks) == (0, 1, 0)


def test_a_deleted_document_is_found_no_more(retrieval: Retrieval, take_in: Any, unit_as: Any) -> None:
    take_in(retrieval, card=CARD, fee=FEE)
    assert "card" in found(retrieval, CARD)
    with unit_as("author") as unit:
        Context(unit).delete_document("policies", "card")
    assert found(retrieval, CARD) == ["fee"]


def test_another_projects_collection_is_not_there(retrieval: Retrieval, take_in: Any) -> None:
    take_in(retrieval, card=CARD)
    with pytest.raises(NotFound):
        found(retrieval, CARD, project=2)


def test_a_hit_that_sql_does_not_have_is_left_out(retrieval: Retrieval, take_in: Any, sqlite: Any) -> None:
    take_in(retrieval, card=CARD, fee=FEE)
    found(retrieval, CARD)
    with sqlite.write() as session:
        session.connection().exec_driver_sql(
            "DELETE FROM chunk WHERE document_id = (SELECT id FROM document WHERE key = 'card')"
        )
    assert found(retrieval, CARD) == ["fee"]


def test_reindex_repairs_an_index_that_lost_its_entries(retrieval: Retrieval, take_in: Any, sqlite: Any) -> None:
    take_in(retrieval, card=CARD, fee=FEE)
    found(retrieval, CARD)
    with sqlite.read() as session:
        uid = session.connection().exec_driver_sql("SELECT uid FROM collection").scalar_one()
    retrieval.index.drop(uid)
    assert retrieval.reindex(1, "policies") == 2
    assert found(retrieval, CARD)[0] == "card"


def test_delivering_the_same_message_twice_changes_nothing(retrieval: Retrieval, take_in: Any, sqlite: Any) -> None:
    take_in(retrieval, card=CARD)
    with sqlite.read() as session:
        ids = list(session.connection().exec_driver_sql("SELECT id FROM chunk").scalars())
    for _ in range(2):
        with suppress(outbox.Declined):  # by the index that is SQL itself
            retrieval.deliver({"collection": 1, "chunks": ids})
    assert found(retrieval, CARD) == ["card"]


def test_an_unreachable_chroma_is_named_and_nothing_is_lost(
    sqlite: Any, clock: Any, settings: Any, take_in: Any, chroma_server: str
) -> None:
    away = settings.model_copy(update={"chroma_url": "http://127.0.0.1:9"})
    down = Retrieval(sqlite, clock, away, embedder=WordEmbedder())
    take_in(down, card=CARD)
    with pytest.raises(Unavailable, match="does not answer at http"):
        found(down, CARD)
    with sqlite.read() as session:
        assert outbox.waiting(session, TOPIC) == 1
    clock.move(minutes=10)
    back = Retrieval(sqlite, clock, settings, embedder=WordEmbedder(), index=connect(chroma_server))
    assert found(back, CARD) == ["card"]
    back.close()


def test_a_chroma_url_that_is_none_is_refused() -> None:
    with pytest.raises(Unavailable, match="not an http"):
        connect("ftp://somewhere")


def test_the_owner_of_embedded_chroma_is_one_process_and_the_others_search_sql(
    sqlite: Any, clock: Any, settings: Any, take_in: Any
) -> None:
    owner = Retrieval(sqlite, clock, settings, embedder=WordEmbedder())
    take_in(owner, card=CARD)
    assert found(owner, CARD) == ["card"]
    other = Retrieval(sqlite, clock, settings, embedder=WordEmbedder())
    assert found(other, CARD) == ["card"]
    assert (type(owner.index), type(other.index)) == (ChromaIndex, ExactIndex)
    owner.close()
    next_owner = Retrieval(sqlite, clock, settings, embedder=WordEmbedder())
    assert isinstance(next_owner.index, ChromaIndex)
    next_owner.close()


def test_a_process_beside_the_owner_leaves_what_the_owner_is_to_hear_of(
    sqlite: Any, clock: Any, settings: Any, take_in: Any, unit_as: Any
) -> None:
    owner = Retrieval(sqlite, clock, settings, embedder=WordEmbedder())
    take_in(owner, fee=FEE)
    assert found(owner, FEE) == ["fee"]
    beside = Retrieval(sqlite, clock, settings, embedder=WordEmbedder())
    take_in(beside, card=CARD)
    with unit_as("author") as unit:
        Context(unit).delete_document("policies", "fee")
    assert found(beside, CARD) == ["card"]
    with sqlite.read() as session:
        assert outbox.waiting(session, TOPIC) == 2
    assert found(owner, CARD) == ["card"]
    with sqlite.read() as session:
        assert outbox.waiting(session, TOPIC) == 0
    owner.close()


def test_other_processes_reach_the_owner_where_it_serves(settings: Any, sqlite: Any, clock: Any, chroma_server: str) -> None:
    ownership = Ownership(settings.data_dir / "chroma")
    assert ownership.take()
    ownership.serve_at(chroma_server)
    reached = Retrieval(sqlite, clock, settings)
    assert isinstance(reached.index, ChromaIndex)
    reached.close()
    ownership.give_back()
    assert Ownership(settings.data_dir / "chroma").address() is None
