"""What calls cost: the suite's prices, else the published ones that come with genai-prices, which are never fetched here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

FREE = frozenset({"echo", "local"})
# LangChain's names of providers, and genai-prices' names of those that it knows.
_PUBLISHED = {
    "anthropic": "anthropic",
    "azure_openai": "azure",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks": "fireworks",
    "google_genai": "google",
    "google_vertexai": "google",
    "groq": "groq",
    "mistralai": "mistral",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "together": "together",
    "xai": "x-ai",
}


class ModelPrice(Protocol):
    """What a model costs, in US dollars for a million tokens."""

    @property
    def input(self) -> float:
        """Of the prompt."""

    @property
    def output(self) -> float:
        """Of the answer."""


@dataclass(frozen=True)
class PriceTable:
    """The prices of a run.

    Attributes:
        given: the suite's, by `provider:model`; they go before the published ones.
    """

    given: Mapping[str, ModelPrice] = field(default_factory=dict)

    def known(self, model: str) -> bool:
        """Tell whether a price is known."""
        return self.cost(model, {"input": 1, "output": 1}) is not None

    def free(self, model: str) -> bool:
        """Tell whether a model costs nothing."""
        return self.cost(model, {"input": 1, "output": 1}) == 0

    def cost(self, model: str, tokens: Mapping[str, int]) -> float | None:
        """Give what so many tokens cost, in US dollars; None where no price is known.

        Args:
            model: its name, `provider:model`.
            tokens: `input` and `output`; `cache_read` where the provider had so many of the input at hand.
        """
        rate = self.given.get(model)
        if rate is not None:
            return (tokens["input"] * rate.input + tokens["output"] * rate.output) / 1_000_000
        provider, _, name = model.partition(":")
        return 0.0 if provider in FREE else _published(provider, name, tokens)


def _published(provider: str, model: str, tokens: Mapping[str, int]) -> float | None:
    if provider not in _PUBLISHED:
        return None
    try:
        from genai_prices import Usage, calc_price
    except ModuleNotFoundError:  # a server that only takes submissions
        return None
    usage = Usage(
        input_tokens=tokens["input"], output_tokens=tokens["output"], cache_read_tokens=tokens.get("cache_read") or None
    )
    try:
        return float(calc_price(usage, model, provider_id=_PUBLISHED[provider]).total_price)
    except (LookupError, ValueError):  # not known, or known without a price of this kind of use
        return None
