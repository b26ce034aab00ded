"""Corrections become gold: accepted by a lead into a dataset's next version, with where they come from."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from promptuary.evaluation.case import Case
from promptuary.evaluation.conversations.turn import Turn

Headers = dict[str, str]
TURNS = (Turn(user="Where is it?", expected="a question"), Turn(user="Order 7", expected="on its way"))
CONVERSATIONS = [
    Case("one", {"ticket": "about one"}, "on its way", turns=TURNS),
    Case("two", {"ticket": "about one"}, None, turns=(TURNS[0], replace(TURNS[1], expected={"state": "late"}))),
    Case("three", {"ticket": "about one"}, turns=(TURNS[0], replace(TURNS[1], user="Order 8"))),
    Case("four", {"ticket": "about one"}, "without turns"),
]
SEEN_AT = "2026-03-02T12:00:00Z"
Correct = Callable[..., dict[str, int]]


@pytest.fixture
def author(bearer: Any) -> Headers:
    return dict(bearer("author"))


@pytest.fixture
def lead(bearer: Any) -> Headers:
    return dict(bearer("lead"))


@pytest.fixture
def queue(api: Any, author: Headers, finished_run: str) -> str:
    """A queue of the three failed results of the run, for two reviewers each."""
    api.put("/v1/queues/triage", json={"slots": 2}, headers=author)
    api.post("/v1/queues/triage/items", json={"run": finished_run}, headers=author)
    return "/v1/queues/triage"


@pytest.fixture
def correct(api: Any, queue: str, bearer: Any) -> Correct:
    """Correct the outputs of cases as a new reviewer, and return the decisions' numbers by the case."""

    def decide(corrections: dict[str, str | None], headers: Headers | None = None) -> dict[str, int]:
        reviewer = headers or bearer("reviewer")
        decisions = {}
        while (response := api.post(f"{queue}/claims", headers=reviewer)).status_code == 201:
            claim = response.json()
            case = claim["item"]["payload"]["case"]
            body = {"nonce": claim["nonce"], "decision": "reject", "seen_at": SEEN_AT, "correction": corrections.get(case)}
            decided = api.post(f"/v1/claims/{claim['id']}/submit", json=body, headers=reviewer)
            assert decided.status_code == 200, decided.text
            decisions.setdefault(case, decided.json()["id"])
        return decisions

    return decide


def accept(api: Any, headers: Headers, *decisions: int, dataset: str = "tickets", **body: Any) -> Any:
    return api.post(f"/v1/datasets/{dataset}/gold", json={"decisions": decisions, **body}, headers=headers)


def cases_of(api: Any, headers: Headers, dataset: str = "tickets", version: int | None = None) -> dict[str, Any]:
    query = "" if version is None else f"?version={version}"
    return {case["id"]: case for case in api.get(f"/v1/datasets/{dataset}{query}", headers=headers).json()["items"]}


@pytest.mark.usefixtures("database")
def test_a_correction_is_expected_in_the_next_version(api: Any, author: Headers, lead: Headers, correct: Correct) -> None:
    before = api.get("/v1/datasets/tickets", headers=author).json()
    decisions = correct({"one": "intent-refund"})
    accepted = accept(api, lead, decisions["one"], reason="checked with the desk")
    assert accepted.status_code == 201, accepted.text
    body = accepted.json()
    assert (body["name"], body["version"], body["cases"]) == ("tickets", 2, 4)
    (gold,) = body["gold"]
    assert (gold["case"], gold["decision"], gold["prompt"], gold["reason"]) == (
        "one",
        decisions["one"],
        "triage",
        "checked with the desk",
    )
    version = api.get(f"/v1/prompts/triage/versions/{gold['version']}", headers=author).json()
    assert gold["digest"] == version["digest"]
    cases = cases_of(api, author)
    assert cases["one"]["expected"] == "intent-refund"
    provenance = cases["one"]["metadata"]["gold"]
    assert (provenance["item"], provenance["reviewer"], provenance["digest"]) == (
        gold["item"],
        gold["reviewer_id"],
        gold["digest"],
    )
    assert {name: case["expected"] for name, case in cases.items() if name != "one"} == {
        "two": "intent-two",
        "three": "intent-three",
        "four": "intent-four",
    }
    former = api.get("/v1/datasets/tickets?version=1", headers=author).json()
    assert (former["digest"], cases_of(api, author, version=1)["one"]["expected"]) == (before["digest"], "intent-one")
    (listed,) = api.get("/v1/datasets/tickets/gold", headers=author).json()["items"]
    assert listed == gold


def test_a_new_dataset_gets_the_corrected_cases_alone(api: Any, author: Headers, lead: Headers, correct: Correct) -> None:
    decisions = correct({"one": "better", "two": "best"})
    assert accept(api, lead, decisions["two"], decisions["one"], dataset="gold.tickets").json()["version"] == 1
    cases = cases_of(api, author, "gold.tickets")
    assert {name: (case["vars"], case["expected"]) for name, case in cases.items()} == {
        "two": ({"ticket": "about two"}, "best"),
        "one": ({"ticket": "about one"}, "better"),
    }


@pytest.mark.parametrize("cases", [CONVERSATIONS[:1] + CONVERSATIONS[2:]], ids=["conversations"])
def test_a_corrected_conversation_expects_it_in_its_last_turn(
    api: Any, author: Headers, lead: Headers, correct: Correct, cases: list[Case]
) -> None:
    accepted = accept(api, lead, correct({"one": "it arrives on Monday"})["one"])
    assert accepted.status_code == 201, accepted.text
    stored = cases_of(api, author)
    first, last = stored["one"]["turns"]
    assert (first["expected"], last["expected"]) == ("a question", "it arrives on Monday")
    assert stored["one"]["expected"] == "it arrives on Monday"
    assert stored["one"]["metadata"]["gold"]["item"] == accepted.json()["gold"][0]["item"]
    assert [turn.get("expected") for turn in stored["three"]["turns"]] == ["a question", "on its way"]  # another last message
    assert stored["four"]["expected"] == "without turns"  # the same variables, and no conversation


@pytest.mark.parametrize("cases", [CONVERSATIONS[1:]], ids=["conversations"])
def test_a_corrected_last_turn_stays_json(
    api: Any, author: Headers, lead: Headers, correct: Correct, cases: list[Case]
) -> None:
    assert accept(api, lead, correct({"two": '{"state": "sent"}'})["two"]).status_code == 201
    stored = cases_of(api, author)["two"]
    assert stored["turns"][-1]["expected"] == {"state": "sent"}
    assert stored.get("expected") is None


@pytest.mark.parametrize("cases", [CONVERSATIONS[:1] + CONVERSATIONS[2:]], ids=["conversations"])
def test_a_conversation_that_is_gold_is_shown_to_nobody_again(
    api: Any, author: Headers, lead: Headers, correct: Correct, finished_run: str, cases: list[Case]
) -> None:
    accept(api, lead, correct({"one": "it arrives on Monday"})["one"])
    api.put("/v1/queues/next", json={}, headers=author)
    added = api.post("/v1/queues/next/items", json={"run": finished_run, "only": "all"}, headers=author).json()
    assert (added["added"], added["gold"]) == (2, 2)


def test_an_id_that_another_input_has_is_not_taken(api: Any, author: Headers, lead: Headers, correct: Correct) -> None:
    other = {"cases": [{"id": "one", "vars": {"ticket": "something else"}, "expected": "x"}]}
    assert api.post("/v1/datasets/mixed/versions", json=other, headers=author).status_code == 201
    decision = correct({"one": "better"})["one"]
    (gold,) = accept(api, lead, decision, dataset="mixed").json()["gold"]
    cases = cases_of(api, author, "mixed")
    assert cases["one"]["expected"] == "x"
    assert gold["case"] == f"one.{decision}"
    assert cases[gold["case"]]["vars"] == {"ticket": "about one"}


@pytest.mark.usefixtures("database")
def test_a_gold_case_is_shown_to_nobody_again(
    api: Any, author: Headers, lead: Headers, correct: Correct, finished_run: str, bearer: Any
) -> None:
    assert accept(api, lead, correct({"one": "better"})["one"]).status_code == 201
    second = bearer("reviewer")
    assert correct({}, second).keys() == {"two"}  # the second slot of `one` waits, and is not shown
    counts = api.get("/v1/queues/triage", headers=author).json()["counts"]
    assert (counts["items"], counts["open"], counts["decided"]) == (3, 0, 3)

    api.put("/v1/queues/next", json={}, headers=author)
    added = api.post("/v1/queues/next/items", json={"run": finished_run, "only": "all"}, headers=author).json()
    assert added == {"added": 4, "present": 0, "gold": 2, "repeated": 0}
    copy = {"items": [{"source": "copy", "payload": {"input": {"ticket": "about one"}, "output": "said"}}]}
    api.put("/v1/queues/copies", json={}, headers=author)
    api.post("/v1/queues/copies/items", json=copy, headers=author)
    assert api.post("/v1/queues/copies/claims", headers=second).status_code == 204


def test_a_slice_is_drawn_from_what_is_not_gold(
    api: Any, author: Headers, lead: Headers, correct: Correct, finished_run: str
) -> None:
    accept(api, lead, correct({"one": "better"})["one"])
    api.put("/v1/queues/next", json={}, headers=author)
    api.post("/v1/queues/next/items", json={"run": finished_run, "sample": {"size": 2}}, headers=author)
    (fill,) = api.get("/v1/queues/next", headers=author).json()["source"]["fills"]
    assert (fill["population"], fill["gold"], fill["sample"]["probability"]) == (4, 2, 0.5)


def test_corrections_are_listed_until_and_after_they_are_gold(
    api: Any, author: Headers, lead: Headers, correct: Correct
) -> None:
    decisions = correct({"one": "better", "two": "best"})
    accept(api, lead, decisions["one"])
    listed = api.get("/v1/queues/triage/corrections", headers=author).json()["items"]
    assert [(row["case"], row["output"], row["correction"], row["accepted"]) for row in listed] == [
        ("one", "said of one", "better", True),
        ("two", "said of two", "best", False),
        ("two", "said of two", "best", False),
    ]
    assert {row["decided"] for row in listed} == {"reject"}
    assert all(row["input"] and "expected" in row for row in listed)
    assert [row["others"] for row in listed] == [[], [], []]


@pytest.mark.parametrize("chosen", ["nothing corrected", "accepted", "twice"])
def test_what_is_no_single_correction_is_refused(api: Any, lead: Headers, correct: Correct, chosen: str) -> None:
    first = correct({"one": "better"})
    second = correct({"one": "best"})
    decisions = {
        "nothing corrected": [first["two"]],
        "accepted": [first["one"]],
        "twice": [first["one"], second["one"]],
    }[chosen]
    if chosen == "accepted":
        assert accept(api, lead, first["one"]).status_code == 201
    refused = accept(api, lead, *decisions)
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert error["path"] == f"decisions.{len(decisions) - 1}"
    versions = api.get("/v1/datasets/tickets", headers=lead).json()["version"]
    assert versions == (2 if chosen == "accepted" else 1)


def test_an_undone_correction_is_refused(api: Any, lead: Headers, correct: Correct, bearer: Any) -> None:
    reviewer = bearer("reviewer")
    decision = correct({"one": "better"}, reviewer)["one"]
    assert api.post(f"/v1/decisions/{decision}/undo", headers=reviewer).status_code in (200, 201)
    refused = accept(api, lead, decision)
    assert (refused.status_code, "undone" in refused.text) == (422, True)


def test_only_leads_of_the_project_accept(api: Any, author: Headers, correct: Correct, bearer: Any) -> None:
    decision = correct({"one": "better"})["one"]
    for role in ("reviewer", "author", "ci"):
        assert accept(api, bearer(role), decision).status_code == 403
    assert accept(api, bearer("lead", "another"), decision).status_code == 404
    assert api.get("/v1/datasets/tickets/gold", headers=bearer("lead", "another")).status_code == 404


def test_an_expected_object_stays_an_object(api: Any, author: Headers, lead: Headers, bearer: Any) -> None:
    payload = {"input": {"ticket": "t"}, "output": "{}", "expected": {"intent": "card"}, "case": "c1"}
    items = [{"source": f"s{number}", "payload": payload | {"input": {"ticket": f"t{number}"}}} for number in range(2)]
    api.put("/v1/queues/triage", json={}, headers=author)
    api.post("/v1/queues/triage/items", json={"items": items}, headers=author)
    reviewer, decisions = bearer("reviewer"), []
    for correction in ('{"intent": "refund"}', "NaN"):
        claim = api.post("/v1/queues/triage/claims", headers=reviewer).json()
        body = {"nonce": claim["nonce"], "decision": "reject", "seen_at": SEEN_AT, "correction": correction}
        decisions.append(api.post(f"/v1/claims/{claim['id']}/submit", json=body, headers=reviewer).json()["id"])
    gold = accept(api, lead, *decisions, dataset="objects").json()["gold"]
    assert (gold[0]["digest"], gold[0]["case"], gold[1]["case"]) == (None, "c1", f"c1.{decisions[1]}")
    expected = [case["expected"] for case in cases_of(api, author, "objects").values()]
    assert expected == [{"intent": "refund"}, "NaN"]
