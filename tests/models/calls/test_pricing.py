"""Prices: those of the suite, else the published ones in the package; none is guessed or fetched."""

import socket
from typing import Any

import pytest

from promptuary.evaluation.suites.suite import PriceSpec
from promptuary.models.calls.pricing import _PUBLISHED, PriceTable, _published_price
from promptuary.models.chat_models import PROVIDERS

MILLION = {"input": 1_000_000, "output": 1_000_000}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("prices must not be fetched")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_published_prices_are_known_by_the_providers_names() -> None:
    cost = PriceTable().cost
    assert cost("openai:gpt-4o-mini", MILLION) == pytest.approx(0.15 + 0.60)
    for name in ("anthropic:claude-sonnet-4-5", "mistralai:mistral-small-latest", "google_genai:gemini-2.5-flash"):
        assert (cost(name, MILLION) or 0) > 0


def test_tokens_from_the_providers_cache_cost_less() -> None:
    assert PriceTable().cost("openai:gpt-4o-mini", {"input": 1_000_000, "output": 0, "cache_read": 1_000_000}) == pytest.approx(
        0.075
    )


@pytest.mark.parametrize("name", ["local:smollm2", "echo:"])
def test_local_models_are_free(name: str) -> None:
    assert PriceTable().cost(name, MILLION) == 0


@pytest.mark.parametrize("name", ["openai:no-such-model-9", "ollama:llama3.2", "nvidia:x", "upstage:solar-pro"])
def test_an_unknown_price_is_none_and_not_zero(name: str) -> None:
    assert PriceTable().cost(name, MILLION) is None
    assert not PriceTable().is_known(name)


def test_the_suites_price_takes_precedence_over_the_published_one() -> None:
    prices = PriceTable({"openai:gpt-4o-mini": PriceSpec(input=1, output=2), "ollama:llama3.2": PriceSpec(input=0, output=0)})
    assert prices.cost("openai:gpt-4o-mini", MILLION) == 3
    assert prices.cost("ollama:llama3.2", MILLION) == 0


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_every_provider_can_be_looked_up(provider: str) -> None:
    assert PriceTable().cost(f"{provider}:no-such-model-9", MILLION) is None


def test_every_published_cost_is_the_packages_own() -> None:
    from genai_prices import Usage, calc_price
    from genai_prices.data_snapshot import get_snapshot

    names = {published: name for name, published in reversed(_PUBLISHED.items())}
    tokens = {"input": 123_457, "output": 1_013, "cache_read": 1_001}
    usage = Usage(input_tokens=tokens["input"], output_tokens=tokens["output"], cache_read_tokens=tokens["cache_read"])
    compared = 0
    for provider in get_snapshot().providers:
        for model in provider.models if provider.id in names else ():
            try:
                expected = float(calc_price(usage, model.id, provider_id=provider.id).total_price)
            except (LookupError, ValueError):
                continue
            assert PriceTable().cost(f"{names[provider.id]}:{model.id}", tokens) == expected, model.id
            compared += 1
    assert compared > 300


def test_prices_that_were_loaded_are_not_looked_up_again() -> None:
    _published_price.cache_clear()
    PriceTable().load(["openai:gpt-4o-mini", "openai:no-such-model-9", "echo:"])
    loaded = _published_price.cache_info().misses
    PriceTable().cost("openai:gpt-4o-mini", MILLION)
    PriceTable().cost("openai:no-such-model-9", MILLION)
    assert _published_price.cache_info().misses == loaded == 2
