"""A receiver on loopback, an app whose settings list it, and what delivers to it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from promptuary.api.app import create_app
from promptuary.core import outbox
from promptuary.webhooks.delivery import WebhookDelivery
from promptuary.webhooks.publication import TOPIC
from webhooks.receiver import Receiver, listening


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A program that receives webhooks."""
    with listening() as receiver:
        yield receiver


@pytest.fixture
def allowed(settings: Any) -> Any:
    """Settings that list loopback's address for webhooks."""
    return settings.model_copy(update={"webhook_hosts": "127.0.0.1,hooks.example.com"})


@pytest.fixture
def app(opened_database: Any, allowed: Any, clock: Any) -> Iterator[Any]:
    """The service with these settings."""
    app = create_app(allowed, database=opened_database, clock=clock)
    yield app
    app.close()


@pytest.fixture
def put(local: Any, receiver: Receiver) -> Callable[..., Any]:
    """Write a webhook, by default one to the receiver, and return the answer's body."""

    def write(name: str = "hook", **fields: Any) -> Any:
        response = local.put(f"/v1/webhooks/{name}", json={"url": receiver.url, **fields})
        assert response.status_code in (200, 201), response.text
        return response.json()

    return write


@pytest.fixture
def deliver(opened_database: Any, allowed: Any, clock: Any) -> Callable[..., Any]:
    """Deliver what is due, as a worker does: `deliver()`; without jitter, and with other parts by name."""

    def once(**parts: Any) -> Any:
        delivery = replace(WebhookDelivery(allowed, opened_database, clock, draw=lambda: 0.5), **parts)
        return outbox.relay_independent(opened_database, clock, TOPIC, delivery.deliver)

    return once


@pytest.fixture
def deliveries(local: Any) -> Callable[..., Any]:
    """List a webhook's deliveries, the oldest first."""

    def listed(name: str = "hook", **query: Any) -> Any:
        response = local.get(f"/v1/webhooks/{name}/deliveries", params=query)
        assert response.status_code == 200, response.text
        return response.json()["items"][::-1]

    return listed


@pytest.fixture
def register(local: Any) -> Callable[..., int]:
    """Register a text prompt: `register("a", "Hi {{name}}", labels=["production"])` returns its version."""

    def write(name: str, template: str, **fields: Any) -> int:
        response = local.post(f"/v1/prompts/{name}/versions", json={"type": "text", "template": template, **fields})
        assert response.status_code == 201, response.text
        return int(response.json()["version"])

    return write
