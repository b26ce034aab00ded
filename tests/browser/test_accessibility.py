"""The review pages by the rules of axe-core: nothing serious in any state, wide and on a phone, light and dark."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from doubles.stub_model import StubModelServer
from factories.accessibility import serious_violations
from factories.reviews import SEEN

pytestmark = pytest.mark.browser
OpenQueue = Callable[..., Any]
DONE_WITHIN = 120.0
RUBRIC = {"type": "llm-rubric", "value": "is polite", "model": "openai:judge", "name": "polite"}
FIELDS = [
    {"name": "intent", "type": "choice", "title": "Intent", "required": True, "options": ["card", "loan"]},
    {"name": "faults", "type": "choices", "title": "Faults", "options": ["tone", "facts"]},
    {"name": "grade", "type": "ordinal", "title": "Grade", "minimum": 1, "maximum": 3},
    {"name": "minutes", "type": "number", "title": "Minutes", "minimum": 0, "maximum": 60},
    {"name": "reason", "type": "text", "title": "Reason", "maximum": 100},
    {"name": "topics", "type": "tags", "title": "Topics", "options": ["card", "loan"]},
    {"name": "errors", "type": "spans", "title": "Errors", "options": ["wrong"]},
]
SCHEMA = {"fields": FIELDS, "rubric": "Right means: the intent fits.", "examples": [{"output": "card", "note": "a clear one"}]}
PREFERENCE = {"fields": [{"name": "better", "type": "preference", "title": "Which is better?", "required": True}]}


def judge_answer(body: Any) -> str:
    """Pass every output that thanks."""
    polite = "thank" in str(body["messages"][-1]["content"])
    return json.dumps({"reason": "as it looks", "pass": polite, "score": 0.9 if polite else 0.2})


@pytest.fixture(scope="module")
def judging_model() -> Iterator[None]:
    """A model that judges; the worker, which starts after it, asks it."""
    stub = StubModelServer(answer=judge_answer)
    with stub.listening() as url, pytest.MonkeyPatch.context() as environment:
        environment.setenv("OPENAI_BASE_URL", url)
        environment.setenv("OPENAI_API_KEY", "stub")
        yield


@pytest.fixture(scope="module")
def judged(service: Any, judging_model: None, worker: None) -> tuple[str, str]:
    """A run with a judge that people's labels measure, on which two reviewers disagree once; its id, and a lead's key."""
    lead = service.make_person("a lead who compares", "lead")
    for template in ("{{text}}", "Well: {{text}}"):
        service.call(lead, "POST", "/prompts/axe.answers/versions", {"type": "text", "template": template})
    cases = [{"id": f"c{n:02d}", "vars": {"text": f"{'thank you' if n % 3 else 'no'} {n}"}, "expected": "x"} for n in range(32)]
    service.call(lead, "POST", "/datasets/axe.answers/versions", {"cases": cases})
    suite = {"name": "axe.answers", "prompt": "axe.answers", "dataset": "axe.answers", "models": ["echo:"], "scorers": [RUBRIC]}
    service.call(lead, "PUT", "/suites/axe.answers", {**suite, "gate": [{"metric": "polite", "at_least": 0.2}]})
    run: str = service.call(lead, "POST", "/runs", {"suite": "axe.answers", "version": 1})["id"]
    end = time.monotonic() + DONE_WITHIN
    while service.call(lead, "GET", f"/runs/{run}")["state"] != "finished":
        assert time.monotonic() < end, "the worker did not finish the run"
        time.sleep(0.2)
    mapping = {"metric": "polite", "passes": ["approve"]}
    service.call(lead, "PUT", "/queues/axe.answers", {"instructions": "Is it polite?", "slots": 2, "judge": mapping})
    service.call(lead, "POST", "/queues/axe.answers/items", {"run": run, "only": "all"})
    for name in ("an agreeing reviewer", "a strict reviewer"):
        reviewer = service.make_person(name, "reviewer")
        while claim := service.call(reviewer, "POST", "/queues/axe.answers/claims"):
            strict = name == "a strict reviewer" and claim["item"]["payload"]["case"] == "c01"
            approved = "thank" in claim["item"]["payload"]["output"] and not strict
            body = {"nonce": claim["nonce"], "decision": "approve" if approved else "reject", **SEEN}
            more = {"comment": "curt", "correction": "thank you so much"} if strict else {}
            service.call(reviewer, "POST", f"/claims/{claim['id']}/submit", {**body, **more})
    return run, lead


@pytest.fixture
def signed_in(service: Any, page: Any, judged: tuple[str, str]) -> Callable[[str], Any]:
    """Go to an address as the lead; returns the page."""

    def go(path: str) -> Any:
        page.goto(service.pages + path)
        page.get_by_label("API key").fill(judged[1])
        page.get_by_role("button", name="Sign in").click()
        return page

    return go


def test_the_rules_find_an_unreadable_text_at_every_width_and_in_every_scheme(page: Any) -> None:
    page.set_content("<html lang=en><title>t</title><main><h1>t</h1><p style='color: #bbb; background: #fff'>pale</p></main>")
    violations = serious_violations(page)
    assert [violation.split(": ")[:2] for violation in violations] == [
        [f"{width}, {scheme}", "color-contrast"] for scheme in ("light", "dark") for width in ("wide", "phone")
    ]


def test_the_list_of_queues_has_no_serious_violation(signed_in: Callable[[str], Any]) -> None:
    page = signed_in("/review")
    page.get_by_text("Choose a queue.").wait_for()
    page.get_by_text("axe.answers").first.wait_for()
    assert page.get_by_test_id("stMain").inner_text().startswith("Review")  # and with no text of the program itself
    assert serious_violations(page) == []


def test_the_review_card_has_no_serious_violation(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    page = reviewer.page
    reviewer.open()
    reviewer.can_decide("output 0")
    page.get_by_text("Where this comes from").click()
    assert serious_violations(page) == []
    reviewer.press("e")
    page.get_by_role("textbox", name="Corrected output").fill("a better output")
    reviewer.press("Escape")
    reviewer.press("Shift+X")
    assert serious_violations(page) == []
    reviewer.press("Control+Enter")
    reviewer.can_decide("output 1")
    reviewer.saved(1)
    reviewer.press("h")
    page.get_by_role("dialog", name="Your decisions").get_by_role("listitem").first.wait_for()
    assert serious_violations(page) == []
    page.keyboard.press("Escape")
    reviewer.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    assert serious_violations(page) == []


def test_a_finished_queue_has_no_serious_violation(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue(1)
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.press("a")
    reviewer.sees("Every item here is decided.")
    assert serious_violations(reviewer.page) == []


def test_the_card_during_an_outage_has_no_serious_violation(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.page.route("**/review/api/**", lambda route: route.abort())
    reviewer.press("a")
    reviewer.page.locator(".pr-root[data-saving=retrying]").wait_for()
    assert serious_violations(reviewer.page) == []
    reviewer.press("a")
    reviewer.sees("The next item is on its way…")
    assert serious_violations(reviewer.page) == []


def test_a_schema_with_all_fields_has_no_serious_violation(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue([{"payload": {"input": "hi", "output": "the card is lost"}}], schema=SCHEMA)
    page = reviewer.page
    reviewer.open()
    reviewer.can_decide("the card is lost")
    page.get_by_text("Rubric and examples").click()
    page.locator(".pr-output .pr-text").select_text()
    page.get_by_role("button", name="wrong").click()
    assert serious_violations(page) == []
    page.get_by_label("Reason").fill("x" * 101)
    reviewer.press("Escape")
    reviewer.press("a")
    page.locator(".pr-problem:not([hidden])").first.wait_for()
    assert serious_violations(page) == []


def test_a_pair_has_no_serious_violation(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue([{"payload": {"input": {"text": "hi"}}}], schema=PREFERENCE, decisions=[])
    reviewer.make_pairs({side: {"output": f"the {side}"} for side in ("first", "second")})
    reviewer.open()
    reviewer.page.locator(".pr-root[data-decidable=true]").wait_for()
    reviewer.press("1")
    assert serious_violations(reviewer.page) == []


def test_the_agreement_page_has_no_serious_violation(signed_in: Callable[[str], Any]) -> None:
    page = signed_in("/agreement?queue=axe.answers")
    page.get_by_text("differs in: Decision").wait_for()
    page.get_by_text("Accept as gold").wait_for()
    page.get_by_text("Settle it").click()
    page.get_by_label("Reason").first.wait_for()
    assert serious_violations(page) == []


def test_the_judges_page_has_no_serious_violation(signed_in: Callable[[str], Any]) -> None:
    page = signed_in("/judges")
    page.get_by_text("Compared with").wait_for()
    page.get_by_test_id("stDataFrame").first.wait_for()
    assert serious_violations(page) == []


def test_a_runs_page_with_its_review_has_no_serious_violation(signed_in: Callable[[str], Any], judged: tuple[str, str]) -> None:
    page = signed_in(f"/runs?run={judged[0]}")
    page.get_by_text("Judges and people").wait_for()
    page.get_by_test_id("stVegaLiteChart").locator("canvas, svg.marks").first.wait_for()
    assert serious_violations(page) == []
    page.get_by_role("button", name="Review", exact=True).click()
    page.get_by_role("combobox", name="Queue").wait_for()
    assert serious_violations(page) == []
