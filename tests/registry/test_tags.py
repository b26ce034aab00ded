"""Tags of versions and prompts: set by a registration or by their own routes, and looked up as of a time in the past."""

from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("database")
PATH = "/v1/prompts/p"
TEXT: dict[str, Any] = {"type": "text", "template": "one"}


def register(local: Any, **more: Any) -> Any:
    answer = local.post(f"{PATH}/versions", json=TEXT | more)
    assert answer.status_code in (200, 201), answer.text
    return answer


def tags_of(local: Any, **query: Any) -> tuple[list[str], list[str]]:
    body = local.get(PATH, params={"label": "latest"} | query).json()
    return body["tags"], body["prompt_tags"]


def test_the_same_content_with_other_tags_sets_them(local: Any) -> None:
    first = register(local, tags=["a", "b"])
    again = register(local, tags=["c"])
    assert (again.status_code, again.json()["version"], again.json()["tags"]) == (200, 1, ["c"])
    assert again.json()["digest"] == first.json()["digest"]
    assert tags_of(local) == (["c"], ["c"])
    assert [local.get("/v1/prompts", params={"tag": tag}).json()["items"] != [] for tag in "abc"] == [False, False, True]
    assert local.get("/v1/audit").json()["items"][-1]["detail"] == {"version": 1, "tags": ["c"]}
    (event,) = local.get(f"{PATH}/events?kind=tags.changed").json()["items"]
    assert event["detail"] == {"version": 1, "tags": ["c"]}


def test_the_same_content_without_tags_keeps_them(local: Any) -> None:
    register(local, tags=["a"])
    assert register(local).json()["tags"] == ["a"]
    assert register(local, tags=["a"]).json()["tags"] == ["a"]
    assert local.post(f"{PATH}/renew", json={}).json()["tags"] == ["a"]
    assert local.get(f"{PATH}/events?kind=tags.changed").json()["items"] == []
    assert register(local, tags=[]).json()["tags"] == []


def test_the_tags_of_a_version_and_of_a_prompt_are_replaced(local: Any) -> None:
    register(local, tags=["a"])
    register(local, template="two", tags=["b"])
    assert local.put(f"{PATH}/versions/1/tags", json={"tags": ["x", "team=support", "x"]}).json() == {
        "tags": ["x", "team=support"]
    }
    assert local.put(f"{PATH}/tags", json={"tags": ["own"]}).json() == {"tags": ["own"]}
    assert local.get(f"{PATH}/versions/1").json()["tags"] == ["x", "team=support"]
    assert tags_of(local) == (["b"], ["own"])
    assert local.put(f"{PATH}/versions/3/tags", json={"tags": []}).status_code == 404
    for refused in ({"tags": [""]}, {"tags": ["x" * 201]}, {}, {"tags": None}):
        assert local.put(f"{PATH}/versions/1/tags", json=refused).status_code == 422, refused


def test_the_tags_of_an_erased_version_are_set_by_every_route(local: Any) -> None:
    register(local, tags=["a"])
    local.post(f"{PATH}/versions/1/erase", json={"reason": "a key"})
    assert local.put(f"{PATH}/versions/1/tags", json={"tags": ["b"]}).json() == {"tags": ["b"]}
    mlflow = "/api/2.0/mlflow/model-versions"
    tag = {"name": "p", "version": "1", "key": "team", "value": "support"}
    assert local.post(f"{mlflow}/set-tag", json=tag).status_code == 200
    assert local.get(f"{PATH}/versions").json()["items"][0]["tags"] == ["b", "team=support"]
    removed = {"name": "p", "version": "1", "key": "team"}
    assert local.request("DELETE", f"{mlflow}/delete-tag", json=removed).status_code == 200
    reserved = local.post(f"{mlflow}/set-tag", json=tag | {"key": "mlflow.prompt.text", "value": "x"})
    assert reserved.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert "was erased" in reserved.json()["message"]


def test_a_lookup_as_of_a_time_shows_the_tags_of_that_time(local: Any, clock: Any) -> None:
    register(local, tags=["a"])
    seen = []

    def look() -> None:
        seen.append((clock().isoformat(), tags_of(local)))
        clock.move(seconds=1)

    look()
    for change in (
        lambda: register(local, tags=["b"]),
        lambda: local.put(f"{PATH}/tags", json={"tags": ["b"]}),
        lambda: register(local, template="two", tags=["c"]),
        lambda: local.put(f"{PATH}/versions/2/tags", json={"tags": []}),
        lambda: local.put(f"{PATH}/tags", json={"tags": ["own"]}),
        lambda: local.put(f"{PATH}/versions/1/tags", json={"tags": ["d"]}),
    ):
        change()
        look()
    assert seen[3][1] == (["c"], ["b"])
    for at, tags in seen:
        assert tags_of(local, as_of=at) == tags, at
    assert [local.get(PATH, params={"version": 1, "as_of": at}).json()["tags"] for at, _ in seen[::3]] == [["a"], ["b"], ["d"]]


def test_own_tags_that_a_first_registration_leaves_empty_are_known_as_of(local: Any, clock: Any) -> None:
    mlflow = "/api/2.0/mlflow/model-versions/create"
    tags = [{"key": "mlflow.prompt.is_prompt", "value": "true"}, {"key": "mlflow.prompt.text", "value": "one"}]
    local.post(mlflow, json={"name": "p", "tags": tags})
    clock.move(seconds=1)
    local.post(mlflow, json={"name": "p", "tags": [*tags, {"key": "team", "value": "support"}]})
    assert tags_of(local) == (["team=support"], []) == tags_of(local, as_of=clock().isoformat())
