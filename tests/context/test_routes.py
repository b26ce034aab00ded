"""Collections, documents, queries and rendering over HTTP."""

from typing import Any

import pytest

from factories.word_embedder import word_embedding_backend
from promptuary.api.app import create_app
from promptuary.context.retrieval import PassageRetrieval

CHAT = {
    "type": "chat",
    "template": [
        {"role": "system", "content": "{{#passages}}{{document}}: {{text}}{{/passages}}"},
        {"role": "user", "content": "{{question}}"},
    ],
    "context": {"collection": "policies", "query": "{{question}}", "k": 1, "into": "passages"},
    "labels": ["production"],
}


@pytest.fixture
def app(sqlite: Any, settings: Any, clock: Any) -> Any:
    retrieval = PassageRetrieval(sqlite, clock, word_embedding_backend(sqlite, settings))
    return create_app(settings, database=sqlite, clock=clock, retrieval=retrieval)


@pytest.fixture
def stocked(local: Any) -> Any:
    local.put("/v1/collections/policies", json={"description": "what we promise"})
    documents = [
        {"id": "card", "text": "A new card comes in five days.", "metadata": {"kind": "a"}},
        {"id": "fees/abroad", "text": "Abroad it costs two percent."},
    ]
    assert local.post("/v1/collections/policies/documents", json={"documents": documents}).status_code == 201
    return local


def test_a_collection_has_the_numbers_of_its_documents_and_chunks(stocked: Any) -> None:
    summary = stocked.get("/v1/collections/policies").json()
    assert (summary["documents"], summary["chunks"], summary["description"]) == (2, 2, "what we promise")
    assert [item["name"] for item in stocked.get("/v1/collections").json()["items"]] == ["policies"]
    first = stocked.get("/v1/collections/policies/documents?limit=1").json()
    second = stocked.get(f"/v1/collections/policies/documents?limit=1&cursor={first['next_cursor']}").json()
    assert [first["items"][0]["id"], second["items"][0]["id"]] == ["card", "fees/abroad"]
    assert second["next_cursor"] is None


def test_a_query_returns_passages(stocked: Any) -> None:
    response = stocked.post("/v1/collections/policies/query", json={"query": "when comes the card", "k": 1}).json()
    assert response["passages"][0]["document"] == "card"


def test_a_document_whose_id_has_a_slash_can_be_deleted(stocked: Any) -> None:
    assert stocked.delete("/v1/collections/policies/documents/fees/abroad").status_code == 204
    assert stocked.delete("/v1/collections/policies/documents/fees/abroad").status_code == 404
    assert stocked.get("/v1/collections/policies").json()["documents"] == 1


def test_the_chunk_settings_of_a_collection_do_not_change(stocked: Any) -> None:
    assert stocked.put("/v1/collections/policies", json={"chunk_size": 100}).json()["code"] == "conflict"
    assert stocked.put("/v1/collections/policies", json={"description": "else"}).json()["description"] == "else"


def test_rendering_returns_the_passages_with_a_manifest(stocked: Any) -> None:
    assert stocked.post("/v1/prompts/support.answer/versions", json=CHAT).status_code == 201
    response = stocked.post(
        "/v1/prompts/support.answer/render", json={"variables": {"question": "when comes a new card"}}
    ).json()
    assert response["messages"][0]["content"] == "card: A new card comes in five days."
    assert [(item["document"], item["chunk"]) for item in response["manifest"]] == [("card", 0)]
    other = {"variables": {"question": "x"}, "query": "abroad it costs"}
    assert stocked.post("/v1/prompts/support.answer/render", json=other).json()["manifest"][0]["document"] == "fees/abroad"


def test_rendering_a_split_label_uses_the_arm_of_the_key(local: Any) -> None:
    for words in ("one", "two"):
        local.post("/v1/prompts/p/versions", json={"type": "text", "template": words})
    arms = [{"version": 1, "weight": 1}, {"version": 2, "weight": 1}]
    local.put("/v1/prompts/p/labels/production", json={"split": arms})
    for key in ("user-1", "user-2", "user-3", "user-4"):
        fetched = local.get("/v1/prompts/p", params={"targeting_key": key}).json()
        rendered = local.post("/v1/prompts/p/render", json={"targeting_key": key}).json()
        assert (rendered["text"], rendered["variant"]) == (fetched["template"], fetched["variant"])
    assert local.post("/v1/prompts/p/render", json={"version": 2}).json()["variant"] is None


def test_rendering_names_the_invalid_variable(stocked: Any) -> None:
    stocked.post("/v1/prompts/support.answer/versions", json=CHAT)
    response = stocked.post("/v1/prompts/support.answer/render", json={"variables": {"passages": "mine"}})
    assert response.status_code == 422
    assert {error["path"] for error in response.json()["errors"]} == {"passages", "question"}


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("policies/documents", {"documents": []}, 422, "documents"),
        ("policies/documents", {"documents": [{"id": "a", "text": " "}]}, 422, "documents.0.text"),
        ("policies/documents", {"documents": [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]}, 422, "documents.1.id"),
        ("nowhere/documents", {"documents": [{"id": "a", "text": "x"}]}, 404, "nowhere"),
        ("nowhere/query", {"query": "x"}, 404, "nowhere"),
        ("policies/query", {"query": "x", "k": 0}, 422, "k"),
        ("policies/query", {"query": "x", "k": 101}, 422, "k"),
        ("policies/query", {"query": ""}, 422, "query"),
    ],
)
def test_an_invalid_request_names_its_field_and_writes_nothing(
    stocked: Any, path: str, body: dict[str, Any], status: int, says: str
) -> None:
    response = stocked.post(f"/v1/collections/{path}", json=body)
    assert response.status_code == status
    assert says in response.text
    assert stocked.get("/v1/collections/policies").json()["documents"] == 2


def test_a_reader_queries_but_does_not_write(api: Any, bearer: Any, stocked: Any) -> None:
    headers = bearer("viewer")
    assert api.post("/v1/collections/policies/query", json={"query": "card"}, headers=headers).status_code == 200
    refused = api.post("/v1/collections/policies/documents", json={"documents": [{"id": "a", "text": "x"}]}, headers=headers)
    assert refused.status_code == 403


@pytest.mark.parametrize("name", ["", "$or", "$and", "$eq", "#document", "chroma:document"])
def test_a_metadata_name_that_no_index_accepts_is_refused_with_its_place(stocked: Any, name: str) -> None:
    document = {"id": "new", "text": "Some text.", "metadata": {"kind": "a", name: "x"}}
    response = stocked.post("/v1/collections/policies/documents", json={"documents": [document]})
    assert response.status_code == 422
    assert [error["path"] for error in response.json()["errors"]] == [f"documents.0.metadata.{name}"]
    response = stocked.post("/v1/collections/policies/query", json={"query": "card", "where": {name: "x"}})
    assert response.status_code == 422
    assert [error["path"] for error in response.json()["errors"]] == [f"where.{name}"]
    assert stocked.get("/v1/collections/policies").json()["documents"] == 2
