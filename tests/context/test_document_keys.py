"""What can be added to a collection can be read, listed and deleted, and so can documents with odd ids of earlier releases."""

from typing import Any
from urllib.parse import quote

import pytest

from promptuary.context import document_key

DOCUMENTS = "/v1/collections/c/documents"
GOOD_KEYS = ["a", "guides/setup", "ein Text über Öl.md", "100%", "..a", "a..b", "a\\b", "x?y#z&w=1", "日本語/説明"]
ODD_KEYS = ["../x", "..", ".", "a/../b", "/a", "a/", "a//b", " a", "a ", "a\u202eb", "a\u200bb", "a\x07b", "a\nb", "a\tb"]


@pytest.fixture(autouse=True)
def _collection(local: Any) -> None:
    local.put("/v1/collections/c", json={})


def add(local: Any, key: str) -> Any:
    return local.post(DOCUMENTS, json={"documents": [{"id": key, "text": "Some text."}]})


@pytest.mark.parametrize("key", GOOD_KEYS)
def test_a_document_is_added_read_listed_and_deleted(local: Any, key: str) -> None:
    assert add(local, key).status_code == 201
    assert [document["id"] for document in local.get(DOCUMENTS).json()["items"]] == [key]
    path = f"{DOCUMENTS}/{quote(key, safe='')}"
    assert local.get(path).json()["id"] == key
    assert local.get(f"{DOCUMENTS}/{quote(key)}").json()["id"] == key
    assert local.get(DOCUMENTS, params={"id": key}).json()["items"][0]["id"] == key
    assert local.delete(path).status_code == 204
    assert local.get(path).status_code == local.delete(path).status_code == 404


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_odd_id_is_refused_and_one_of_an_earlier_release_can_be_deleted(
    local: Any, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = add(local, key)
    assert (refused.status_code, refused.json()["errors"][0]["path"]) == (422, "documents.0.id")
    monkeypatch.setattr(document_key, "_UNREADABLE", document_key.re.compile("(?!)"))
    monkeypatch.setattr(document_key, "_REFUSED_SEGMENTS", ())
    monkeypatch.setattr(document_key, "_may_be_trimmed", lambda key: False)
    assert add(local, key).status_code == 201
    assert local.get(DOCUMENTS, params={"id": key}).json()["items"][0]["id"] == key
    assert local.delete(DOCUMENTS, params={"id": key}).status_code == 204
    assert local.get(DOCUMENTS).json()["items"] == []
