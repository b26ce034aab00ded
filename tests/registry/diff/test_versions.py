"""The diff of two versions over REST."""

from collections.abc import Callable
from typing import Any

import pytest

VERSIONS = "/v1/prompts/support.triage/versions"
DIFF = "/v1/prompts/support.triage/diff"


def version(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "template": words, **more}


@pytest.fixture
def registered(local: Any) -> Any:
    """Version 1 in production, version 2 in staging, version 3 without a label."""
    bodies = (
        version("Sort: {{ticket}}", labels=["production"]),
        version("Sort it.\n{{ticket}}", labels=["staging"]),
        version("Sort into {{intents}}.\n{{ticket}}"),
    )
    return [local.post(VERSIONS, json=body).json() for body in bodies]


def test_a_diff_has_both_sides_every_change_and_why_it_breaks(local: Any, database: Any, registered: Any) -> None:
    response = local.get(DIFF, params={"from": "staging", "to": "latest"})
    assert response.status_code == 200, response.text
    assert response.json() == {
        "name": "support.triage",
        "from": {"version": 2, "digest": registered[1]["digest"]},
        "to": {"version": 3, "digest": registered[2]["digest"]},
        "breaking": True,
        "reasons": ["the variable 'intents' is new and must be given"],
        "changes": [
            {
                "part": "template",
                "path": "template",
                "kind": "changed",
                "before": "Sort it.\n{{ticket}}",
                "after": "Sort into {{intents}}.\n{{ticket}}",
                "diff": "@@ -1,2 +1,2 @@\n-Sort it.\n+Sort into {{intents}}.\n {{ticket}}",
                "breaking": False,
                "why": None,
            },
            {
                "part": "variables",
                "path": "variables.intents",
                "kind": "added",
                "before": None,
                "after": {"declared": False, "required": True},
                "diff": None,
                "breaking": True,
                "why": "the variable 'intents' is new and must be given",
            },
        ],
    }


@pytest.mark.parametrize(
    ("before", "after", "numbers", "breaking"),
    [
        ("1", "3", (1, 3), True),
        ("production", "staging", (1, 2), False),
        ("3", "production", (3, 1), True),
        ("latest", "3", (3, 3), False),
    ],
)
@pytest.mark.usefixtures("registered")
def test_a_side_is_a_number_or_a_label(local: Any, before: str, after: str, numbers: tuple[int, int], breaking: bool) -> None:
    diff = local.get(DIFF, params={"from": before, "to": after}).json()
    assert (diff["from"]["version"], diff["to"]["version"], diff["breaking"]) == (*numbers, breaking)
    assert (diff["changes"] == []) == (numbers[0] == numbers[1])


@pytest.mark.usefixtures("registered")
def test_a_split_label_is_compared_by_its_first_arm(local: Any) -> None:
    arms = [{"version": 1, "weight": 90}, {"version": 3, "weight": 10}]
    assert local.put("/v1/prompts/support.triage/labels/production", json={"split": arms}).status_code == 200
    diff = local.get(DIFF, params={"from": "production", "to": "3"}).json()
    assert (diff["from"]["version"], diff["breaking"]) == (1, True)


def test_what_a_version_includes_is_compared_as_text(local: Any) -> None:
    tone = "/v1/prompts/support.tone/versions"
    local.post(tone, json=version("Be kind.", labels=["production"]))
    local.post(VERSIONS, json=version("{{> support.tone}}\n{{ticket}}"))
    local.post(tone, json=version("Be kind and brief.", labels=["production"]))
    local.post("/v1/prompts/support.triage/renew")
    (change,) = local.get(DIFF, params={"from": "1", "to": "2"}).json()["changes"]
    assert (change["path"], change["before"], change["after"]) == (
        "partials.support.tone",
        "Be kind.",
        "Be kind and brief.",
    )


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("nowhere", "latest", "has no label 'nowhere'; its labels are: production, staging"),
        ("1", "4", "has no version 4; its newest is 3"),
        ("0", "1", "has no version 0"),
        ("9" * 100, "1", "has no version 999"),
        ("Prod/../x", "1", "has no label"),
    ],
)
def test_an_unknown_side_is_a_404_that_names_it(local: Any, before: str, after: str, words: str) -> None:
    response = local.get(DIFF, params={"from": before, "to": after})
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert words in response.json()["detail"]


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("query", "missing"),
    [({}, ["from", "to"]), ({"from": "1"}, ["to"]), ({"to": "1"}, ["from"])],
)
def test_both_sides_are_required_by_name(local: Any, query: dict[str, str], missing: list[str]) -> None:
    response = local.get(DIFF, params=query)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"] == [{"path": name, "message": "is required"} for name in missing]


@pytest.mark.parametrize("selector", ["", "x" * 129])
def test_the_length_of_a_side_is_limited(local: Any, selector: str) -> None:
    response = local.get(DIFF, params={"from": selector, "to": "1"})
    assert (response.status_code, [error["path"] for error in response.json()["errors"]]) == (422, ["from"])


@pytest.mark.usefixtures("registered")
def test_another_project_has_nothing_to_compare(api: Any, bearer: Callable[..., dict[str, str]]) -> None:
    query = {"from": "1", "to": "2"}
    assert api.get(DIFF, params=query, headers=bearer("viewer")).status_code == 200
    assert api.get(DIFF, params=query, headers=bearer("viewer", "shop")).status_code == 404
    assert api.get(DIFF, params=query).status_code == 401
