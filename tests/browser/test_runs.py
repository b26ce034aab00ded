"""Runs in a real browser: one is opened, its plots drawn, its cases looked for, one shown whole, and two runs compared."""

import time
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser
DONE_WITHIN = 120.0
ROW, HEADER = 35, 35
HOSTILE = "![x](http://elsewhere.test/x.png) <img src='http://elsewhere.test/y.png'> **bold**"


@pytest.fixture(scope="module")
def runs(service: Any, worker: None) -> tuple[str, str, str]:
    """Two runs of one suite, each of another version, by their ids, and the key that made them."""
    author = service.make_person("an evaluator", "author")
    for template in ("It is {{a}}.", "I think that it is {{b}}."):
        version = {"type": "text", "template": template}
        service.call(author, "POST", "/prompts/browser.runs/versions", version)
    cases = [
        {
            "id": f"case-{number:02d}",
            "vars": {"a": "refund" if number % 3 else "lost card", "b": "refund" if number % 4 else HOSTILE},
            "expected": "refund",
            "cluster": f"customer-{number % 5}",
        }
        for number in range(30)
    ]
    service.call(author, "POST", "/datasets/browser.runs/versions", {"cases": cases})
    scorer = {"type": "contains", "value": "{{expected}}", "name": "exact"}
    suite = {"name": "browser.runs", "prompt": "browser.runs", "dataset": "browser.runs", "models": ["echo:"]}
    gate = [{"metric": "exact", "at_least": 0.5}]
    service.call(author, "PUT", "/suites/browser.runs", {**suite, "scorers": [scorer], "gate": gate})
    created = [service.call(author, "POST", "/runs", {"suite": "browser.runs", "version": number})["id"] for number in (1, 2)]
    end = time.monotonic() + DONE_WITHIN
    while any(service.call(author, "GET", f"/runs/{run}")["state"] != "finished" for run in created):
        assert time.monotonic() < end, "the worker did not finish the runs"
        time.sleep(0.2)
    return created[0], created[1], author


@pytest.fixture
def signed_in(service: Any, page: Any, runs: tuple[str, str, str]) -> Callable[[str], Any]:
    """Go to an address and sign in; gives the page."""

    def go(path: str) -> Any:
        page.goto(service.pages + path)
        page.get_by_label("API key").fill(runs[2])
        page.get_by_role("button", name="Sign in").click()
        return page

    return go


def choose(page: Any, table: int, row: int) -> None:
    """Click into a row of a table, which is drawn on a canvas."""
    table = page.get_by_test_id("stDataFrame").filter(visible=True).nth(table)
    table.scroll_into_view_if_needed()
    table.click(position={"x": 100, "y": HEADER + ROW * row + ROW / 2})


def test_a_run_shows_its_cases_and_calls_no_other_server(
    signed_in: Callable[[str], Any], service: Any, runs: tuple[str, str, str]
) -> None:
    page = signed_in("/runs")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.get_by_test_id("stButton").get_by_role("button", name="Open").first.click()
    page.get_by_text("exact of v2 is 0.733").wait_for()
    plots = page.get_by_test_id("stVegaLiteChart").locator("canvas, svg.marks")
    plots.nth(2).wait_for()
    assert plots.count() == 3

    page.get_by_role("tab", name="Cases").click()
    page.get_by_text("Results 1 to 30").wait_for()
    page.get_by_test_id("stMain").get_by_text("Failed", exact=True).click()
    page.get_by_text("Results 1 to 8").wait_for()
    page.get_by_role("textbox", name="Search").fill("case-04")
    page.get_by_role("textbox", name="Search").press("Enter")
    page.get_by_text("Results 1 to 1").wait_for()
    choose(page, 0, 0)
    page.get_by_role("heading", name="case-04").wait_for()
    page.get_by_test_id("stText").get_by_text(f"I think that it is {HOSTILE}.", exact=True).wait_for()
    assert "case=case-04" in page.url
    own = (service.pages, service.pages.replace("http", "ws"), "data:", "blob:")
    assert [request for request in requests if not request.startswith(own)] == []


def test_two_runs_are_compared_down_to_one_case(signed_in: Callable[[str], Any], runs: tuple[str, str, str]) -> None:
    first, second, _ = runs
    page = signed_in(f"/runs?run={second}")
    page.get_by_test_id("stPopover").get_by_role("button", name="Compare").click()
    page.get_by_role("button", name="Compare runs").click()
    page.get_by_text("Worse: 5").wait_for()
    choose(page, 1, 0)
    page.get_by_role("heading", name="case-04").wait_for()
    page.get_by_text("this run: v2").wait_for()
    assert f"run={second}" in page.url
    assert f"baseline={first}" in page.url
    assert "case=case-04" in page.url


def test_a_link_to_a_case_of_two_runs_opens_there(signed_in: Callable[[str], Any], runs: tuple[str, str, str]) -> None:
    first, second, _ = runs
    page = signed_in(f"/runs?run={second}&baseline={first}&case=case-08")
    page.get_by_role("heading", name="case-08").wait_for()
    page.get_by_text("this run: v2").wait_for()


def test_an_editor_sends_failed_results_and_one_case_to_review(
    signed_in: Callable[[str], Any], service: Any, runs: tuple[str, str, str]
) -> None:
    _, run, author = runs
    page = signed_in(f"/runs?run={run}&case=case-05")
    page.get_by_test_id("stPopover").get_by_role("button", name="Review", exact=False).first.click()
    page.get_by_role("combobox", name="Queue").click()
    page.get_by_role("option", name="A new queue").click()
    page.get_by_role("textbox", name="Name of the new queue").fill("browser.sent")
    page.get_by_role("textbox", name="Name of the new queue").press("Enter")
    page.get_by_role("button", name="Send to review").click()
    page.get_by_text("Queue browser.sent: 8 added, 0 in the queue already.").wait_for()
    assert service.call(author, "GET", "/queues/browser.sent")["counts"]["items"] == 8

    page.get_by_role("button", name="Review this case").click()
    page.get_by_role("combobox", name="Queue").click()
    page.get_by_role("option", name="browser.sent").click()
    page.get_by_role("button", name="Send to review").click()
    page.get_by_text("Queue browser.sent: 1 added, 0 in the queue already.").wait_for()
    assert service.call(author, "GET", "/queues/browser.sent")["counts"]["items"] == 9
