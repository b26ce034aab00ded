"""The name of a prompt in another registry, sent with a registration: programs find the prompt under it."""

from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("database")
TEXT: dict[str, Any] = {"type": "text", "template": "one"}


def register(local: Any, name: str, **more: Any) -> Any:
    return local.post(f"/v1/prompts/{name}/versions", json=TEXT | more)


def asked_as(local: Any, given_name: str) -> str | None:
    response = local.get(f"/api/public/v2/prompts/{given_name}?label=latest")
    return response.json()["prompt"] if response.status_code == 200 else None


def test_a_renamed_prompt_is_found_under_its_name_in_another_registry(local: Any) -> None:
    assert register(local, "team-a.greet").status_code == 201
    named = register(local, "hello", template="two", given_name="team a/greet")
    assert (named.status_code, named.json()["given_name"]) == (201, "team a/greet")
    assert (asked_as(local, "team%20a%2Fgreet"), asked_as(local, "team-a%2Fgreet")) == ("two", "one")
    again = register(local, "hello", template="two", given_name="team a/greet")
    assert (again.status_code, again.json()["version"]) == (200, 1)
    assert register(local, "hello", template="three").json()["given_name"] == "team a/greet"


def test_one_name_cannot_mean_two_prompts(local: Any) -> None:
    register(local, "plain")
    register(local, "hello", given_name="Team/Greet")
    for given_name in ("plain", "Team/Greet"):
        refused = register(local, "other", given_name=given_name)
        assert (refused.status_code, f"the name '{given_name}' is that of" in refused.json()["detail"]) == (409, True)
    renamed = register(local, "hello", template="two", given_name="Team/Hello")
    assert (renamed.status_code, "was created as 'Team/Greet'" in renamed.json()["detail"]) == (409, True)
    for invalid in ("", "x" * 256, 7):
        assert register(local, "hello", given_name=invalid).status_code == 422
    assert local.get("/v1/prompts/other").status_code == 404
