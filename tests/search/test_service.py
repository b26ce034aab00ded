"""Prompts found by what they say, over both kinds of index; and what happens when the index is behind, wrong or gone."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text as sql

from factories.word_embedder import WordEmbedder
from promptuary.access.unit_of_work import Caller
from promptuary.context import store
from promptuary.context.retrieval import PassageRetrieval
from promptuary.core import outbox
from promptuary.core.errors import Conflict, InvalidRequest, NotFound, Unavailable
from promptuary.embedding.chroma_index import connect_chroma, open_embedded_chroma
from promptuary.embedding.exact_index import ExactIndex
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry
from promptuary.registry.similarity import PROMPTS_TOPIC
from promptuary.search import prompt_vectors
from promptuary.search import service as prompts
from promptuary.search.prompt_vectors import PromptVectors
from promptuary.search.service import PromptSearch
from promptuary.worker.assembly import build_worker

TRIAGE = "Sort the support ticket into one intent"
REFUND = "Answer customers who ask for money back"
REVIEW = "Review this diff and name its bugs"


class CountingEmbedder(WordEmbedder):
    """Keeps what it was asked for, and can be away."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.away = False

    def embed(self, texts: Sequence[str]) -> Any:
        if self.away:
            raise Unavailable("the weights are not installed: pip install them", retry_after=60)
        self.asked += texts
        return super().embed(texts)


@dataclass
class Desk:
    """Prompts to register, and the search over them."""

    database: Any
    clock: Any
    settings: Any
    unit_as: Callable[..., Any]
    embedder: CountingEmbedder
    index: Any

    def __post_init__(self) -> None:
        self.search = self.searching(self.index)

    def searching(self, index: Any, embedder: Any = None) -> PromptSearch:
        """Give a search as another process would have it."""
        retrieval = PassageRetrieval(self.database, self.clock, self.settings, embedder=embedder or self.embedder, index=index)
        return PromptSearch(self.database, self.clock, self.settings, PromptVectors(self.database, self.settings, retrieval))

    def register(self, project: str = "default", labels: Sequence[str] = (), **templates: str) -> None:
        for name, template in templates.items():
            with self.unit_as("author", project) as unit:
                Registry(unit).register(name, Content(type="text", template=template), labels=tuple(labels))

    def caller(self, project: str = "default") -> Caller:
        with self.unit_as("reader", project) as unit:
            return unit.caller  # type: ignore[no-any-return]

    def found(self, text: str, project: str = "default", k: int = 10, min_score: float | None = None) -> list[str]:
        return [near.name for near in self.search.search(self.caller(project).project, text, k, min_score).items]

    def like(self, name: str, project: str = "default", **more: Any) -> list[str]:
        return [near.name for near in self.search.similar(self.caller(project), name, more.pop("k", 10), **more).items]

    def told(self, name: str, template: str, project: str = "default") -> list[tuple[str, str | None]]:
        content = Content(type="text", template=template)
        found = self.search.check_similarity(self.caller(project).project, name, content)
        return [(one.code, one.name) for one in found]

    def behind(self) -> int:
        return self.search.vectors.behind(1)

    def id_of(self, name: str) -> int:
        with self.database.read() as session:
            return int(
                session.connection().execute(sql("SELECT id FROM prompt WHERE name = :name"), {"name": name}).scalar_one()
            )


@pytest.fixture(params=["chroma", "exact"])
def any_index(request: pytest.FixtureRequest, database: Any) -> Iterator[Any]:
    """Each kind of index in turn, on each database."""
    opened = connect_chroma(request.getfixturevalue("chroma_server")) if request.param == "chroma" else ExactIndex(database)
    yield opened
    opened.close()


@pytest.fixture
def desk(database: Any, clock: Any, settings: Any, unit_as: Any, any_index: Any) -> Desk:
    return Desk(database, clock, settings, unit_as, CountingEmbedder(), any_index)


@pytest.fixture
def on_chroma(sqlite: Any, clock: Any, settings: Any, unit_as: Any, chroma_server: str) -> Iterator[Desk]:
    opened = connect_chroma(chroma_server)
    yield Desk(sqlite, clock, settings, unit_as, CountingEmbedder(), opened)
    opened.close()


# --- what is found ------------------------------------------------------------------------------------------------------


def test_a_prompt_is_found_by_what_it_says_the_nearest_first(desk: Desk) -> None:
    desk.register(triage=TRIAGE, refund=REFUND, review=REVIEW)
    assert desk.found("the bugs of this diff")[0] == "review"
    assert desk.found("customers who want their money back", k=1) == ["refund"]
    assert set(desk.found("ticket")) == {"triage", "refund", "review"}
    assert desk.found(TRIAGE, min_score=0.9) == ["triage"]


def test_prompts_that_are_equally_near_come_by_name(desk: Desk) -> None:
    desk.register(**{f"b.{name}": TRIAGE for name in ("beta", "alpha")})
    desk.embedder.embed = lambda texts: WordEmbedder().embed([TRIAGE for _ in texts])  # type: ignore[method-assign]
    assert desk.found(TRIAGE) == ["b.alpha", "b.beta"]


def test_a_hit_says_which_version_how_near_under_which_labels_and_why(desk: Desk) -> None:
    desk.register(triage="one")
    desk.register(triage=f"Be kind. {TRIAGE}. Never guess.", labels=["staging", "production"])
    (near,) = desk.search.search(1, f"Be kind. {TRIAGE}. Never guess.", 5).items
    assert (near.name, near.version, near.labels) == ("triage", 2, ("production", "staging"))
    assert 0.9 < near.score < 1  # its name was embedded with it
    assert desk.search.search(1, "which intent has a ticket", 5).items[0].snippet == f"{TRIAGE}."


def test_the_newest_version_is_the_one_that_is_found(desk: Desk) -> None:
    desk.register(triage=TRIAGE, refund=REFUND)
    assert desk.found(TRIAGE, min_score=0.9) == ["triage"]
    desk.register(triage=REVIEW)
    assert desk.found(TRIAGE, min_score=0.9) == []
    assert desk.found(REVIEW, min_score=0.9) == ["triage"]


def test_prompts_like_one_are_the_others_by_its_newest_version_a_label_or_a_number(desk: Desk) -> None:
    desk.register(triage=TRIAGE, labels=["production"])
    desk.register(triage=REVIEW)
    desk.register(sort=f"{TRIAGE} please", diff=f"{REVIEW} please")
    assert desk.like("triage", k=1) == desk.like("triage", k=1, version=2) == ["diff"]
    assert desk.like("triage", k=1, label="production") == desk.like("triage", k=1, version=1) == ["sort"]
    assert set(desk.like("triage")) == {"sort", "diff"}
    assert desk.like("triage", min_score=0.999) == []


@pytest.mark.parametrize(
    ("name", "more", "error"),
    [
        ("none", {}, NotFound),
        ("triage", {"version": 2}, NotFound),
        ("triage", {"label": "production"}, NotFound),
        ("triage", {"label": "production", "version": 1}, InvalidRequest),
    ],
)
def test_what_is_like_a_version_that_is_not_there_is_refused(desk: Desk, name: str, more: Any, error: Any) -> None:
    desk.register(triage=TRIAGE)
    with pytest.raises(error):
        desk.like(name, **more)


def test_another_projects_prompts_are_never_found(desk: Desk) -> None:
    desk.register(triage=TRIAGE)
    desk.register("shop", sort=TRIAGE, order=f"{TRIAGE} of an order")
    for _ in range(2):  # while it catches up, and after
        assert desk.found(TRIAGE) == ["triage"]
        assert desk.like("triage") == []
        assert desk.told("new", TRIAGE) == [("similar_prompt", "triage")]
        assert set(desk.found(TRIAGE, "shop")) == {"sort", "order"}
    with pytest.raises(NotFound):
        desk.like("sort")


def test_an_archived_prompt_is_not_found_and_a_restored_one_is_again(desk: Desk) -> None:
    desk.register(triage=TRIAGE, sort=f"{TRIAGE} please")
    assert set(desk.found(TRIAGE)) == {"triage", "sort"}
    with desk.unit_as("author") as unit:
        Registry(unit).archive("sort", "no longer needed")
    assert desk.found(TRIAGE) == ["triage"]
    assert desk.like("triage") == []
    assert desk.told("new", TRIAGE) == [("similar_prompt", "triage")]
    assert desk.search.similar(desk.caller(), "sort", 5, version=1).items[0].name == "triage"
    with desk.unit_as("author") as unit:
        Registry(unit).restore("sort", "needed after all")
    assert set(desk.found(TRIAGE)) == {"triage", "sort"}


def test_an_archived_prompt_is_not_embedded_and_not_behind(desk: Desk) -> None:
    desk.register(triage=TRIAGE)
    with desk.unit_as("author") as unit:
        Registry(unit).archive("triage", "")
    desk.search.vectors.deliver({"project": 1, "prompt": desk.id_of("triage")})
    assert (desk.behind(), desk.embedder.asked) == (0, [])
    with desk.unit_as("author") as unit:
        Registry(unit).restore("triage", "")
    assert desk.behind() == 1
    assert desk.found(TRIAGE) == ["triage"]


def test_prompts_behind_many_archived_ones_are_found(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "EXTRA_HITS", 1)
    desk.register(**{f"old{number}": f"{TRIAGE} {number}" for number in range(12)})
    desk.register(refund=REFUND, review=REVIEW)
    assert desk.found(TRIAGE, k=2)[0].startswith("old")
    with desk.unit_as("author") as unit:
        for number in range(12):
            Registry(unit).archive(f"old{number}", "")
    assert set(desk.found(TRIAGE, k=2)) == {"refund", "review"}
    assert desk.found(TRIAGE, k=2, min_score=0.99) == []


def test_a_project_without_prompts_finds_nothing(desk: Desk) -> None:
    answer = desk.search.search(1, TRIAGE, 5)
    assert (list(answer.items), answer.behind) == ([], 0)
    assert desk.search.vectors.reindex(1, anew=True) == prompt_vectors.IndexProgress(0, 0)


# --- what is told before a registering ----------------------------------------------------------------------------------


def test_a_prompt_that_says_nearly_the_same_is_named_and_the_prompt_itself_is_not(desk: Desk) -> None:
    desk.register(triage=f"{TRIAGE} {{{{ticket}}}}", review=REVIEW)
    assert desk.told("sort", f"{TRIAGE} {{{{text}}}}") == [("similar_prompt", "triage")]
    assert desk.told("triage", f"{TRIAGE} {{{{text}}}}") == []
    assert desk.told("sort", REFUND) == []
    (told,) = desk.search.check_similarity(1, "sort", Content(type="text", template=TRIAGE))
    assert told.version == 1
    assert told.score is not None
    assert desk.settings.similar_threshold <= told.score < 1
    assert f"(cosine {told.score:.2f})" in told.detail


def test_a_prompt_that_says_nothing_by_itself_is_like_no_other(desk: Desk) -> None:
    desk.register(word="{{text}}", triage=TRIAGE)
    assert desk.told("echo", "{{text}}") == []
    assert sorted(desk.embedder.asked) == [f"triage. {TRIAGE}", "word. text"]


def test_how_near_is_nearly_the_same_can_be_set(desk: Desk) -> None:
    desk.register(triage=TRIAGE)
    near = f"{TRIAGE} or two, and say why"
    assert desk.told("sort", near) == [("similar_prompt", "triage")]
    desk.settings = desk.settings.model_copy(update={"similar_threshold": 0.99})
    desk.search = desk.searching(desk.index)
    assert desk.told("sort", near) == []


def test_prompts_that_share_a_long_beginning_and_are_for_different_things_are_not_alike(desk: Desk) -> None:
    house = "We are Harbour Card, a bank with no branches. Be polite and never promise what we do not do. Write plain English. "
    desk.register(triage=house + TRIAGE)
    assert desk.found(house + REVIEW, min_score=0.8) == ["triage"]
    assert desk.told("review", house + REVIEW) == []
    assert desk.told("sort", house + TRIAGE + " and no other") == [("similar_prompt", "triage")]


# --- an index that is behind --------------------------------------------------------------------------------------------


def test_a_search_catches_up_by_one_batch_and_says_how_many_it_could_not_see(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_vectors, "EMBED_BATCH", 2)
    desk.register(a=TRIAGE, b=TRIAGE, c=TRIAGE, d=TRIAGE, e=TRIAGE)
    for seen in (["e", "d"], ["e", "d", "c", "b"], ["e", "d", "c", "b", "a"], ["e", "d", "c", "b", "a"]):
        answer = desk.search.search(1, TRIAGE, 10)
        assert {near.name for near in answer.items} == set(seen)  # the last changed come first
        assert answer.behind == 5 - len(seen)


def test_a_long_prompt_counts_for_as_many_as_it_has_pieces(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_vectors, "EMBED_BATCH", 4)
    desk.register(a=TRIAGE, b=TRIAGE, long="word " * 700)
    assert desk.search.search(1, TRIAGE, 10).behind == 2
    assert desk.search.search(1, TRIAGE, 10).behind == 0


def test_what_could_not_be_compared_before_a_registering_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_vectors, "EMBED_BATCH", 1)
    desk.register(a=TRIAGE, b=REFUND)
    told = desk.search.check_similarity(1, "c", Content(type="text", template=REFUND))
    assert [one.code for one in told] == ["similar_prompt", "similar_unchecked"]
    assert told[1].detail.startswith("1 prompts are not indexed yet")


def test_a_search_does_not_wait_for_another_one_that_catches_up(desk: Desk) -> None:
    desk.register(triage=TRIAGE)
    assert desk.found(TRIAGE) == ["triage"]
    desk.register(refund=REFUND)
    started, go = threading.Event(), threading.Event()
    embed = desk.embedder.embed

    def slow(texts: Sequence[str]) -> Any:
        if f"refund. {REFUND}" in texts and threading.current_thread() is other:
            started.set()
            assert go.wait(30)
        return embed(texts)

    desk.embedder.embed = slow  # type: ignore[method-assign]
    other = threading.Thread(target=desk.search.vectors.catch_up, args=(1,))
    other.start()
    try:
        assert started.wait(30)
        answer = desk.search.search(1, TRIAGE, 5)
        assert ([near.name for near in answer.items], answer.behind) == (["triage"], 1)
    finally:
        go.set()
        other.join()
    assert set(desk.found(TRIAGE)) == {"triage", "refund"}


def test_a_version_that_says_the_same_is_not_embedded_again(desk: Desk) -> None:
    desk.register(triage=TRIAGE)
    desk.found("nothing")
    asked = list(desk.embedder.asked)
    with desk.unit_as("author") as unit:
        content = Content.model_validate({"type": "text", "template": TRIAGE, "model": {"name": "local:smollm2"}})
        assert Registry(unit).register("triage", content).version.number == 2
    (near,) = desk.search.search(1, TRIAGE, 5).items
    assert near.version == 2
    assert desk.embedder.asked == [*asked, TRIAGE]  # the query alone
    assert desk.behind() == 0


# --- the worker's deliveries --------------------------------------------------------------------------------------------


def test_the_worker_delivers_what_a_registering_left_in_the_outbox(desk: Desk) -> None:
    desk.register(triage=TRIAGE, refund=REFUND)
    retrieval = PassageRetrieval(desk.database, desk.clock, desk.settings, embedder=desk.embedder, index=desk.index)
    with desk.database.read() as session:
        assert outbox.count_pending(session, PROMPTS_TOPIC) == 2
    with build_worker(desk.settings, database=desk.database, clock=desk.clock, retrieval=retrieval) as worker:
        assert worker.step() is True
        assert worker.step() is False
    with desk.database.read() as session:
        assert outbox.count_pending(session, PROMPTS_TOPIC) == 0
    assert desk.behind() == 0
    desk.embedder.asked.clear()
    assert desk.found(TRIAGE)[0] == "triage"
    assert desk.embedder.asked == [TRIAGE]


def test_a_message_delivered_twice_changes_nothing(desk: Desk) -> None:
    desk.register(triage=TRIAGE, refund=REFUND)
    for _ in range(3):
        desk.search.vectors.deliver({"project": 1, "prompt": desk.id_of("triage")})
    assert sorted(desk.embedder.asked) == [f"refund. {REFUND}", f"triage. {TRIAGE}"]
    assert desk.found(TRIAGE, k=1) == ["triage"]
    assert desk.search.vectors.reindex(1).prompts == 2


def test_the_prompt_of_a_message_comes_before_others_that_are_behind(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_vectors, "EMBED_BATCH", 1)
    desk.register(a=TRIAGE, b=REFUND, c=REVIEW)
    desk.search.vectors.deliver({"project": 1, "prompt": desk.id_of("a")})
    assert desk.embedder.asked == [f"a. {TRIAGE}"]


def test_a_message_of_a_prompt_that_is_not_there_is_no_fault(desk: Desk) -> None:
    desk.search.vectors.deliver({"project": 1, "prompt": 4711})
    assert desk.embedder.asked == []


def test_registering_the_same_content_again_leaves_no_message(desk: Desk) -> None:
    desk.register(triage=TRIAGE)
    desk.register(triage=TRIAGE)
    with desk.database.read() as session:
        assert outbox.count_pending(session, PROMPTS_TOPIC) == 1


# --- what goes wrong ----------------------------------------------------------------------------------------------------


def test_without_an_embedder_a_search_says_so_and_registering_and_looking_up_go_on(desk: Desk) -> None:
    desk.register(triage=TRIAGE, refund=REFUND)
    desk.found(TRIAGE)
    desk.embedder.away = True
    desk.register(review=REVIEW, labels=["production"])
    with desk.unit_as("reader") as unit:
        assert Registry(unit).lookup("review").version.number == 1
    with pytest.raises(Unavailable, match="pip install"):
        desk.found(TRIAGE)
    told = desk.search.check_similarity(1, "sort", Content(type="text", template=TRIAGE))
    assert [(one.code, one.name) for one in told] == [("similar_unchecked", None)]
    assert told[0].detail.endswith("the weights are not installed: pip install them")
    answer = desk.search.similar(desk.caller(), "triage", 5)  # its vector is there already
    assert ([near.name for near in answer.items], answer.behind) == (["refund"], 1)
    with pytest.raises(Unavailable):
        desk.like("review")
    desk.embedder.away = False
    assert set(desk.found(TRIAGE)) == {"triage", "refund", "review"}


def test_a_fault_nobody_foresaw_is_told_and_raised_nowhere(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(desk.embedder, "embed", broken)
    assert desk.told("sort", TRIAGE) == [("similar_unchecked", None)]


def test_without_chroma_a_search_says_so_and_nothing_is_lost(on_chroma: Desk) -> None:
    desk = on_chroma
    away = desk.settings.model_copy(update={"chroma_url": "http://127.0.0.1:9"})
    retrieval = PassageRetrieval(desk.database, desk.clock, away, embedder=desk.embedder)
    vectors = PromptVectors(desk.database, away, retrieval)
    down = PromptSearch(desk.database, desk.clock, away, vectors)
    desk.register(triage=TRIAGE, labels=["production"])
    with desk.unit_as("reader") as unit:
        assert Registry(unit).lookup("triage").version.number == 1
    with pytest.raises(Unavailable, match="does not answer at http"):
        down.search(1, TRIAGE, 5)
    (told,) = down.check_similarity(1, "sort", Content(type="text", template=TRIAGE))
    assert told.code == "similar_unchecked"
    with pytest.raises(Unavailable):
        vectors.deliver({"project": 1, "prompt": desk.id_of("triage")})
    assert desk.embedder.asked == [f"triage. {TRIAGE}"]  # by the search, and kept
    assert desk.found(TRIAGE) == ["triage"]
    assert desk.embedder.asked == [f"triage. {TRIAGE}", TRIAGE]  # the query alone


def test_reindex_repairs_an_index_that_lost_its_entries(desk: Desk) -> None:
    desk.register(triage=TRIAGE, refund=REFUND)
    desk.found(TRIAGE)
    desk.embedder.asked.clear()
    with desk.database.read() as session:
        uid = store.prompt_uid(session, 1, desk.embedder.model)
    desk.index.drop(uid)
    assert desk.search.vectors.reindex(1, anew=True) == prompt_vectors.IndexProgress(2, 0)
    assert desk.embedder.asked == []
    assert desk.found(TRIAGE)[0] == "triage"


def test_reindex_goes_on_where_it_stopped_until_nothing_is_behind(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_vectors, "EMBED_BATCH", 1)
    monkeypatch.setattr(prompt_vectors, "SEND_BATCH", 1)
    monkeypatch.setattr(prompt_vectors, "MAX_ROUNDS", 2)
    desk.register(a=TRIAGE, b=REFUND, c=REVIEW)
    assert desk.search.vectors.reindex(1, anew=True) == prompt_vectors.IndexProgress(2, 1)
    assert desk.search.vectors.reindex(1) == prompt_vectors.IndexProgress(3, 0)


def test_what_the_index_has_and_sql_does_not_is_left_out(desk: Desk) -> None:
    desk.register(triage=TRIAGE, sort=TRIAGE)
    desk.found(TRIAGE)
    with desk.database.write() as session:
        session.connection().execute(sql(f"DELETE FROM prompt_vector WHERE prompt_id = {desk.id_of('sort')}"))
    desk.embedder.away = True  # so that it cannot be made again
    answer = desk.search.similar(desk.caller(), "triage", 5)
    assert (list(answer.items), answer.behind) == ([], 1)


def test_a_version_changed_in_the_database_is_not_found_and_holds_nothing_up(desk: Desk) -> None:
    desk.register(triage=TRIAGE, refund=REFUND)
    with desk.database.write() as session:
        connection = session.connection()
        if desk.database.dialect == "sqlite":
            connection.execute(sql("DROP TRIGGER version_no_update"))
        else:
            connection.execute(sql("ALTER TABLE version DISABLE TRIGGER USER"))
        connection.execute(sql("UPDATE version SET content = replace(content, 'ticket', 'tickle')"))
    assert desk.found(TRIAGE) == ["refund"]
    assert desk.behind() == 0
    with pytest.raises(Conflict):
        desk.like("triage")


def test_a_version_that_comes_while_an_older_one_is_sent_wins(on_chroma: Desk) -> None:
    """The older vector may reach Chroma last; the mark then tells that it has to be sent anew."""
    desk = on_chroma
    desk.register(triage=TRIAGE)
    upsert, other = desk.index.upsert, desk.searching(desk.index)
    desk.search.vectors.deliver({"project": 1, "prompt": 1})
    desk.register(triage=REVIEW)

    def overtaken(uid: str, entries: Any) -> None:
        desk.index.upsert = upsert
        desk.register(triage=REFUND)
        other.vectors.deliver({"project": 1, "prompt": 1})
        upsert(uid, entries)

    desk.index.upsert = overtaken
    desk.search.vectors.deliver({"project": 1, "prompt": 1})
    assert desk.behind() == 1
    (near,) = desk.search.search(1, REFUND, 5, 0.9).items
    assert (near.version, desk.behind()) == (3, 0)


def test_a_vector_of_an_older_version_does_not_take_the_place_of_a_newer_one(desk: Desk) -> None:
    desk.register(triage=TRIAGE)
    other, embed = desk.searching(desk.index, WordEmbedder()), desk.embedder.embed

    def overtaken(texts: Sequence[str]) -> Any:
        desk.embedder.embed = embed  # type: ignore[method-assign]
        desk.register(triage=REVIEW)
        other.vectors.deliver({"project": 1, "prompt": 1})
        return embed(texts)

    desk.embedder.embed = overtaken  # type: ignore[method-assign]
    desk.search.vectors.deliver({"project": 1, "prompt": 1})
    assert desk.behind() == 0
    (near,) = desk.search.search(1, REVIEW, 5, 0.9).items
    assert near.version == 2


def test_what_a_process_without_chroma_embeds_is_sent_by_the_one_that_has_it(on_chroma: Desk) -> None:
    desk = on_chroma
    beside = desk.searching(ExactIndex(desk.database))
    desk.register(triage=TRIAGE)
    beside.vectors.deliver({"project": 1, "prompt": 1})
    assert [near.name for near in beside.search(1, TRIAGE, 5).items] == ["triage"]
    assert (beside.vectors.behind(1), desk.behind()) == (0, 1)
    assert desk.found(TRIAGE) == ["triage"]
    assert desk.behind() == 0


def test_embedded_chroma_keeps_what_it_was_told(sqlite: Any, clock: Any, settings: Any, unit_as: Any, tmp_path: Any) -> None:
    embedder = CountingEmbedder()
    for _ in range(2):
        opened = open_embedded_chroma(tmp_path / "chroma")
        desk = Desk(sqlite, clock, settings, unit_as, embedder, opened)
        desk.register(triage=TRIAGE, refund=REFUND)
        assert desk.found(REFUND)[0] == "refund"
        opened.close()
    assert embedder.asked.count(f"triage. {TRIAGE}") == 1


def test_several_processes_that_begin_at_once_name_one_collection(desk: Desk) -> None:
    desk.register(**{f"p{number}": f"{TRIAGE} {number}" for number in range(6)})
    searches = [desk.searching(desk.index, WordEmbedder()) for _ in range(4)]
    threads = [threading.Thread(target=search.vectors.deliver, args=({"project": 1, "prompt": 1},)) for search in searches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(desk.found(TRIAGE)) == 6
    with desk.database.read() as session:
        assert session.connection().execute(sql("SELECT count(*) FROM prompt_index")).scalar_one() == 1
