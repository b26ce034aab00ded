"""The traffic page in a real browser: figures of calls that came in, and a sampled call as text."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from factories.accessibility import serious_violations
from factories.reported_calls import call, calls
from promptuary.core.clock import wall_clock
from promptuary.core.database import Database
from promptuary.core.settings import read_settings
from promptuary.traffic.calls.model_call import CallContents, CallMessage, CallStatus, PromptMark
from promptuary.traffic.intake.intake import TrafficIntake
from promptuary.traffic.intake.settling.settling import SampleSettling

pytestmark = pytest.mark.browser
HOSTILE = "![x](http://elsewhere.test/x.png) <img src='http://elsewhere.test/y.png'> **bold**"
NAME = "browser.traffic"


@pytest.fixture(scope="module")
def editor(service: Any) -> str:
    """Two versions have had calls for a week, one of them failed calls, too; this is an editor's key."""
    key: str = service.make_person("an editor of prompts", "editor")
    for template in ("Sort {{ticket}}.", "Sort {{ticket}} again."):
        body = {"type": "text", "format": "mustache", "template": template}
        service.call(key, "POST", f"/prompts/{NAME}/versions", body)
    settings = read_settings(data_dir=service.data).model_copy(update={"traffic_wait": 0})
    database = Database(settings.sql_url)
    contents = CallContents(input=(CallMessage("user", HOSTILE),), output=HOSTILE, variables={"ticket": "My card is lost."})
    now = datetime.now(UTC) - timedelta(minutes=5)
    reported = [call(900, None, at=now)]
    for day in range(7):
        for number in range(4):
            version = 1 + number % 2
            failed = {"status": CallStatus.ERROR, "error_type": "RateLimitError"} if number == 3 else {}
            reported.append(
                call(
                    100 + 10 * day + number,
                    PromptMark(NAME, str(version), "production"),
                    at=now - timedelta(days=day, minutes=number),
                    latency_ms=100.0 * (day + number + 1),
                    contents=contents,
                    cost=0.001,
                    **failed,
                )
            )
    project = 1
    TrafficIntake(database, wall_clock, settings, draw=lambda: 0.0).take(project, calls(*reported))
    while SampleSettling(database, wall_clock, settings).step():
        pass
    database.dispose()
    return key


def open_traffic(service: Any, page: Any, key: str, query: str = f"?prompt={NAME}") -> None:
    page.goto(f"{service.pages}/traffic{query}")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_an_editor_reads_figures_and_a_sampled_call(service: Any, page: Any, editor: str) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    open_traffic(service, page, editor)
    page.get_by_text("By version").wait_for()
    page.get_by_test_id("stMetricValue").get_by_text("28", exact=True).wait_for()
    page.get_by_test_id("stMetricValue").get_by_text("25.0 %").wait_for()
    page.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg").first.wait_for()
    page.get_by_text("1 call without a known version").wait_for()
    page.get_by_text("bold").first.wait_for()
    page.locator("[data-testid=stExpander] summary", has_text="bold").first.click()
    page.get_by_text("My card is lost.").first.wait_for()
    page.get_by_text("with the probability 0.05").first.wait_for()
    assert not [url for url in requests if "elsewhere.test" in url]
    assert page.locator("a[href*='elsewhere.test'], img[src*='elsewhere.test']").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone(service: Any, browser: Any, editor: str, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    open_traffic(service, page, editor)
    page.get_by_text("bold").first.wait_for()
    page.get_by_test_id("stMetricValue").first.wait_for()
    page.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_the_page_has_no_serious_violation(service: Any, page: Any, editor: str) -> None:
    open_traffic(service, page, editor)
    page.get_by_text("bold").first.wait_for()
    page.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg").first.wait_for()
    page.locator("[data-testid=stExpander] summary", has_text="bold").first.click()
    page.get_by_text("My card is lost.").first.wait_for()
    assert serious_violations(page) == []
