"""The search for prompts over HTTP."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from starlette.testclient import TestClient

from factories.word_embedder import WordEmbedder, word_embedding_backend
from promptuary.access.auth.request import LOCAL_PROJECT
from promptuary.api.app import create_app
from promptuary.context.retrieval import PassageRetrieval
from promptuary.core.errors import Unavailable

TRIAGE = "Sort the support ticket into one intent."
REFUND = "Answer customers who ask for their money back."


class MissingEmbedder(WordEmbedder):
    """An embedder without weights."""

    def embed(self, texts: Sequence[str]) -> Any:
        raise Unavailable("the weights are not installed: pip install them", retry_after=60)


def build_app(database: Any, settings: Any, clock: Any, embedder: Any) -> Any:
    """Assemble the service with an embedder."""
    retrieval = PassageRetrieval(database, clock, word_embedding_backend(database, settings, embedder))
    return create_app(settings, database=database, clock=clock, retrieval=retrieval)


def operator_client(app: Any) -> TestClient:
    """Return a client of an app with the rights of the machine's operator."""

    async def as_operator(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, LOCAL_PROJECT: "default"}, receive, send)

    return TestClient(as_operator, base_url="http://127.0.0.1")


@pytest.fixture
def app(opened_database: Any, settings: Any, clock: Any) -> Any:
    return build_app(opened_database, settings, clock, WordEmbedder())


@pytest.fixture
def client_without_embedder(opened_database: Any, settings: Any, clock: Any) -> Iterator[Any]:
    """A client of the service without the model's weights."""
    with operator_client(build_app(opened_database, settings, clock, MissingEmbedder())) as client:
        yield client


def register(client: Any, name: str, template: str, query: str = "", **more: Any) -> Any:
    response = client.post(f"/v1/prompts/{name}/versions{query}", json={"type": "text", "template": template, **more})
    assert response.status_code in (200, 201), response.text
    return response.json()


def test_a_search_returns_matches_and_the_number_of_pending_prompts(local: Any, database: Any) -> None:
    register(local, "support.triage", TRIAGE, labels=["production"])
    register(local, "support.refund", REFUND)
    matches = local.get("/v1/search", params={"q": "sort a ticket", "limit": 1}).json()
    (item,) = matches["items"]
    assert (matches["behind"], set(matches)) == (0, {"items", "behind", "searched"})
    assert 0 < item.pop("score") < 1
    assert item == {"name": "support.triage", "version": 1, "labels": ["production"], "snippet": TRIAGE}
    assert local.get("/v1/search", params={"q": "sort a ticket", "min_score": 0.99}).json()["items"] == []


def test_similar_prompts_are_selected_by_label_number_or_newest_version(local: Any) -> None:
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
def test_an_invalid_search_is_422_with_its_field(local: Any, path: str, field: str) -> None:
    response = local.get(path)
    assert (response.status_code, [error["path"] for error in response.json()["errors"]]) == (422, [field])


def test_a_search_returns_at_most_one_page(sqlite: Any, settings: Any, clock: Any) -> None:
    small = settings.model_copy(update={"page_limit": 2})
    with operator_client(build_app(sqlite, small, clock, WordEmbedder())) as client:
        for number in range(4):
            register(client, f"p{number}", f"{TRIAGE} {number}")
        for path in ("/v1/search?q=ticket&limit=10000", "/v1/prompts/p0/similar"):
            assert len(client.get(path).json()["items"]) == 2


def test_reindex_indexes_the_pending_prompts(local: Any, api: Any, bearer: Any) -> None:
    register(local, "a", TRIAGE)
    assert local.post("/v1/search/reindex", json={}).json() == {"prompts": 1, "behind": 0}
    assert local.post("/v1/search/reindex", json={"anew": True}).json() == {"prompts": 1, "behind": 0}
    assert local.post("/v1/search/reindex", json={"all": True}).status_code == 422
    assert api.post("/v1/search/reindex", json={}, headers=bearer("viewer")).status_code == 403


def test_without_an_embedder_a_search_is_503_but_registration_works(client_without_embedder: Any) -> None:
    client = client_without_embedder
    (warning,) = register(client, "a", TRIAGE, "?similar=true", labels=["production"])["warnings"]
    assert (warning["code"], warning["name"], warning["score"]) == ("similar_unchecked", None, None)
    assert "pip install" in warning["detail"]
    assert client.get("/v1/prompts/a").json()["version"] == 1
    response = client.get("/v1/search?q=x")
    assert (response.status_code, response.json()["code"], response.headers["retry-after"]) == (503, "unavailable", "60")
    assert client.get("/v1/prompts/a/similar").status_code == 503
