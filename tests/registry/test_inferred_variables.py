"""A lookup answers every variable that a prompt takes, and its digest stays the one of the declared ones."""

from collections.abc import Callable
from typing import Any

import pytest

from promptuary.prompt.digest import content_json_digest, content_parts
from promptuary.registry.lookup_response import is_client_of_0_3

FORMER_CLIENT = {"Accept": "application/json", "User-Agent": "python-httpx/0.28.1"}
BODY = {
    "type": "chat",
    "template": [
        {"role": "system", "content": "Sort {{ticket}} for {{customer.name}}{{#vip}}, with {{offer}}{{/vip}}"},
        {"role": "placeholder", "name": "history"},
    ],
    "variables": {"ticket": {"type": "string", "maxLength": 10}},
    "labels": ["production"],
}


def test_a_lookup_has_inferred_variables_beside_the_declared_ones(local: Any) -> None:
    created = local.post("/v1/prompts/a/versions", json=BODY).json()
    for query in ({}, {"label": "latest"}, {"version": 1}):
        body = local.get("/v1/prompts/a", params=query).json()
        assert set(body["variables"]) == {"ticket", "customer", "vip", "offer", "history"}
        assert body["variables"]["ticket"] == created["variables"]["ticket"]
        assert sorted(body["inferred"]) == ["customer", "history", "offer", "vip"]
        assert body["digest"] == created["digest"]
        assert content_json_digest(content_parts(body)) == body["digest"]
    assert set(local.get("/v1/prompts/a/versions/1").json()["variables"]) == {"ticket"}


def test_the_fast_path_and_the_route_answer_a_client_in_its_form(
    api: Any, bearer: Callable[..., dict[str, str]], local: Any
) -> None:
    local.post("/v1/prompts/a/versions", json=BODY)
    headers = bearer("viewer")
    for _ in range(2):  # read, and from memory
        assert api.get("/v1/prompts/a", headers=headers).json()["inferred"] != []
        former = api.get("/v1/prompts/a", headers={**headers, **FORMER_CLIENT})
        assert (set(former.json()["variables"]), former.json()["inferred"]) == ({"ticket"}, [])
        again = api.get("/v1/prompts/a", headers={**headers, **FORMER_CLIENT, "If-None-Match": former.headers["etag"]})
        assert again.status_code == 304


@pytest.mark.parametrize(
    ("accept", "agent", "is_former"),
    [
        (b"application/json", b"python-httpx/0.28.1", True),
        (b"application/json", b"promptuary-python/0.4.0", False),
        (b"*/*", b"python-httpx/0.28.1", False),
        (b"application/json", b"curl/8.0", False),
    ],
)
def test_the_former_client_is_known_by_its_headers(accept: bytes, agent: bytes, is_former: bool) -> None:
    assert is_client_of_0_3([(b"accept", accept), (b"user-agent", agent)]) is is_former
    assert not is_client_of_0_3([])
