"""The agreement page in a real browser: a lead reads the figures and settles a disagreement."""

from typing import Any

import pytest

from factories.reviews import SEEN

pytestmark = pytest.mark.browser
QUEUE = "/queues/browser.agreement"
HOSTILE = "![x](http://elsewhere.test/x.png) <img src='http://elsewhere.test/y.png'> **bold**"
DECISIONS = {"an agreeing reviewer": ["approve"] * 6, "a strict reviewer": ["approve"] * 5 + ["reject"]}


@pytest.fixture(scope="module")
def lead(service: Any) -> str:
    """Two reviewers have decided six items, and disagree on the last; this is a lead's key."""
    key: str = service.make_person("a lead of reviewers", "lead")
    service.call(key, "PUT", QUEUE, {"instructions": "Is it right?", "slots": 2})
    items = [{"source": f"case-{number}", "payload": {"input": {"ticket": "hi"}, "output": HOSTILE}} for number in range(6)]
    service.call(key, "POST", f"{QUEUE}/items", {"items": items})
    for name, decisions in DECISIONS.items():
        reviewer = service.make_person(name, "reviewer")
        for decision in decisions:
            claim = service.call(reviewer, "POST", f"{QUEUE}/claims")
            comment = "not polite" if decision == "reject" else ""
            body = {"nonce": claim["nonce"], "decision": decision, "comment": comment, **SEEN}
            service.call(reviewer, "POST", f"/claims/{claim['id']}/submit", body)
    return key


def test_a_lead_reads_the_figures_and_settles_a_disagreement(service: Any, page: Any, lead: str) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{service.pages}/agreement?queue=browser.agreement")
    page.get_by_label("API key").fill(lead)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("6 items have at least two decisions").wait_for()
    page.get_by_text("differs in: Decision").wait_for()
    page.get_by_text("not polite").wait_for()
    assert page.get_by_text("bold").first.inner_text().startswith("![x]")  # a model's text stays text

    page.get_by_text("Settle it").click()
    page.get_by_role("button", name="reject").click()
    page.get_by_text("Write the reason first").wait_for()
    page.get_by_label("Reason").fill("The answer is curt.")
    page.get_by_role("button", name="reject").click()
    page.get_by_text("No disagreement is open").wait_for()
    [adjudicated] = service.call(lead, "GET", f"{QUEUE}/disagreements?state=adjudicated")["items"]
    [settled] = adjudicated["adjudications"]
    assert (settled["value"], settled["reason"]) == ("reject", "The answer is curt.")
    assert not [url for url in requests if "elsewhere.test" in url]
