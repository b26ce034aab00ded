"""Pictures of the review pages for the documentation: a running service with the demo's data, and a Chromium in front of it.

In `tests`, beside `promptuary serve` and `promptuary ui` on a data directory that `promptuary demo --exit` has filled once:
`python -m bench.screenshots --api URL --pages URL --key OPERATOR_KEY --out ../docs/images`.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from factories.reviews import SEEN

TRIAGE, PAIRS, JUDGED = "support.triage", "triage.pairs", "support.judged"
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
SCHEMA = {
    "rubric": "Right means: the output is the intent that the ticket asks about, and no other.",
    "fields": [
        {"name": "faults", "type": "choices", "title": "Faults", "options": ["wrong intent", "not an intent", "unclear ticket"]}
    ],
    "examples": [{"input": "My card has not come.", "output": "card_arrival", "decision": "approve"}],
}
PREFERENCE = {"fields": [{"name": "better", "type": "preference", "title": "Which one is better?", "required": True}]}
DECIDED = 8
"""The number of items that each reviewer decides before the pictures."""


@dataclass(frozen=True)
class Installation:
    """Where the API and the pages are, and an operator's key."""

    api: str
    pages: str
    operator: str

    def call(self, key: str, method: str, path: str, body: Any = None) -> Any:
        """Call the API, and return the response's JSON."""
        headers = {"Authorization": f"Bearer {key}"}
        answer = httpx.request(method, f"{self.api}/v1{path}", json=body, headers=headers, timeout=120)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def make_person(self, name: str, role: str) -> str:
        """Make a person, and return a key of theirs."""
        person = self.call(self.operator, "POST", "/people", {"name": name, "role": role})["id"]
        body = {"name": "pictures", "role": role, "person": person}
        return str(self.call(self.operator, "POST", "/keys", body)["key"])

    def prepare(self, lead: str) -> str:
        """Decide some items as two reviewers who disagree on some, and fill a queue of pairs; return the run of both."""
        self.call(lead, "PUT", f"/queues/{TRIAGE}", {"slots": 2, "schema": SCHEMA})
        (run,) = self.call(lead, "GET", f"/runs?suite={TRIAGE}&state=finished&limit=1")["items"]
        question = {
            "instructions": "Which of the two outputs is better for this ticket?",
            "decisions": [],
            "schema": PREFERENCE,
        }
        self.call(lead, "PUT", f"/queues/{PAIRS}", question)
        self.call(lead, "POST", f"/queues/{PAIRS}/items", {"run": run["id"], "pairs": ["v2", "v1"]})
        for reviewer, strict in (("Kim", False), ("Noor", True)):
            key = self.make_person(reviewer, "reviewer")
            for number in range(DECIDED):
                self._decide(key, number, strict=strict)
            for number in range(DECIDED):
                claim = self.call(key, "POST", f"/queues/{PAIRS}/claims")
                lengths = {side: len(str(body["output"])) for side, body in claim["item"]["sides"].items()}
                shorter, longer = sorted(lengths, key=lengths.__getitem__)
                labels = {"better": {2: longer, 3: "tie"}.get(number % 4, shorter)}
                self.call(key, "POST", f"/claims/{claim['id']}/submit", {"nonce": claim["nonce"], "labels": labels, **SEEN})
        return str(run["id"])

    def _decide(self, key: str, number: int, *, strict: bool) -> None:
        claim = self.call(key, "POST", f"/queues/{TRIAGE}/claims")
        body: dict[str, Any] = {"nonce": claim["nonce"], "decision": "reject" if strict or number % 4 else "approve", **SEEN}
        if strict and number == 1:
            body |= {"correction": claim["item"]["payload"]["expected"], "comment": "the ticket names it"}
        if not strict and not number % 4:
            body["comment"] = "close enough for this ticket"
        self.call(key, "POST", f"/claims/{claim['id']}/submit", body)


@dataclass(frozen=True)
class Photographer:
    """A browser in front of the pages of somebody, whose pictures go into a folder."""

    browser: Any
    pages: str
    out: Path

    def open(self, key: str, path: str, size: dict[str, int] = WIDE, scheme: str = "light") -> Any:
        """Open a page, signed in with a key."""
        page = self.browser.new_context(viewport=size, color_scheme=scheme).new_page()
        page.goto(self.pages + path)
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        return page

    def take(self, page: Any, name: str, height: int | None = None) -> None:
        """Take a picture of a page, as it is or of another height, and close the page."""
        if height is not None:
            page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
        page.wait_for_timeout(2500)
        while page.get_by_test_id("stSkeleton").filter(visible=True).count():
            page.wait_for_timeout(500)
        page.screenshot(path=self.out / f"{name}.png")
        page.context.close()

    def take_card(self, key: str, queue: str, name: str, size: dict[str, int] = WIDE, scheme: str = "light") -> None:
        """Take a picture of the review card."""
        page = self.open(key, f"/review?queue={queue}", size, scheme)
        page.locator(".pr-root[data-claim]:not([data-claim=''])").wait_for()
        self.take(page, name)


def main() -> None:
    """Prepare the data, and take every picture."""
    from playwright.sync_api import sync_playwright

    from conftest import CHROMIUM

    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--api", "--pages", "--key"):
        parser.add_argument(name, required=True)
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args()
    installation = Installation(arguments.api, arguments.pages, arguments.key)
    lead = installation.make_person("Lea", "lead")
    installation.prepare(lead)
    reviewer = installation.make_person("Dana", "reviewer")
    (judged,) = installation.call(lead, "GET", f"/runs?suite={JUDGED}&state=finished&limit=1")["items"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        photographer = Photographer(browser, arguments.pages, arguments.out)
        photographer.take_card(reviewer, TRIAGE, "review")
        photographer.take_card(reviewer, TRIAGE, "review-dark", scheme="dark")
        photographer.take_card(reviewer, TRIAGE, "review-narrow", size=PHONE)
        photographer.take_card(reviewer, PAIRS, "review-pair")
        queues = photographer.open(lead, "/review")
        queues.get_by_text("Choose a queue.").wait_for()
        photographer.take(queues, "review-queues", 560)
        agreement = photographer.open(lead, f"/agreement?queue={TRIAGE}")
        agreement.get_by_text("differs in: Decision").first.wait_for()
        photographer.take(agreement, "agreement", 1500)
        pairs = photographer.open(lead, f"/agreement?queue={PAIRS}")
        pairs.get_by_text("Whether the side on the screen decided").wait_for()
        photographer.take(pairs, "agreement-pairs", 1300)
        judges = photographer.open(lead, "/judges")
        judges.get_by_test_id("stDataFrame").first.wait_for()
        photographer.take(judges, "judges", 900)
        run = photographer.open(lead, f"/runs?run={judged['id']}")
        run.get_by_text("Judges and people").wait_for()
        run.get_by_text("Judges and people").evaluate("node => node.scrollIntoView()")
        photographer.take(run, "run-judge", 700)
        browser.close()


if __name__ == "__main__":
    main()
