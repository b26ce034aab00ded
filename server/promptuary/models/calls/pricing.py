"""The cost of calls: by the prices of the suite, else by the published ones that genai-prices ships. Nothing is fetched."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any, Protocol

from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.models.calls.request import ModelRequest

FREE = frozenset({"echo", "local"})
DEFAULT_MAX_TOKENS = 1024
"""The length of a reply under a cost limit if the model's settings have none: without it, no highest cost is known."""
_BYTES_PER_TOKEN = 3
_IMAGE_TOKENS, _HIGHEST_IMAGE_TOKENS = 1_500, 40_000
"""What an image usually is, and the most that a provider counts for one (gpt-4o-mini: 36,835)."""
_FRAME_TOKENS, _MESSAGE_TOKENS, _BINDING_TOKENS = 64, 16, 1024
# LangChain's names of providers, and the names that genai-prices has for those that it knows.
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

_SAMPLES = (
    {"input": 0, "output": 0},
    {"input": 1, "output": 0},
    {"input": 0, "output": 1},
    {"input": 7, "output": 3, "cache_read": 5},
    {"input": 900_001, "output": 90_001, "cache_read": 80_001},
)
"""Numbers of tokens for which a price of three numbers must have the cost that genai-prices computes."""


class ModelPrice(Protocol):
    """The price of a model, in US dollars per million tokens."""

    @property
    def input(self) -> float:
        """The price of the tokens of the prompt."""

    @property
    def output(self) -> float:
        """The price of the tokens of the reply."""


@dataclass(frozen=True)
class CallSize:
    """The size of a request.

    Attributes:
        messages: bytes of its messages, without the images in them.
        binding: bytes of the tools or the schema that are bound to the model.
        images: how many images it has; providers count their tokens by their dimensions.
    """

    messages: int
    binding: int
    images: int = 0


@dataclass(frozen=True)
class CallEstimate:
    """What a call may take before its reply is there.

    Attributes:
        cost: its highest possible cost in US dollars; 0 without a cost limit.
        tokens: the expected number of tokens, for a rate limit.
    """

    cost: float
    tokens: float


@dataclass(frozen=True)
class PriceTable:
    """The prices of a run.

    Attributes:
        suite_prices: the prices that the suite states, by `provider:model`; they take precedence over the published ones.
    """

    suite_prices: Mapping[str, ModelPrice] = field(default_factory=dict)

    def load(self, models: Iterable[str]) -> None:
        """Load the published prices of models, so that no reply waits for that while other calls are in flight."""
        for model in models:
            self.is_known(model)

    def is_known(self, model: str) -> bool:
        """Return whether the price of a model is known."""
        return self.cost(model, {"input": 1, "output": 1}) is not None

    def is_free(self, model: str) -> bool:
        """Return whether a model costs nothing."""
        return self.cost(model, {"input": 1, "output": 1}) == 0

    def cost(self, model: str, tokens: Mapping[str, int]) -> float | None:
        """Compute the cost of a number of tokens in US dollars; None if the price is not known.

        Args:
            model: its name, `provider:model`.
            tokens: `input` and `output`; `cache_read` if the provider read that many of the input tokens from its cache.
        """
        price = self.suite_prices.get(model)
        if price is not None:
            return (tokens["input"] * price.input + tokens["output"] * price.output) / 1_000_000
        provider, _, name = model.partition(":")
        return 0.0 if provider in FREE else _published_cost(provider, name, tokens)

    def estimate(self, request: ModelRequest, size: CallSize, *, limited: bool) -> CallEstimate:
        """Compute the highest possible cost and the expected tokens of a call.

        A token has one byte at least. Providers add tokens for the request, each message, each image and a binding.

        Args:
            request: names the model and the highest number of tokens of its reply.
            size: of the request.
            limited: whether there is a cost limit, so that the highest cost is needed.

        Raises:
            InvalidRequest: if the highest cost is needed and the price of the model is not known.
        """
        max_tokens = request.config.get("max_tokens") or default_max_tokens(request.config)
        expected = (size.messages + size.binding) / _BYTES_PER_TOKEN + size.images * _IMAGE_TOKENS + max_tokens
        if not limited:
            return CallEstimate(0.0, expected)
        frame = _FRAME_TOKENS + _MESSAGE_TOKENS * len(request.messages) + (_BINDING_TOKENS if size.binding else 0)
        frame += _HIGHEST_IMAGE_TOKENS * size.images
        highest = self.cost(request.model, {"input": size.messages + size.binding + frame, "output": max_tokens})
        if highest is None:
            raise InvalidRequest("the model cannot be called under a cost limit", [missing_price_error(request.model)])
        return CallEstimate(highest, expected)


def default_max_tokens(config: Mapping[str, Any]) -> int:
    """Return the length of a reply for settings that have none: the thinking that they allow is part of it."""
    thinking = config.get("thinking")
    budgets = (config.get("thinking_budget"), thinking.get("budget_tokens") if isinstance(thinking, Mapping) else None)
    return DEFAULT_MAX_TOKENS + max((budget for budget in budgets if isinstance(budget, int) and budget > 0), default=0)


def missing_price_error(model: str) -> FieldError:
    """Return the error for a model whose price is not known, with the remedy."""
    return FieldError(
        "max_cost",
        f"the price of '{model}' is not known; state it in the suite: prices: {{\"{model}\": {{input: …, output: …}}}}",
    )


def _published_cost(provider: str, model: str, tokens: Mapping[str, int]) -> float | None:
    published = _published_price(_PUBLISHED[provider], model) if provider in _PUBLISHED else None
    return None if published is None else published.cost(tokens)


@dataclass(frozen=True)
class _PublishedPrice:
    """The price of a model in genai-prices, which takes longer to compute a cost than a call takes to be sent.

    Attributes:
        full: computes a cost by genai-prices.
        input: US dollars for a million tokens of the prompt; None if the price is more than three numbers.
        output: of the reply.
        cache_read: of the prompt's tokens that the provider reads from its cache; None if there is no such price.
    """

    full: Callable[[Mapping[str, int]], Decimal | None]
    input: Decimal | None = None
    output: Decimal = Decimal(0)
    cache_read: Decimal | None = None

    def cost(self, tokens: Mapping[str, int]) -> float | None:
        """Compute the cost of a number of tokens; None if it is not known."""
        total = self.total(tokens)
        return None if total is None else float(total)

    def total(self, tokens: Mapping[str, int]) -> Decimal | None:
        """Compute the exact cost."""
        cached = tokens.get("cache_read") or 0
        if self.input is None or cached > tokens["input"] or (cached and self.cache_read is None):
            return self.full(tokens)
        total = Decimal(tokens["input"] - cached) * self.input + Decimal(tokens["output"]) * self.output
        return (total + Decimal(cached) * (self.cache_read or 0)) / 1_000_000


@cache
def _published_price(provider: str, model: str) -> _PublishedPrice | None:
    """Return the price of a model, whose three numbers are used if they have the same results; None if there is none."""
    try:
        from genai_prices import Usage, calc_price
    except ModuleNotFoundError:  # a server that only takes submissions
        return None

    def full(tokens: Mapping[str, int]) -> Decimal | None:
        cached = tokens.get("cache_read") or None
        usage = Usage(input_tokens=tokens["input"], output_tokens=tokens["output"], cache_read_tokens=cached)
        try:
            return calc_price(usage, model, provider_id=provider).total_price
        except (LookupError, ValueError):  # an unknown model, or one without a price for this kind of use
            return None

    try:
        prices = calc_price(Usage(input_tokens=1, output_tokens=1), model, provider_id=provider).model.prices
    except LookupError:
        return None
    except ValueError:
        return _PublishedPrice(full)
    numbers = {} if isinstance(prices, list) else {name: price for name, price in vars(prices).items() if price is not None}
    if not numbers or not all(isinstance(price, Decimal) for price in numbers.values()):
        return _PublishedPrice(full)  # a price that depends on the time or on the number of tokens
    simple = _PublishedPrice(
        full, numbers.get("input_mtok"), numbers.get("output_mtok", Decimal(0)), numbers.get("cache_read_mtok")
    )
    return simple if all(simple.total(tokens) == full(tokens) for tokens in _SAMPLES) else _PublishedPrice(full)
