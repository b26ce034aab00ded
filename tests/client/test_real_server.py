"""The client against the service itself, put together as for a server: what one sends is what the other reads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from promptuary import Promptuary
from promptuary.client import KeyRefused, PromptNotFound
from promptuary.prompt.errors import InvalidVariables

NAME = "support.triage"
BODY = {
    "type": "chat",
    "template": [
        {"role": "system", "content": 'Sort into {{intents}} as {"intent": 1.0}'},
        {"role": "placeholder", "name": "history"},
        {"role": "user", "content": "{{ticket}}"},
    ],
    "variables": {"ticket": {"type": "string", "maxLength": 4000}, "history": {"type": "array", "required": False}},
    "model": {"name": "local:smollm2", "temperature": 0, "max_tokens": 16},
    "tools": [{"name": "close", "weight": 0.1}],
    "message": "the first",
    "labels": ["production"],
}


@pytest.fixture
def through(api: Any, tmp_path: Path) -> Callable[..., Promptuary]:
    """Make clients of the app in this process."""

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        response = api.request(request.method, path, headers=dict(request.headers), content=request.content)
        return httpx.Response(response.status_code, headers=dict(response.headers), content=response.content)

    def make(key: str, **options: Any) -> Promptuary:
        transport = httpx.MockTransport(answer)
        return Promptuary(
            "http://127.0.0.1", key, cache_dir=tmp_path / "copies", deadline=20, transport=transport, follow=False, **options
        )

    return make


def settle(client: Promptuary) -> None:
    for flight in list(client._pending.values()):
        assert flight.finished.wait(60)


def test_a_registered_version_is_looked_up_rendered_and_followed(
    api: Any, bearer: Callable[..., dict[str, str]], key: Callable[..., str], through: Callable[..., Promptuary]
) -> None:
    author = bearer("author")
    created = api.post(f"/v1/prompts/{NAME}/versions", json=BODY, headers=author)
    assert created.status_code == 201, created.text
    client = through(key("reader"), ttl=0)
    prompt = client.get(NAME)
    assert (prompt.version, prompt.digest, prompt.source) == (1, created.json()["digest"], "server")
    values = {"ticket": "My card", "intents": "a, b", "history": [{"role": "user", "content": "hi"}]}
    assert client.render(NAME, variables=values).messages == prompt.render(**values)
    client.get(NAME)  # 304
    settle(client)
    api.post(f"/v1/prompts/{NAME}/versions", json={**BODY, "tools": None}, headers=author)
    client.get(NAME)
    settle(client)
    followed = client.get(NAME)
    assert (followed.version, followed.content.tools) == (2, None)
    assert client.get(NAME, version=1).content.tools == BODY["tools"]
    client.close()


def test_what_the_service_refuses_is_told_as_what_it_is(
    local: Any, key: Callable[..., str], through: Callable[..., Promptuary]
) -> None:
    local.post(f"/v1/prompts/{NAME}/versions", json=BODY)
    reader = through(key("reader"))
    with pytest.raises(PromptNotFound, match="no label 'staging'"):
        reader.get(NAME, label="staging")
    with pytest.raises(PromptNotFound, match="no prompt"):
        reader.get("support.other")
    with pytest.raises(InvalidVariables, match="ticket"):
        reader.render(NAME, variables={"intents": "a"})
    with pytest.raises(KeyRefused):
        through("pmt_nobody").get(NAME)
    with pytest.raises(PromptNotFound):
        through(key("reader", "another")).get(NAME)


def test_an_erased_version_and_an_archived_prompt_end_their_copies(
    local: Any, key: Callable[..., str], through: Callable[..., Promptuary]
) -> None:
    for number in (1, 2):
        local.post(f"/v1/prompts/{NAME}/versions", json={**BODY, "model": {"name": f"m{number}"}})
    client = through(key("reader"), ttl=3600)
    assert (client.get(NAME, version=1).version, client.get(NAME).version) == (1, 2)
    erased = local.post(f"/v1/prompts/{NAME}/versions/1/erase", json={"reason": "it named a person"})
    assert erased.status_code == 200, erased.text
    with pytest.raises(PromptNotFound, match="erased"):
        client.get(NAME, version=1, max_age=0)
    assert client.get(NAME, max_age=0).version == 2
    local.post(f"/v1/prompts/{NAME}/archive", json={"reason": "no longer"})
    with pytest.raises(PromptNotFound, match="archived"):
        client.get(NAME, max_age=0)
    assert client.get(NAME, version=2, max_age=0).version == 2
    client.close()


KEYS = [*(f"user-{number}" for number in range(60)), "", " ", "a&b=c", "消費者", "Ünïcode-ß", "x" * 1000, "\x01", "+", "%2F"]


def test_a_split_label_gives_every_key_the_servers_arm_for_one_request_an_arm(
    local: Any, key: Callable[..., str], through: Callable[..., Promptuary]
) -> None:
    for number in (1, 2, 3):
        created = local.post(f"/v1/prompts/{NAME}/versions", json={**BODY, "labels": [], "model": {"name": f"m{number}"}})
        assert created.status_code == 201, created.text
    moves: list[dict[str, Any]] = [
        {"version": 1},
        {"split": [{"version": 1, "weight": 90}, {"version": 2, "weight": 10}]},
        {"split": [{"version": 1, "weight": 50}, {"version": 2, "weight": 30}, {"version": 3, "weight": 20}]},
        {"version": 3},
    ]
    for move in moves:
        moved = local.put(f"/v1/prompts/{NAME}/labels/production", json=move)
        assert moved.status_code == 200, moved.text
        seen: list[Any] = []
        client = through(key("reader"), on_lookup=seen.append)
        path = f"/v1/prompts/{NAME}"
        for targeting_key in KEYS:
            # An empty key is none for the client, and refused by the server.
            answer = local.get(path, params={"targeting_key": targeting_key} if targeting_key else {}).json()
            prompt = client.get(NAME, targeting_key=targeting_key)
            assert (prompt.version, prompt.variant) == (answer["version"], answer["variant"]), targeting_key
        first = local.get(path).json()
        assert client.get(NAME).version == first["version"]
        assert len(seen) == len(move.get("split", [1]))
        rendered = client.render(NAME, variables={"ticket": "x", "intents": "y"}, targeting_key=KEYS[0])
        assert rendered.version == client.get(NAME, targeting_key=KEYS[0]).version
        client.close()
