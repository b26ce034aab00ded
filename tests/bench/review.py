"""From a key press to the next item on the screen, in a real browser, with 10,000 items queued.

    python -m bench.review [PRESSES]
    python -m bench.review --minutes MINUTES

With `--minutes`, one browser and 19 reviewers over REST review that long at once; it fails at the first error, and where a
decision or a comment is not stored as it was sent.

The API and the pages run as processes of their own. The page's own clock measures: from the time of the key's event to the
first frame in which the next item is painted, and until that item can be decided.
"""

import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx

from bench.serving import build, free_port, running, serving

ITEMS, BATCH, PRESSES, OTHERS = 10_000, 400, 200, 19
MINUTES = 10
QUEUE = "bench.review"
TEXT = " ".join(["The customer asks when the refund arrives, and the answer names a day."] * 8)
HEAR = """window.addEventListener("keydown", (event) => (window.pressed = event.timeStamp), true)"""
"""Added before the page's own listeners, which stop the event."""
OBSERVE = """() => {
    const root = document.querySelector(".pr-root");
    window.painted = [];
    window.decidable = [];
    new MutationObserver((changes) => {
        const began = window.pressed;
        if (!root.dataset.claim) return;
        if (changes.some((change) => change.attributeName === "data-claim")) {
            requestAnimationFrame(() => {
                const channel = new MessageChannel(); // its message comes after the frame
                channel.port1.onmessage = () => window.painted.push(performance.now() - began);
                channel.port2.postMessage(0);
            });
        }
        if (root.dataset.decidable === "true") window.decidable.push(performance.now() - began);
    }).observe(root, { attributes: true, attributeFilter: ["data-claim", "data-decidable"] });
}"""


@dataclass(frozen=True)
class Delay:
    """Milliseconds from a key press, at the median and the 95th percentile."""

    what: str
    p50: float
    p95: float


@contextmanager
def pages(api: str) -> Iterator[str]:
    """Run the UI in front of an API."""
    from promptuary_ui.launch import command

    port = free_port()
    arguments, environment = command("127.0.0.1", port, api)
    with running(arguments, f"http://127.0.0.1:{port}", environment) as url:
        yield url


@dataclass(frozen=True)
class Sitting:
    """Some minutes of one browser beside others: how many decisions each made, and the browser's delays."""

    minutes: float
    in_browser: int
    over_rest: int
    delays: Sequence[Delay]


def fill(api: str, authorization: dict[str, str], count: int = ITEMS) -> None:
    """Queue the items."""
    with httpx.Client(base_url=f"{api}/v1", headers=authorization, timeout=120) as client:
        client.put(f"/queues/{QUEUE}", json={"instructions": "Is it right?"}).raise_for_status()
        for start in range(0, count, BATCH):
            items = [
                {
                    "source": f"item-{number}",
                    "payload": {"input": {"ticket": TEXT}, "output": f"{number} {TEXT}", "expected": TEXT},
                }
                for number in range(start, start + BATCH)
            ]
            client.post(f"/queues/{QUEUE}/items", json={"items": items}).raise_for_status()


def operator_key(folder: Path) -> str:
    """Make a key that may make people."""
    from promptuary.access.credentials import local_caller
    from promptuary.access.role import Role
    from promptuary.access.service import AccessService
    from promptuary.access.unit_of_work import UnitOfWork
    from promptuary.core.clock import wall_clock
    from promptuary.core.database import Database
    from promptuary.core.settings import read_settings

    settings = read_settings(data_dir=folder)
    database = Database(settings.sql_url)
    with database.write() as session:
        access = AccessService(UnitOfWork(session, local_caller(database, wall_clock()), wall_clock, settings))
        _, operator = access.create_key("operator", Role.OPERATOR)
    database.dispose()
    return str(operator)


def person_key(api: str, operator: str, name: str) -> str:
    """Make a reviewer, and return a key of theirs."""
    with httpx.Client(base_url=f"{api}/v1", headers={"Authorization": f"Bearer {operator}"}) as client:
        person = client.post("/people", json={"name": name, "role": "reviewer"}).raise_for_status().json()["id"]
        body = {"name": "personal", "role": "reviewer", "person": person}
        return str(client.post("/keys", json=body).raise_for_status().json()["key"])


def press(
    url: str, key: str, goes_on: Callable[[int], bool], comments: Callable[[int], str] = lambda _: ""
) -> tuple[list[float], list[float]]:
    """Decide items in a browser; return the milliseconds until each next item was painted, and could be decided.

    Args:
        url: of the pages.
        key: of the reviewer.
        goes_on: whether there is another press after a number of them.
        comments: the comment of each press; empty for none.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        executable = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        page: Any = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(HEAR)
        page.goto(f"{url}/review?queue={QUEUE}")
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        page.locator(".pr-root[data-decidable=true]").wait_for(timeout=60_000)
        page.evaluate(OBSERVE)
        presses = 0
        while goes_on(presses):
            page.locator(".pr-root[data-decidable=true]").wait_for()
            page.wait_for_timeout(300)  # a brisk reviewer, who reads a little
            if comments(presses):
                page.keyboard.press("m")
                page.keyboard.type(comments(presses))
                page.keyboard.press("Escape")
                page.wait_for_timeout(150)
            page.keyboard.press("axu"[presses % 3])
            presses += 1
        page.locator(".pr-root[data-decidable=true][data-saving=idle]").wait_for()
        painted, decidable = page.evaluate("[window.painted, window.decidable]")
        browser.close()
    assert len(painted) == presses, f"{presses} presses, and {len(painted)} items painted"
    return painted, decidable


@contextmanager
def crowd(api: str, keys: Sequence[str]) -> Iterator[list[str]]:
    """Run others who review over REST meanwhile, each a decision a second; yield the comments that were accepted.

    Raises:
        AssertionError: after the block, when one of their calls failed.
    """
    end, errors, accepted = threading.Event(), [], list[str]()

    def review(key: str) -> None:
        try:
            with httpx.Client(base_url=f"{api}/v1", headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
                while not end.wait(1):
                    claim = client.post(f"/queues/{QUEUE}/claims").raise_for_status().json()
                    body = {"nonce": claim["nonce"], "decision": "approve", "comment": claim["id"]}
                    seen = {"seen_at": datetime.now(UTC).isoformat()}
                    client.post(f"/claims/{claim['id']}/submit", json=body | seen).raise_for_status()
                    accepted.append(claim["id"])
        except Exception as error:  # reported below
            errors.append(error)

    threads = [threading.Thread(target=review, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    try:
        yield accepted
    finally:
        end.set()
        for thread in threads:
            thread.join()
    assert not errors, errors[0]


def measured(presses: int = PRESSES) -> list[Delay]:
    """Measure the delays of many key presses: of one reviewer alone, and of one beside others."""
    with tempfile.TemporaryDirectory() as folder:
        data = build(Path(folder) / "data", prompts=1, versions=1)
        operator = operator_key(data.folder)
        with serving(data) as api, pages(api) as url:
            fill(api, data.authorization)
            keys = [person_key(api, operator, f"reviewer {number}") for number in range(OTHERS + 1)]
            painted, decidable = press(url, keys[0], lambda number: number < presses)
            with crowd(api, keys[1:]):
                painted_beside, decidable_beside = press(url, keys[0], lambda number: number < presses)
    return [
        delay("the next item is painted", painted),
        delay("it can be decided", decidable),
        delay(f"painted, {OTHERS} others at work", painted_beside),
        delay(f"decidable, {OTHERS} others at work", decidable_beside),
    ]


def measured_sitting(minutes: float) -> Sitting:
    """Measure some minutes of review in a browser beside others, with 10,000 items queued until the end.

    Raises:
        AssertionError: when a call failed, or a decision or comment is not stored as it was sent.
    """
    with tempfile.TemporaryDirectory() as folder:
        data = build(Path(folder) / "data", prompts=1, versions=1)
        operator = operator_key(data.folder)
        with serving(data) as api, pages(api) as url:
            fill(api, data.authorization, ITEMS + int(60 * minutes * (OTHERS + 3)))
            keys = [person_key(api, operator, f"reviewer {number}") for number in range(OTHERS + 1)]
            end = time.monotonic() + 60 * minutes
            with crowd(api, keys[1:]) as accepted:
                painted, decidable = press(url, keys[0], lambda _: time.monotonic() < end, _every_tenth)
            expected = Counter([*accepted, *map(_every_tenth, range(len(painted)))])
            assert Counter(stored_comments(api, data.authorization)) == expected, (
                "a decision or a comment is not as it was sent"
            )
    delays = [delay(f"painted, {OTHERS} others at work", painted), delay(f"decidable, {OTHERS} others at work", decidable)]
    return Sitting(minutes, len(painted), len(accepted), delays)


def stored_comments(api: str, authorization: dict[str, str]) -> Iterator[str]:
    """Yield the comment of every decision of the queue."""
    with httpx.Client(base_url=f"{api}/v1", headers=authorization, timeout=120) as client:
        cursor = None
        while True:
            query = {"limit": "200", **({"cursor": cursor} if cursor else {})}
            answer = client.get(f"/queues/{QUEUE}/export", params=query).raise_for_status().json()
            yield from (row["comment"] for row in answer["items"])
            cursor = answer["next_cursor"]
            if cursor is None:
                return


def _every_tenth(number: int) -> str:
    return "" if number % 10 else f"comment {number}"


def delay(what: str, milliseconds: Sequence[float]) -> Delay:
    """Return the median and the 95th percentile."""
    percentiles = quantiles(milliseconds, n=20, method="inclusive")
    return Delay(what, percentiles[9], percentiles[18])


def main() -> None:
    """Measure and print the delays."""
    if sys.argv[1:2] == ["--minutes"]:
        sitting = measured_sitting(float(sys.argv[2]))
        print(
            f"{sitting.minutes:g} minutes, {ITEMS:,} items queued: {sitting.in_browser:,} decisions in the browser and ", end=""
        )
        print(f"{sitting.over_rest:,} over REST, all stored with their comments; no call failed")
        rows = sitting.delays
    else:
        presses = int(sys.argv[1]) if len(sys.argv) > 1 else PRESSES
        print(f"from a key press, {presses} presses, {ITEMS:,} items queued")
        rows = measured(presses)
    for row in rows:
        print(f"{row.what:34} p50 {row.p50:6.1f} ms  p95 {row.p95:6.1f} ms")


if __name__ == "__main__":
    main()
