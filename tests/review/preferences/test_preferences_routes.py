"""Pairs from the claim to the figures: sides are counterbalanced, some pairs come again swapped, strengths have intervals."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

Headers = dict[str, str]
SCHEMA = {"fields": [{"name": "better", "type": "preference", "required": True}]}
Prefer = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def author(bearer: Any) -> Headers:
    return dict(bearer("author"))


@pytest.fixture
def open_pairs(api: Any, author: Headers, finished_run: str) -> Callable[..., str]:
    """Open a queue of the run's three pairs."""

    def opened(**definition: Any) -> str:
        body = {"decisions": [], "schema": SCHEMA, **definition}
        assert api.put("/v1/queues/pairs", json=body, headers=author).status_code == 200
        response = api.post("/v1/queues/pairs/items", json={"run": finished_run, "pairs": ["v2", "v1"]}, headers=author)
        assert response.status_code == 200, response.text
        return "/v1/queues/pairs"

    return opened


@pytest.fixture
def prefer(api: Any) -> Prefer:
    """Decide all pairs as a reviewer by a rule on the claim; return the pair's case and the preferred side, in their order."""

    def decide(reviewer: Headers, rule: Callable[[Any], str]) -> list[tuple[str, str]]:
        decided = []
        while (response := api.post("/v1/queues/pairs/claims", headers=reviewer)).status_code == 201:
            claim = response.json()
            side = rule(claim)
            labels = {"better": side}
            body = {"nonce": claim["nonce"], "seen_at": "2026-03-02T12:00:00Z", "labels": labels}
            answer = api.post(f"/v1/claims/{claim['id']}/submit", json=body, headers=reviewer)
            assert answer.status_code == 200, answer.text
            decided.append((claim["item"]["payload"]["case"], side))
        assert response.status_code == 204
        return decided

    return decide


def test_a_repeated_pair_comes_after_the_others_and_to_who_decided_it(
    api: Any, author: Headers, open_pairs: Any, prefer: Prefer, bearer: Any
) -> None:
    open_pairs(swap_share=1.0, slots=2)
    ann, bob = bearer("reviewer"), bearer("reviewer")
    decided = prefer(ann, lambda claim: "left")
    assert [case for case, _ in decided[:3]] == ["one", "two", "three"]
    assert Counter(case for case, _ in decided) == {"one": 2, "two": 2, "three": 2}
    assert api.get("/v1/queues/pairs", headers=ann).json()["counts"]["left"] == 0
    bias = api.get("/v1/queues/pairs/position-bias", headers=author).json()
    assert (bias["overall"]["choices"], bias["overall"]["swapped"], bias["overall"]["left"]["estimate"]) == (6, 3, 1.0)
    assert bias["overall"]["favours"] is None  # three pairs are too few to show it
    repeated = bias["repeated"]
    assert (repeated["pairs"], repeated["consistent"], repeated["left"]) == (3, 0, 3)
    # Bob has decided nothing yet, so that no repetition waits for him before its pair.
    claim = api.post("/v1/queues/pairs/claims", headers=bob).json()
    assert claim["item"]["payload"]["case"] == "one"
    assert api.get("/v1/queues/pairs", headers=bob).json()["counts"]["left"] == 3


def test_who_sees_the_better_output_on_both_sides_is_consistent(
    api: Any, author: Headers, open_pairs: Any, prefer: Prefer, bearer: Any
) -> None:
    open_pairs(swap_share=1.0)
    seen: dict[str, str] = {}

    def alternate(claim: Any) -> str:  # the first time left; the second time the sides are swapped, so the other side
        return (
            seen.setdefault(claim["item"]["payload"]["case"], "left")
            if claim["item"]["payload"]["case"] not in seen
            else "right"
        )

    prefer(bearer("reviewer"), alternate)
    bias = api.get("/v1/queues/pairs/position-bias", headers=author).json()
    assert bias["repeated"]["consistent"] == bias["repeated"]["pairs"] == 3
    assert bias["overall"]["left"]["estimate"] == 0.5
    assert bias["overall"]["favours"] is None


def test_strengths_and_preferences_have_intervals(
    api: Any, author: Headers, open_pairs: Any, prefer: Prefer, bearer: Any
) -> None:
    open_pairs(slots=3)
    for reviewer, side in ((bearer("reviewer"), "left"), (bearer("reviewer"), "right"), (bearer("reviewer"), "tie")):
        prefer(reviewer, lambda claim, side=side: side)
    ranking = api.get("/v1/queues/pairs/ranking", headers=author).json()
    assert ranking["comparisons"] == 9
    by_variant = {row["variant"]: row for row in ranking["variants"]}
    assert by_variant.keys() == {"v1", "v2"}
    assert (by_variant["v1"]["wins"], by_variant["v1"]["ties"]) == (by_variant["v2"]["losses"], 3)
    assert all(row["low"] <= row["strength"] <= row["high"] for row in by_variant.values())
    (preference,) = ranking["preferences"]
    assert (preference["first"], preference["second"], preference["share"]["clusters"]) == ("v1", "v2", 3)


def test_pairs_need_a_field_of_preferences(api: Any, author: Headers, finished_run: str) -> None:
    api.put("/v1/queues/pairs", json={}, headers=author)
    response = api.post("/v1/queues/pairs/items", json={"run": finished_run, "pairs": ["v2", "v1"]}, headers=author)
    assert (response.status_code, "preference" in response.text) == (409, True)
    assert api.get("/v1/queues/pairs", headers=author).json()["counts"]["items"] == 0
    assert api.get("/v1/queues/pairs/position-bias", headers=author).status_code == 409
    assert api.get("/v1/queues/none/ranking", headers=author).status_code == 404


def test_a_field_is_named_where_there_are_several(api: Any, author: Headers, open_pairs: Any) -> None:
    fields = [{"name": name, "type": "preference"} for name in ("shorter", "kinder")]
    open_pairs(schema={"fields": fields})
    assert api.get("/v1/queues/pairs/ranking", headers=author).status_code == 409
    assert api.get("/v1/queues/pairs/ranking?field=kinder", headers=author).json()["comparisons"] == 0
    assert api.get("/v1/queues/pairs/ranking?field=other", headers=author).status_code == 404


def test_a_reviewer_sees_the_bias_of_finished_pairs_and_their_own(
    api: Any, author: Headers, open_pairs: Any, prefer: Prefer, bearer: Any
) -> None:
    open_pairs(slots=2)
    ann, bob = bearer("reviewer"), bearer("reviewer")
    prefer(ann, lambda claim: "left")
    assert api.get("/v1/queues/pairs/position-bias", headers=ann).json()["overall"]["choices"] == 0
    prefer(bob, lambda claim: "right")
    assert api.get("/v1/queues/pairs/position-bias", headers=ann).json()["overall"]["choices"] == 6
    assert api.get("/v1/queues/pairs/ranking", headers=ann).status_code == 403
    assert api.get("/v1/queues/pairs/position-bias", headers=bearer("author", "another")).status_code == 404


def test_an_erased_version_leaves_its_side_of_a_pair(api: Any, author: Headers, open_pairs: Any, bearer: Any) -> None:
    open_pairs()
    erased = api.post("/v1/prompts/triage/versions/1/erase", json={"reason": "a name"}, headers=bearer("operator"))
    assert erased.status_code == 200, erased.text
    claim = api.post("/v1/queues/pairs/claims", headers=bearer("reviewer")).json()
    assert sorted(str(side["output"]) for side in claim["item"]["sides"].values()) == ["None", "said of one"]


def test_who_settles_a_pair_does_not_learn_which_output_is_first(
    api: Any, author: Headers, open_pairs: Any, prefer: Prefer, bearer: Any
) -> None:
    queue = open_pairs(slots=2)
    prefer(bearer("reviewer"), lambda claim: "left" if "one" in str(claim["item"]["sides"]["left"]["output"]) else "right")
    prefer(bearer("reviewer"), lambda claim: "tie")
    lead = bearer("lead")
    listed = api.get(f"{queue}/disagreements", headers=lead).json()["items"]
    exported = {row["item"]: row for row in api.get(f"{queue}/export", headers=lead).json()["items"] if row["decision"]}
    assert listed
    for item in listed:
        assert set(item["payload"]["sides"]) == {"left", "right"}
        assert item["source"] == item["item"]
        assert {review["labels"]["better"] for review in item["reviews"]} <= {"left", "right", "tie"}
        body = {"item": item["item"], "labels": {"better": "left"}, "reason": "clearer"}
        (settled,) = api.post(f"{queue}/adjudications", json=body, headers=lead).json()["items"]
        assert settled["value"] in ("first", "second")
    again = api.get(f"{queue}/disagreements?state=adjudicated", headers=lead).json()["items"]
    assert [item["adjudications"][0]["value"] for item in again] == ["left"] * len(listed)
    assert set(exported) >= {item["item"] for item in listed}
