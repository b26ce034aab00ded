"""The vectors of prompts: pending ones, deliveries, failures, and several processes at once."""

import secrets
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text as sql

from factories.prompt_search import REFUND, REVIEW, TRIAGE, PromptCorpus, RecordingEmbedder
from factories.word_embedder import WordEmbedder
from promptuary.context.retrieval import PassageRetrieval
from promptuary.context.vector_source import build_exact_index
from promptuary.core import outbox
from promptuary.core.errors import Conflict, Unavailable
from promptuary.embedding.chroma_index import open_embedded_chroma
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry
from promptuary.registry.similarity import PROMPTS_TOPIC
from promptuary.search import prompt_vectors, store
from promptuary.search.prompt_vectors import IndexProgress
from promptuary.worker.assembly import build_worker


def test_a_search_embeds_one_batch_and_reports_how_many_are_pending(
    corpus: PromptCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_vectors, "EMBED_BATCH", 2)
    corpus.register(a=TRIAGE, b=TRIAGE, c=TRIAGE, d=TRIAGE, e=TRIAGE)
    for names in (["e", "d"], ["e", "d", "c", "b"], ["e", "d", "c", "b", "a"], ["e", "d", "c", "b", "a"]):
        matches = corpus.matches(TRIAGE, 10)
        assert {match.name for match in matches.items} == set(names)  # the last changed come first
        assert matches.behind == 5 - len(names)


def test_a_long_prompt_counts_in_a_batch_once_per_piece(corpus: PromptCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_vectors, "EMBED_BATCH", 4)
    corpus.register(a=TRIAGE, b=TRIAGE, long="word " * 700)
    assert corpus.matches(TRIAGE, 10).behind == 2
    assert corpus.matches(TRIAGE, 10).behind == 0


def test_a_search_does_not_wait_for_another_that_computes_vectors(corpus: PromptCorpus) -> None:
    corpus.register(triage=TRIAGE)
    assert corpus.matching_names(TRIAGE) == ["triage"]
    corpus.register(refund=REFUND)
    started, may_continue = threading.Event(), threading.Event()
    embed = corpus.embedder.embed

    def blocking_embed(texts: Sequence[str]) -> Any:
        if f"refund. {REFUND}" in texts and threading.current_thread() is other:
            started.set()
            assert may_continue.wait(30)
        return embed(texts)

    corpus.embedder.embed = blocking_embed  # type: ignore[method-assign]
    other = threading.Thread(target=corpus.vectors.catch_up, args=(1,))
    other.start()
    try:
        assert started.wait(30)
        matches = corpus.matches(TRIAGE)
        assert ([match.name for match in matches.items], matches.behind) == (["triage"], 1)
    finally:
        may_continue.set()
        other.join()
    assert set(corpus.matching_names(TRIAGE)) == {"triage", "refund"}


def test_a_version_with_the_same_texts_is_not_embedded_again(corpus: PromptCorpus) -> None:
    corpus.register(triage=TRIAGE)
    corpus.matching_names("nothing")
    texts = list(corpus.embedder.texts)
    with corpus.unit_as("author") as unit:
        content = Content.model_validate({"type": "text", "template": TRIAGE, "model": {"name": "local:smollm2"}})
        assert Registry(unit).register("triage", content).version.number == 2
    (match,) = corpus.matches(TRIAGE).items
    assert match.version == 2
    assert corpus.embedder.texts == [*texts, TRIAGE]  # the query alone
    assert corpus.pending() == 0


def test_the_worker_computes_the_vectors_of_registered_prompts(corpus: PromptCorpus) -> None:
    corpus.register(triage=TRIAGE, refund=REFUND)
    retrieval = PassageRetrieval(corpus.database, corpus.clock, corpus.backend())
    with corpus.database.read() as session:
        assert outbox.count_pending(session, PROMPTS_TOPIC) == 2
    with build_worker(corpus.settings, database=corpus.database, clock=corpus.clock, retrieval=retrieval) as worker:
        assert worker.step() is True
        assert worker.step() is False
    with corpus.database.read() as session:
        assert outbox.count_pending(session, PROMPTS_TOPIC) == 0
    assert corpus.pending() == 0
    corpus.embedder.texts.clear()
    assert corpus.matching_names(TRIAGE)[0] == "triage"
    assert corpus.embedder.texts == [TRIAGE]


def test_a_message_delivered_twice_changes_nothing(corpus: PromptCorpus) -> None:
    corpus.register(triage=TRIAGE, refund=REFUND)
    for _ in range(3):
        corpus.vectors.deliver({"project": 1, "prompt": corpus.id_of("triage")})
    assert sorted(corpus.embedder.texts) == [f"refund. {REFUND}", f"triage. {TRIAGE}"]
    assert corpus.matching_names(TRIAGE, k=1) == ["triage"]
    assert corpus.vectors.reindex(1).prompts == 2


def test_the_prompt_of_a_message_comes_before_other_pending_ones(corpus: PromptCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_vectors, "EMBED_BATCH", 1)
    corpus.register(a=TRIAGE, b=REFUND, c=REVIEW)
    corpus.vectors.deliver({"project": 1, "prompt": corpus.id_of("a")})
    assert corpus.embedder.texts == [f"a. {TRIAGE}"]


def test_a_message_about_an_unknown_prompt_is_no_error(corpus: PromptCorpus) -> None:
    corpus.vectors.deliver({"project": 1, "prompt": 4711})
    assert corpus.embedder.texts == []


def test_registering_the_same_content_again_enqueues_no_message(corpus: PromptCorpus) -> None:
    corpus.register(triage=TRIAGE)
    corpus.register(triage=TRIAGE)
    with corpus.database.read() as session:
        assert outbox.count_pending(session, PROMPTS_TOPIC) == 1


def test_registration_and_lookup_work_without_an_embedder(corpus: PromptCorpus) -> None:
    corpus.register(triage=TRIAGE, refund=REFUND)
    corpus.matching_names(TRIAGE)
    corpus.embedder.is_missing = True
    corpus.register(review=REVIEW, labels=["production"])
    with corpus.unit_as("viewer") as unit:
        assert Registry(unit).lookup("review").version.number == 1
    with pytest.raises(Unavailable, match="pip install"):
        corpus.matching_names(TRIAGE)
    (warning,) = corpus.warnings("sort", TRIAGE)
    assert (warning.code, warning.name) == ("similar_unchecked", None)
    assert warning.detail.endswith("the weights are not installed: pip install them")
    matches = corpus.similar("triage")  # its vector is stored
    assert ([match.name for match in matches.items], matches.behind) == (["refund"], 1)
    with pytest.raises(Unavailable):
        corpus.similar_names("review")
    corpus.embedder.is_missing = False
    assert set(corpus.matching_names(TRIAGE)) == {"triage", "refund", "review"}


def test_nothing_is_lost_while_chroma_does_not_answer(chroma_corpus: PromptCorpus) -> None:
    corpus = chroma_corpus
    without_chroma = corpus.in_another_process(chroma_url="http://127.0.0.1:9")
    corpus.register(triage=TRIAGE, labels=["production"])
    with corpus.unit_as("viewer") as unit:
        assert Registry(unit).lookup("triage").version.number == 1
    with pytest.raises(Unavailable, match="does not answer at http"):
        without_chroma.matches(TRIAGE)
    (warning,) = without_chroma.warnings("sort", TRIAGE)
    assert warning.code == "similar_unchecked"
    with pytest.raises(Unavailable):
        without_chroma.vectors.deliver({"project": 1, "prompt": corpus.id_of("triage")})
    assert corpus.embedder.texts == [f"triage. {TRIAGE}"]  # by the search, and stored
    assert corpus.matching_names(TRIAGE) == ["triage"]
    assert corpus.embedder.texts == [f"triage. {TRIAGE}", TRIAGE]  # the query alone


def test_reindex_rebuilds_an_index_that_lost_its_entries(corpus: PromptCorpus) -> None:
    corpus.register(triage=TRIAGE, refund=REFUND)
    corpus.matching_names(TRIAGE)
    corpus.embedder.texts.clear()
    with corpus.database.read() as session:
        uid = store.index_uid(session, 1, corpus.embedder.model)
    corpus.index.drop(uid)
    assert corpus.vectors.reindex(1, rebuild=True) == IndexProgress(2, 0)
    assert corpus.embedder.texts == []
    assert corpus.matching_names(TRIAGE)[0] == "triage"


def test_reindex_continues_where_the_last_call_stopped(corpus: PromptCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_vectors, "EMBED_BATCH", 1)
    monkeypatch.setattr(prompt_vectors, "SEND_BATCH", 1)
    monkeypatch.setattr(prompt_vectors, "MAX_ROUNDS", 2)
    corpus.register(a=TRIAGE, b=REFUND, c=REVIEW)
    assert corpus.vectors.reindex(1, rebuild=True) == IndexProgress(2, 1)
    assert corpus.vectors.reindex(1) == IndexProgress(3, 0)


def test_a_hit_without_a_vector_in_sql_is_left_out(corpus: PromptCorpus) -> None:
    corpus.register(triage=TRIAGE, sort=TRIAGE)
    corpus.matching_names(TRIAGE)
    with corpus.database.write() as session:
        session.connection().execute(sql(f"DELETE FROM prompt_vector WHERE prompt_id = {corpus.id_of('sort')}"))
    corpus.embedder.is_missing = True  # so that it cannot be computed again
    matches = corpus.similar("triage")
    assert (list(matches.items), matches.behind) == ([], 1)


def test_a_version_changed_in_the_database_is_found_by_nothing(corpus: PromptCorpus) -> None:
    corpus.register(triage=TRIAGE, refund=REFUND)
    with corpus.database.write() as session:
        connection = session.connection()
        if corpus.database.dialect == "sqlite":
            connection.execute(sql("DROP TRIGGER version_no_update"))
        else:
            connection.execute(sql("ALTER TABLE version DISABLE TRIGGER USER"))
        connection.execute(sql("UPDATE version SET content = replace(content, 'ticket', 'tickle')"))
    assert corpus.matching_names(TRIAGE) == ["refund"]
    assert corpus.pending() == 0
    with pytest.raises(Conflict):
        corpus.similar_names("triage")


def test_a_version_registered_while_an_older_one_is_sent_is_sent_again(chroma_corpus: PromptCorpus) -> None:
    """The older vector may reach Chroma last; the row is then marked as not indexed."""
    corpus = chroma_corpus
    corpus.register(triage=TRIAGE)
    upsert, other = corpus.index.upsert, corpus.in_another_process()
    corpus.vectors.deliver({"project": 1, "prompt": 1})
    corpus.register(triage=REVIEW)

    def upsert_after_another_process(uid: str, entries: Any) -> None:
        corpus.index.upsert = upsert
        corpus.register(triage=REFUND)
        other.vectors.deliver({"project": 1, "prompt": 1})
        upsert(uid, entries)

    corpus.index.upsert = upsert_after_another_process
    corpus.vectors.deliver({"project": 1, "prompt": 1})
    assert corpus.pending() == 1
    (match,) = corpus.matches(REFUND, min_score=0.9).items
    assert (match.version, corpus.pending()) == (3, 0)


def test_the_vector_of_an_older_version_does_not_replace_a_newer_one(corpus: PromptCorpus) -> None:
    corpus.register(triage=TRIAGE)
    other, embed = corpus.in_another_process(embedder=WordEmbedder()), corpus.embedder.embed

    def embed_after_another_process(texts: Sequence[str]) -> Any:
        corpus.embedder.embed = embed  # type: ignore[method-assign]
        corpus.register(triage=REVIEW)
        other.vectors.deliver({"project": 1, "prompt": 1})
        return embed(texts)

    corpus.embedder.embed = embed_after_another_process  # type: ignore[method-assign]
    corpus.vectors.deliver({"project": 1, "prompt": 1})
    assert corpus.pending() == 0
    (match,) = corpus.matches(REVIEW, min_score=0.9).items
    assert match.version == 2


def test_a_process_with_chroma_sends_the_vectors_of_one_without(chroma_corpus: PromptCorpus) -> None:
    corpus = chroma_corpus
    beside = corpus.in_another_process(index=build_exact_index(corpus.database))
    corpus.register(triage=TRIAGE)
    beside.vectors.deliver({"project": 1, "prompt": 1})
    assert beside.matching_names(TRIAGE) == ["triage"]
    assert (beside.pending(), corpus.pending()) == (0, 1)
    assert corpus.matching_names(TRIAGE) == ["triage"]
    assert corpus.pending() == 0


def test_embedded_chroma_keeps_its_entries_when_it_is_opened_again(
    sqlite: Any, clock: Any, settings: Any, unit_as: Any, tmp_path: Any
) -> None:
    embedder = RecordingEmbedder()
    for _ in range(2):
        index = open_embedded_chroma(tmp_path / "chroma")
        corpus = PromptCorpus(sqlite, clock, settings, unit_as, embedder, index)
        corpus.register(triage=TRIAGE, refund=REFUND)
        assert corpus.matching_names(REFUND)[0] == "refund"
        index.close()
    assert embedder.texts.count(f"triage. {TRIAGE}") == 1


def test_processes_that_start_at_once_name_one_index_collection(corpus: PromptCorpus) -> None:
    corpus.register(**{f"p{number}": f"{TRIAGE} {number}" for number in range(6)})
    processes = [corpus.in_another_process(embedder=WordEmbedder()) for _ in range(4)]
    message = {"project": 1, "prompt": 1}
    threads = [threading.Thread(target=process.vectors.deliver, args=(message,)) for process in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(corpus.matching_names(TRIAGE)) == 6
    with corpus.database.read() as session:
        assert session.connection().execute(sql("SELECT count(*) FROM prompt_index")).scalar_one() == 1


def test_vectors_sent_to_a_replaced_index_collection_are_sent_again(chroma_corpus: PromptCorpus) -> None:
    """Another process rebuilds the index between this one's read of the collection's name and its own update."""
    corpus = chroma_corpus
    corpus.register(triage=TRIAGE)
    corpus.vectors.deliver({"project": 1, "prompt": 1})
    corpus.register(refund=REFUND)
    upsert, new_uid = corpus.index.upsert, f"promptuary-prompts-{secrets.token_hex(8)}"

    def upsert_to_the_replaced_collection(uid: str, entries: Any) -> None:
        corpus.index.upsert = upsert
        with corpus.database.write() as session:
            assert store.replace_index_uid(session, 1, corpus.embedder.model, new_uid) == uid
        corpus.index.drop(uid)
        upsert(uid, entries)

    corpus.index.upsert = upsert_to_the_replaced_collection
    corpus.vectors.deliver({"project": 1, "prompt": corpus.id_of("refund")})
    assert corpus.pending() == 2
    assert set(corpus.matching_names(TRIAGE)) == {"triage", "refund"}
    assert corpus.index.count(new_uid) == 2
