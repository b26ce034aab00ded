"""The page on webhooks: its code accepts what is sent, and it names every event, wait and limit."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from paths import ROOT
from promptuary.webhooks import delivery
from promptuary.webhooks.event_type import EventType
from promptuary.webhooks.service import WEBHOOKS_LIMIT
from promptuary.webhooks.signing import generate_secret, signature_headers

PAGE = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")


def test_the_code_of_the_page_accepts_an_event_once_and_refuses_a_forged_one() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    secret, body = generate_secret(), json.dumps({"type": "webhook.test", "data": {}}).encode()
    headers = signature_headers("msg_1", datetime.now(UTC), body, [generate_secret(), secret])
    known: set[str] = set()
    assert [names["accept"](body, headers, secret, known) for _ in range(2)] == [204, 204]
    assert known == {"msg_1"}
    assert names["accept"](body + b" ", headers, secret, known) == 401


def test_the_page_names_every_event() -> None:
    table = PAGE.partition("## Events")[2].partition("## Verify")[0]
    assert set(EventType) == set(re.findall(r"`([a-z]+\.[a-z]+)`", table))


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    assert f"at most {WEBHOOKS_LIMIT} a project" in PAGE
    assert f"{delivery.ATTEMPTS} attempts in about a day" in PAGE
    assert f"within {delivery.TIMEOUT_SECONDS:g} seconds" in PAGE
    assert f"kept for {delivery.KEPT.days} days" in PAGE
