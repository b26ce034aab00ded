"""Pages in a real browser: the service behind them, and a reviewer in front of a queue."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ANSWER_SECONDS = 60.0
"""How long the API may take to answer a call of a test, on a busy machine, too."""
BOUNCE = 110
"""Milliseconds: presses that follow each other faster are taken for one."""


@dataclass(frozen=True)
class Service:
    """Where the API, the pages and the data are, and a way to make keys."""

    api: str
    pages: str
    make_key: Callable[[str, str], str]
    data: Path

    def make_person(self, name: str, role: str) -> str:
        """Make a person with a role, and return a key of theirs."""
        operator = self.make_key("operator", "operator")
        person = self.call(operator, "POST", "/people", {"name": name, "role": role})["id"]
        key: str = self.call(operator, "POST", "/keys", {"name": "personal", "role": role, "person": person})["key"]
        return key

    def make_code(self, key: str) -> str:
        """Make a one-time code of the person whose key it is."""
        person = self.call(key, "GET", "/self")["actor_id"].removeprefix("person:")
        code: str = self.call(self.make_key("operator", "operator"), "POST", f"/people/{person}/codes")["code"]
        return code

    def call(self, key: str, method: str, path: str, body: Any = None) -> Any:
        """Call the API, require success, and return the response's JSON."""
        answer = httpx.request(
            method, f"{self.api}/v1{path}", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=ANSWER_SECONDS
        )
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


@dataclass(frozen=True)
class ReviewerAtQueue:
    """A reviewer in front of a queue of their own; items are `item-0` and so on."""

    service: Service
    page: Any
    queue: str
    key: str
    author: str

    def open(self) -> None:
        """Open the queue by a link to it, sign in, and wait for its first item."""
        self.page.goto(f"{self.service.pages}/review?queue={self.queue}")
        self.sign_in()
        self.card.wait_for(timeout=30_000)

    def sign_in(self, key: str | None = None) -> None:
        """Sign in with the key."""
        self.page.get_by_label("API key").fill(key or self.key)
        self.page.get_by_role("button", name="Sign in").click()

    def make_pairs(self, sides: dict[str, Any]) -> None:
        """Make a pair of each item of the queue, as a run of two variants does."""
        from sqlalchemy import select, update

        from promptuary.core.database import Database
        from promptuary.core.settings import read_settings
        from promptuary.review.tables import ItemRow, QueueRow

        database = Database(read_settings(data_dir=self.service.data).sql_url)
        with database.write() as session:
            queue = select(QueueRow.id).where(QueueRow.name == self.queue).scalar_subquery()
            session.connection().execute(update(ItemRow).where(ItemRow.queue_id == queue).values(pair_sides=sides))
        database.dispose()

    @property
    def card(self) -> Any:
        """The review card, on the page of the reviewer."""
        return self.page.locator(".pr-root")

    @property
    def comment(self) -> Any:
        """The field of the comment."""
        return self.page.get_by_role("textbox", name="Comment")

    def sees(self, text: str, milliseconds: float = 30_000) -> None:
        """Wait for a text on the page."""
        self.page.get_by_text(text, exact=True).first.wait_for(timeout=milliseconds)

    def can_decide(self, text: str) -> None:
        """Wait until an item with this output is on the screen and can be decided."""
        self.page.locator(".pr-root[data-decidable=true]", has=self.page.get_by_text(text, exact=True)).wait_for(timeout=30_000)

    def press(self, key: str) -> None:
        """Send a key press that no earlier press of this test is close to, however fast the machine is."""
        self.page.wait_for_timeout(BOUNCE)
        self.page.keyboard.press(key)

    def saved(self, decisions: int) -> None:
        """Wait until the API has a number of decisions."""
        end = time.monotonic() + 30
        while len(self.decisions()) < decisions:
            assert time.monotonic() < end, self.decisions()
            self.page.wait_for_timeout(50)  # which lets the page work meanwhile

    def decisions(self) -> list[tuple[str, str, str]]:
        """Return the queue's decisions: source, decision, comment."""
        return [(row["source"], row["decision"], row["comment"]) for row in self.exported()]

    def exported(self) -> list[dict[str, Any]]:
        """Return the queue's decisions as the API exports them."""
        rows: list[dict[str, Any]] = self.service.call(self.author, "GET", f"/queues/{self.queue}/export")["items"]
        return rows
