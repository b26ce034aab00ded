"""The agreement page in a real browser: a lead reads figures, settles a label, accepts a correction, and exports."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error as BrowserError

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


CORRECTED = "/queues/browser.corrections"


def choose(page: Any, name: str, option: str) -> None:
    """Choose an option as a person does who opens the list again where an answer of the server has just closed it."""
    for _ in range(20):
        page.get_by_role("combobox", name=name).click()
        with suppress(BrowserError):
            page.get_by_role("option", name=option).click(timeout=3000)
            return
    raise AssertionError(f"{name} has no option {option}")


@pytest.fixture
def corrected(service: Any, lead: str) -> str:
    """A reviewer has corrected an output; this is the lead's key."""
    service.call(lead, "POST", "/datasets/browser.gold/versions", {"cases": [{"id": "c1", "vars": {"ticket": "hi"}}]})
    service.call(lead, "PUT", CORRECTED, {"instructions": "Is it right?"})
    item = {"source": "case-1", "payload": {"case": "c1", "input": {"ticket": "hi"}, "output": "=1+1 is wrong"}}
    service.call(lead, "POST", f"{CORRECTED}/items", {"items": [item]})
    reviewer = service.make_person("a careful reviewer", "reviewer")
    claim = service.call(reviewer, "POST", f"{CORRECTED}/claims")
    body = {"nonce": claim["nonce"], "decision": "reject", "correction": "It is right now", **SEEN}
    service.call(reviewer, "POST", f"/claims/{claim['id']}/submit", body)
    return lead


def test_a_lead_downloads_decisions_and_accepts_a_correction(service: Any, page: Any, corrected: str) -> None:
    page.goto(f"{service.pages}/agreement?queue=browser.corrections")
    page.get_by_label("API key").fill(corrected)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("by a careful reviewer").wait_for()
    for title, name in (("CSV", "browser.corrections.csv"), ("JSON lines", "browser.corrections.jsonl")):
        with page.expect_download() as download:
            page.get_by_role("button", name=title).click()
        assert download.value.suggested_filename == name
        assert "a careful reviewer" in Path(download.value.path()).read_text(encoding="utf-8")

    page.get_by_role("button", name="Accept as gold").click()
    page.get_by_text("Nothing is accepted yet").wait_for()
    page.get_by_text("c1", exact=True).click()
    choose(page, "Dataset", "browser.gold")
    page.get_by_label("Reason").fill("checked with the desk")
    page.get_by_role("button", name="Accept as gold").click()
    page.get_by_text("1 correction is gold in version 2 of browser.gold.").wait_for()
    [gold] = service.call(corrected, "GET", "/datasets/browser.gold/gold")["items"]
    assert (gold["case"], gold["reason"]) == ("c1", "checked with the desk")
