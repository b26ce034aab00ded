"""Searches for prompts, and the warnings of a registering, over HTTP."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from starlette.testclient import TestClient

from factories.word_embedder import WordEmbedder
from promptuary.access.auth.request import LOCAL_PROJECT
from promptuary.api.app import create_app
from promptuary.context.retrieval import PassageRetrieval
from promptuary.core.errors import Unavailable
from promptuary.embedding.exact_index import ExactIndex
from promptuary.registry.similarity import RegistrationWarning

TRIAGE = "Sort the support ticket into one intent."
REFUND = "Answer customers who ask for their money back."


class Away(WordEmbedder):
    """Cannot work."""

    def embed(self, texts: Sequence[str]) -> Any:
        raise Unavailable("the weights are not installed: pip install them", retry_after=60)


def service(database: Any, settings: Any, clock: Any, embedder: Any) -> Any:
    """Assemble the service around an embedder."""
    retrieval = PassageRetrieval(database, clock, settings, embedder=embedder, index=ExactIndex(database))
    return create_app(settings, database=database, clock=clock, retrieval=retrieval)


def operated(app: Any) -> TestClient:
    """Give a client of an app with the rights of the machine's operator."""

    async def as_operator(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, LOCAL_PROJECT: "default"}, receive, send)

    return TestClient(as_operator, base_url="http://127.0.0.1")


@pytest.fixture
def app(opened_database: Any, settings: Any, clock: Any) -> Any:
    return service(opened_database, settings, clock, WordEmbedder())


@pytest.fixture
def without_embedder(opened_database: Any, settings: Any, clock: Any) -> Iterator[Any]:
    """The same service where the model is not installed."""
    with operated(service(opened_database, settings, clock, Away())) as client:
        yield client


def register(client: Any, name: str, template: str, query: str = "", **more: Any) -> Any:
    made = client.post(f"/v1/prompts/{name}/versions{query}", json={"type": "text", "template": template, **more})
    assert made.status_code in (200, 201), made.text
    return made.json()


def test_a_search_answers_what_it_found_and_what_it_could_not_see(local: Any, database: Any) -> None:
    register(local, "support.triage", TRIAGE, labels=["production"])
    register(local, "support.refund", REFUND)
    answer = local.get("/v1/search", params={"q": "sort a ticket", "limit": 1}).json()
    (item,) = answer["items"]
    assert (answer["behind"], set(answer)) == (0, {"items", "behind"})
    assert 0 < item.pop("score") < 1
    assert item == {"name": "support.triage", "version": 1, "labels": ["production"], "snippet": TRIAGE}
    assert local.get("/v1/search", params={"q": "sort a ticket", "min_score": 0.99}).json()["items"] == []


def test_a_prompts_neighbours_are_found_by_its_newest_version_a_label_or_a_number(local: Any) -> None:
    register(local, "a", TRIAGE, labels=["production"])
    register(local, "a", REFUND)
    register(local, "b", TRIAGE)
    register(local, "c", REFUND)
    nearest = {
        query: local.get(f"/v1/prompts/a/similar?limit=1&{query}").json()["items"][0]["name"]
        for query in ("", "label=production", "version=1", "version=2", "label=latest")
    }
    assert nearest == {"": "c", "label=production": "b", "version=1": "b", "version=2": "c", "label=latest": "c"}
    assert local.get("/v1/prompts/none/similar").json()["code"] == "not_found"
    assert local.get("/v1/prompts/a/similar?version=9").json()["code"] == "not_found"
    assert local.get("/v1/prompts/a/similar?version=1&label=production").status_code == 422


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/search", "q"),
        ("/v1/search?q=", "q"),
        ("/v1/search?q=%20%09", "q"),
        (f"/v1/search?q={'x' * 2001}", "q"),
        ("/v1/search?q=x&limit=0", "limit"),
        ("/v1/search?q=x&min_score=1.5", "min_score"),
        ("/v1/search?q=x&min_score=nan", "min_score"),
        ("/v1/prompts/a/similar?version=0", "version"),
        ("/v1/prompts/a/similar?limit=many", "limit"),
        ("/v1/prompts/A/similar", "name"),
    ],
)
def test_a_search_that_is_wrong_is_422_with_its_field(local: Any, path: str, field: str) -> None:
    answer = local.get(path)
    assert (answer.status_code, [fault["path"] for fault in answer.json()["errors"]]) == (422, [field])


def test_a_page_is_the_most_that_a_search_gives(sqlite: Any, settings: Any, clock: Any) -> None:
    small = settings.model_copy(update={"page_limit": 2})
    with operated(service(sqlite, small, clock, WordEmbedder())) as client:
        for number in range(4):
            register(client, f"p{number}", f"{TRIAGE} {number}")
        for path in ("/v1/search?q=ticket&limit=10000", "/v1/prompts/p0/similar"):
            assert len(client.get(path).json()["items"]) == 2


def test_the_index_is_brought_in_step_by_call(local: Any, api: Any, bearer: Any) -> None:
    register(local, "a", TRIAGE)
    assert local.post("/v1/search/reindex", json={}).json() == {"prompts": 1, "behind": 0}
    assert local.post("/v1/search/reindex", json={"anew": True}).json() == {"prompts": 1, "behind": 0}
    assert local.post("/v1/search/reindex", json={"all": True}).status_code == 422
    assert api.post("/v1/search/reindex", json={}, headers=bearer("reader")).status_code == 403


def test_without_an_embedder_a_search_is_503_and_registering_is_not(without_embedder: Any) -> None:
    made = register(without_embedder, "a", TRIAGE, "?similar=true", labels=["production"])
    (warning,) = made["warnings"]
    assert (warning["code"], warning["name"], warning["score"]) == ("similar_unchecked", None, None)
    assert "pip install" in warning["detail"]
    assert without_embedder.get("/v1/prompts/a").json()["version"] == 1
    answer = without_embedder.get("/v1/search?q=x")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "60")
    assert without_embedder.get("/v1/prompts/a/similar").status_code == 503


# --- warnings -----------------------------------------------------------------------------------------------------------


def test_the_same_content_under_another_name_is_always_told(without_embedder: Any, database: Any) -> None:
    register(without_embedder, "a", REFUND)
    register(without_embedder, "a", TRIAGE)
    register(without_embedder, "a", REFUND)
    assert register(without_embedder, "b", REFUND)["warnings"] == [
        {
            "code": "same_content",
            "detail": "version 3 of 'a' has the same content; one prompt may do",
            "name": "a",
            "version": 3,
            "score": None,
        }
    ]
    assert [told["name"] for told in register(without_embedder, "b", REFUND)["warnings"]] == ["a"]  # 200, and told again
    assert register(without_embedder, "a", REFUND)["warnings"][0]["name"] == "b"
    assert register(without_embedder, "c", f"{REFUND} Now.")["warnings"] == []


def test_the_same_content_in_another_project_or_an_archived_prompt_is_not_told(api: Any, bearer: Any) -> None:
    here, there = bearer("author"), bearer("author", "shop")
    body = {"type": "text", "template": TRIAGE}
    api.post("/v1/prompts/a/versions", json=body, headers=there)
    assert api.post("/v1/prompts/a/versions", json=body, headers=here).json()["warnings"] == []
    assert api.post("/v1/prompts/b/versions", json=body, headers=here).json()["warnings"][0]["name"] == "a"
    api.post("/v1/prompts/a/archive", json={"reason": ""}, headers=here)
    assert api.post("/v1/prompts/b/versions", json=body, headers=here).json()["warnings"] == []


def test_at_most_three_of_the_same_content_are_named(local: Any) -> None:
    for name in "abcdef":
        made = register(local, name, TRIAGE)
    assert [told["name"] for told in made["warnings"]] == ["a", "b", "c"]


def test_nearly_the_same_is_told_where_it_is_asked_for(local: Any, database: Any) -> None:
    register(local, "a", f"{TRIAGE} {{{{ticket}}}}")
    near = f"{TRIAGE} {{{{text}}}}"
    assert register(local, "b", near)["warnings"] == []
    (told,) = register(local, "c", f"{TRIAGE} {{{{words}}}}", "?similar=true")["warnings"][:1]
    assert (told["code"], told["version"]) == ("similar_prompt", 1)
    assert told["name"] in ("a", "b")
    assert 0.8 <= told["score"] <= 1
    assert [told["name"] for told in register(local, "b", near, "?similar=true")["warnings"]] == ["a", "c"]
    assert "warnings" not in local.get("/v1/prompts/b/versions/1").json()
    assert "warnings" not in local.get("/v1/prompts/b?label=latest").json()


def test_a_prompt_of_the_same_content_is_named_once(local: Any) -> None:
    register(local, "a", TRIAGE)
    assert [told["code"] for told in register(local, "b", TRIAGE, "?similar=true")["warnings"]] == ["same_content"]


class Neighbour:
    """Tells one resemblance, after having written on a connection of its own."""

    def __init__(self, database: Any) -> None:
        self.database = database
        self.asked: list[str] = []

    def check_similarity(self, project: int, name: str, content: Any) -> list[RegistrationWarning]:
        with self.database.write() as session:
            session.connection()  # waits in vain where the request holds the database already
            self.asked.append(name)
        return [RegistrationWarning("similar_prompt", "it is near", "near", 1, 0.9)]


@pytest.fixture
def neighbour(app: Any, opened_database: Any) -> Neighbour:
    app.app.state.similarity_checker = Neighbour(opened_database)
    return app.app.state.similarity_checker  # type: ignore[no-any-return]


def test_similar_prompts_are_looked_for_before_the_transaction_opens(local: Any, neighbour: Neighbour) -> None:
    body = {"type": "text", "template": TRIAGE}
    made = local.post("/v1/prompts/a/versions?similar=true", json=body, headers={"Idempotency-Key": "k"})
    assert (made.status_code, made.json()["warnings"][0]["name"]) == (201, "near")
    assert neighbour.asked == ["a"]
    register(local, "a", REFUND, "?similar=false")
    register(local, "a", TRIAGE)
    assert neighbour.asked == ["a"]


@pytest.mark.parametrize(
    ("path", "body", "field_errors"),
    [
        ("a", {"type": "text", "template": 7}, ["template"]),
        ("a", {"type": "text", "template": "x", "colour": 1}, ["colour"]),
        ("A", {"type": "text", "template": "x"}, ["name"]),
        ("a", None, [""]),
    ],
)
def test_what_is_wrong_with_a_registering_is_told_once_and_nothing_is_looked_for(
    local: Any, neighbour: Neighbour, path: str, body: Any, field_errors: list[str]
) -> None:
    answer = local.post(f"/v1/prompts/{path}/versions?similar=true", json=body)
    assert (answer.status_code, [fault["path"] for fault in answer.json()["errors"]]) == (422, field_errors)
    assert neighbour.asked == []
    assert local.post("/v1/prompts/a/versions?similar=perhaps", json={"type": "text", "template": "x"}).status_code == 422


def test_who_may_not_register_does_not_look_for_similar_prompts(api: Any, bearer: Any, neighbour: Neighbour) -> None:
    body = {"type": "text", "template": TRIAGE}
    path = "/v1/prompts/a/versions?similar=true"
    assert api.post(path, json=body, headers=bearer("reader")).status_code == 403
    assert api.post(path, json=body).status_code == 401
    assert neighbour.asked == []
    assert api.post(path, json=body, headers=bearer("ci")).status_code == 201


def test_a_retry_gets_the_warnings_of_the_first_answer(local: Any, neighbour: Neighbour) -> None:
    request = {"json": {"type": "text", "template": TRIAGE}, "headers": {"Idempotency-Key": "k"}}
    first = local.post("/v1/prompts/a/versions?similar=true", **request)
    again = local.post("/v1/prompts/a/versions?similar=true", **request)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.json()["warnings"][0]["name"] == "near"
